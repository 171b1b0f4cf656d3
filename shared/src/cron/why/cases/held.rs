//! What holds a queued job up.

use super::*;

#[test]
#[rustfmt::skip]
fn what_holds_a_queued_job_up_is_named() {
    type Held = (&'static str, fn(&mut Facts), &'static str);
    let cases: &[Held] = &[
        ("", |_| {}, "nothing holds it up"),
        ("queue_paused", |f| f.queue.paused_at = Some(at(NINE)), "the queue `default` is paused since 09:00:00"),
        ("no_worker", |f| f.workers.clear(), "no worker was heard of within the last minute"),
        ("no_worker", |f| f.workers[0].takes_jobs = false, "1 worker is winding up"),
        ("no_worker_on_queue", |f| f.workers[0].queues = vec!["mail".parse().expect("a queue")],
            "the only worker there takes nothing from the queue `default`"),
        ("no_handler", |f| f.workers[0].job_types = vec!["other".parse().expect("a type")],
            "no worker of the queue `default` has a handler for the type `echo`"),
        ("", |f| f.workers[0].job_types.clear(), "nothing holds it up"),
        ("concurrency_limit", |f| { f.queue.concurrency = Some(2); f.queue.active = 2; }, "lets 2 run at once, and 2 run"),
        ("rate_limit", |f| f.queue.rate = Some(RateFacts { starts: 5, window_ms: 1000, started: 5 }),
            "lets 5 start in 1.0 s, and as many did"),
        ("all_busy", |f| f.workers[0].active = 10, "worker `w-1`, the only one that could take it, is busy with 10 jobs"),
        ("all_busy", |f| { f.workers = vec![worker("a"), worker("b")]; for w in &mut f.workers { w.active = 10; } },
            "all 2 workers that could take it are busy"),
    ];
    for (reason, change, part) in cases {
        let mut facts = facts();
        facts.rows = vec![fired(NINE, NINE, A)];
        facts.runs = vec![record(JobState::Available)];
        change(&mut facts);
        let why = facts.answer(Asked::At(at(NINE).into()));
        assert_eq!(why.verdict, Verdict::Queued);
        assert_eq!(why.reason.as_ref().map(Reason::as_str).unwrap_or_default(), *reason, "{}", why.sentence);
        assert!(why.sentence.contains(part), "{}", why.sentence);
    }
}
