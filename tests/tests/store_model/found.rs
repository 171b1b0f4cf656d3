//! What random sequences have found, each under the name of what was wanted.

use carillon_tests::model::{Command, Finish, Grip, Limit, Moment, Spec, Time, When};

use crate::difference;
use crate::real::Real;

async fn assert_as_the_model_says(commands: &[Command]) {
    let difference = difference(&mut Real::start().await, commands, 1).await;
    assert_eq!(difference, None);
}

fn claim(queues: &[u8], most: usize) -> Command {
    Command::Claim { queues: queues.to_vec(), most, worker: 0 }
}

fn enqueue(spec: Spec) -> Command {
    Command::Enqueue(vec![spec])
}

fn end(finish: Finish) -> Command {
    Command::End(vec![(1, Grip::Latest, finish)])
}

#[tokio::test]
async fn a_queue_that_is_named_twice_hands_out_each_job_once() {
    assert_as_the_model_says(&[enqueue(Spec::plain(1, 0)), claim(&[0, 1, 0], 4)]).await;
}

#[tokio::test]
async fn an_attempt_that_was_given_back_has_started_all_the_same() {
    let twice = [enqueue(Spec::plain(1, 0)), claim(&[0], 1), end(Finish::Return), claim(&[0], 1), end(Finish::Return)];
    let mut commands = vec![Command::Limit(0, Limit::Rate(Some(2)))];
    commands.extend(twice);
    commands.push(claim(&[0], 1));
    assert_as_the_model_says(&commands).await;
}

#[tokio::test]
async fn a_revived_job_still_expires() {
    let job = Spec { expires: Some(Moment::Ahead), ..Spec::plain(1, 0) };
    let revived = [enqueue(job), claim(&[0], 1), end(Finish::Dead), Command::Revive(1)];
    assert_as_the_model_says(&[&revived[..], &[Command::Elapse(1, Time::Expiry, 1), Command::Expire]].concat()).await;
}

#[tokio::test]
async fn a_dead_letter_whose_time_has_passed_can_be_revived() {
    let job = Spec { expires: Some(Moment::Ahead), ..Spec::plain(1, 0) };
    let passed = [enqueue(job), claim(&[0], 1), end(Finish::Dead), Command::Elapse(1, Time::Expiry, 1)];
    assert_as_the_model_says(&[&passed[..], &[Command::Revive(1), Command::Expire, claim(&[0], 1)]].concat()).await;
}

#[tokio::test]
async fn what_was_promoted_is_not_the_next_that_is_due() {
    let job = Spec { when: When::Later, ..Spec::plain(1, 0) };
    assert_as_the_model_says(&[enqueue(job), Command::Elapse(1, Time::Due, 1), Command::Promote]).await;
}
