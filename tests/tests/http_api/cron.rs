//! Cron entries over HTTP.

use carillon_shared::clock::Timestamp;
use carillon_shared::id::Partition;
use carillon_tests::redis::shared;
use carillon_tests::wait::until_some;
use serde_json::{Value, json};

use crate::client::{Answer, Api};

const YEARLY: &str = "0 0 1 1 *";

fn at(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no time"))
}

async fn register(api: &Api, body: Value) -> Answer {
    let answer = api.post("/ojs/v1/cron", &body).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.text);
    answer
}

fn entry(name: &str) -> Value {
    json!({"name": name, "cron": YEARLY, "type": "echo"})
}

#[tokio::test]
async fn an_entry_is_created_then_updated_and_what_happened_to_it_stays() {
    let api = Api::start().await;
    let created =
        register(&api, json!({"name": "n", "cron": YEARLY, "type": "echo", "args": [1], "run_count": 99})).await;
    assert_eq!((created.status, created.header("location")), (201, "/ojs/v1/cron/n"));
    let before = created.json();
    assert_eq!(
        (&before["run_count"], &before["last_run_at"], &before["enabled"]),
        (&json!(0), &Value::Null, &json!(true))
    );
    assert_eq!(
        (&before["cron"], &before["cron_job"]["cron"], &before["status"]),
        (&json!(YEARLY), &json!(YEARLY), &json!("active"))
    );
    assert!(at(&before["next_run_at"]) > api.store().now().await.expect("Redis is there"));

    assert_eq!(api.poke("/ojs/v1/cron/n/trigger").await.status, 202);
    let updated = register(&api, json!({"name": "n", "cron": "0 0 2 1 *", "type": "other.type"})).await;
    assert_eq!(updated.status, 200);
    let after = updated.json();
    assert_eq!((&after["type"], &after["args"], &after["run_count"]), (&json!("other.type"), &json!([]), &json!(1)));
    assert_eq!(after["created_at"], before["created_at"]);
    assert!(after["last_run_at"].is_string());
}

#[tokio::test]
async fn each_spelling_is_answered_in_its_own_way() {
    let api = Api::start().await;
    let template = json!({"name": "t", "expression": YEARLY, "job_template": {"type": "echo", "args": [2], "options": {"queue": "q"}}});
    let answer = register(&api, template).await.json();
    for name in ["name", "expression", "next_run_at", "enabled", "created_at", "timezone", "overlap_policy"] {
        assert!(!answer["cron"][name].is_null(), "{name} in {answer}");
    }
    assert_eq!((&answer["cron_job"]["type"], &answer["name"]), (&json!("echo"), &json!("t")));
    assert_eq!(answer["cron"]["job_template"], json!({"type": "echo", "args": [2], "options": {"queue": "q"}}));
    let flat = register(&api, entry("f")).await.json();
    assert_eq!((&flat["cron"], &flat["overlap_policy"]), (&json!(YEARLY), &json!("skip")));
}

#[tokio::test]
async fn what_to_know_about_a_schedule_is_said_at_registration() {
    let api = Api::start().await;
    let answer = register(&api, json!({"name": "w", "cron": "0 0 31 * *", "type": "echo"})).await.json();
    assert_eq!(answer["warnings"][0]["code"], "short_months", "{answer}");
    let never = register(&api, json!({"name": "never", "cron": "0 0 30 2 *", "type": "echo"})).await.json();
    assert_eq!((&never["next_run_at"], &never["warnings"][0]["code"]), (&Value::Null, &json!("never_fires")));
}

#[tokio::test]
async fn each_mistake_in_a_registration_is_refused_by_its_field() {
    let api = Api::start().await;
    let wrong = [
        (json!({"cron": YEARLY, "type": "echo"}), "name"),
        (json!({"name": "Bad Name", "cron": YEARLY, "type": "echo"}), "name"),
        (json!({"name": "x", "type": "echo"}), "cron"),
        (json!({"name": "x", "cron": "99 25 32 13 8", "type": "echo"}), "cron"),
        (json!({"name": "x", "expression": "not a valid cron", "type": "echo"}), "expression"),
        (json!({"name": "x", "cron": YEARLY, "expression": "* * * * *", "type": "echo"}), "expression"),
        (json!({"name": "x", "cron": YEARLY}), "type"),
        (json!({"name": "x", "cron": YEARLY, "type": "Echo!"}), "type"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "args": {}}), "args"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "timezone": "+05:00"}), "timezone"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "overlap_policy": "maybe"}), "overlap_policy"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "enabled": "yes"}), "enabled"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "options": []}), "options"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "options": {"queue": "No!"}}), "options.queue"),
        (
            json!({"name": "x", "cron": YEARLY, "type": "echo", "options": {"retry": {"max_attempts": -1}}}),
            "options.retry.max_attempts",
        ),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "description": 5}), "description"),
        (json!({"name": "x", "cron": "* * * * * *", "fields": 5, "type": "echo"}), "cron"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "misfire": "never"}), "misfire"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "deadline": "0s"}), "deadline"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "jitter": 30}), "jitter"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "starts_at": "soon"}), "starts_at"),
        (
            json!({"name": "x", "cron": YEARLY, "type": "echo", "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}),
            "ends_at",
        ),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "max_runs": 0}), "max_runs"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "run_as": ""}), "run_as"),
        (json!({"name": "x", "cron": YEARLY, "type": "echo", "meta": {"run_as": "root"}}), "meta.run_as"),
    ];
    for (body, field) in wrong {
        let refused = api.post("/ojs/v1/cron", &body).await;
        assert_eq!(refused.json()["error"]["details"]["field"], field, "{body} {}", refused.text);
        refused.refused(400, "invalid_request", Some(field));
    }
    assert_eq!(api.get("/ojs/v1/cron/x").await.status, 404);
    assert_eq!(api.get("/ojs/v1/cron").await.json()["count"], 0);
}

#[tokio::test]
async fn entries_are_listed_for_both_sorts_of_clients_in_pages_if_asked() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        register(&api, json!({"name": name, "cron": YEARLY, "type": "echo", "enabled": name != "b"})).await;
    }
    let all = api.get("/ojs/v1/cron").await.json();
    assert_eq!((&all["crons"], &all["count"]), (&all["cron_jobs"], &json!(3)));
    assert_eq!(all["pagination"]["has_more"], false);
    let names = |answer: &Value| {
        answer["crons"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&all), ["a", "b", "c"]);
    assert_eq!(names(&api.get("/ojs/v1/cron?enabled=true").await.json()), ["a", "c"]);
    assert_eq!(names(&api.get("/ojs/v1/cron?enabled=false").await.json()), ["b"]);
    let page = api.get("/ojs/v1/cron?limit=2").await.json();
    assert_eq!((names(&page), &page["pagination"]["has_more"]), (vec![json!("a"), json!("b")], &json!(true)));
    assert_eq!(names(&api.get("/ojs/v1/cron?limit=2&offset=2").await.json()), ["c"]);
    assert_eq!(names(&api.get("/ojs/v1/cron?page=2&per_page=1").await.json()), ["b"]);
    api.get("/ojs/v1/cron?enabled=maybe").await.refused(400, "invalid_request", Some("enabled"));
    api.get("/ojs/v1/cron?limit=0").await.refused(400, "invalid_request", Some("limit"));

    // An entry that cannot be read is not shown, and no page after it is promised.
    let key = api.store().keys().partition(Partition(0)).cron(&"c".parse().expect("a name"));
    let _: () = redis::cmd("SET")
        .arg(key)
        .arg("rubbish")
        .query_async(&mut shared().connection().await)
        .await
        .expect("Redis takes it");
    let (all, last) = (api.get("/ojs/v1/cron").await.json(), api.get("/ojs/v1/cron?limit=2&offset=2").await.json());
    assert_eq!((names(&all).len(), &all["pagination"]["has_more"]), (2, &json!(false)));
    assert_eq!((names(&last).len(), &last["pagination"]["has_more"]), (0, &json!(false)));
}

#[tokio::test]
async fn an_entry_is_switched_off_and_on_and_keeps_that_through_a_registration() {
    let api = Api::start().await;
    register(&api, entry("n")).await;
    let off = api.patch("/ojs/v1/cron/n", &json!({"enabled": false})).await.json();
    assert_eq!(
        (&off["enabled"], &off["status"], &off["next_run_at"]),
        (&json!(false), &json!("disabled"), &Value::Null)
    );
    assert_eq!(register(&api, entry("n")).await.json()["enabled"], false, "a deploy does not switch it on again");
    assert_eq!(api.poke("/ojs/v1/cron/n/resume").await.json()["enabled"], false, "a pause is another thing");
    let on = api.patch("/ojs/v1/cron/n", &json!({"enabled": true})).await.json();
    assert!(at(&on["next_run_at"]) > api.store().now().await.expect("Redis is there"));
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_refuses_what_is_wrong() {
    let api = Api::start().await;
    register(&api, json!({"name": "n", "cron": YEARLY, "type": "echo", "args": [1], "description": "d"})).await;
    let patched =
        api.patch("/ojs/v1/cron/n", &json!({"expression": "0 0 3 3 *", "overlap_policy": "allow"})).await.json();
    assert_eq!(
        (&patched["cron"], &patched["args"], &patched["description"]),
        (&json!("0 0 3 3 *"), &json!([1]), &json!("d"))
    );
    assert_eq!(patched["overlap_policy"], "allow");
    for (body, field) in [
        (json!({"enabled": "no"}), Some("enabled")),
        (json!({"cron": "nonsense"}), Some("cron")),
        (json!({}), None),
        (json!({"run_count": 5}), None),
        (json!({"enabled": true, "jiter": "5s"}), Some("jiter")),
        (json!({"name": "other", "enabled": true}), Some("name")),
    ] {
        api.patch("/ojs/v1/cron/n", &body).await.refused(400, "invalid_request", field);
    }
    assert_eq!(api.get("/ojs/v1/cron/n").await.json()["cron"], "0 0 3 3 *");
}

#[tokio::test]
async fn an_entry_that_does_not_exist_is_not_found_whatever_is_asked_of_it() {
    let api = Api::start().await;
    for name in ["gone", "No%20Name", "a%00b"] {
        for (method, path) in [
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/trigger"),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("GET", "/ledger"),
            ("GET", "/history"),
        ] {
            let answer = crate::client::answer(api.request(method, &format!("/ojs/v1/cron/{name}{path}"))).await;
            assert_eq!(answer.json()["error"]["details"]["resource_type"], "cron", "{method} {name}{path}");
            answer.refused(404, "not_found", None);
        }
        api.patch(&format!("/ojs/v1/cron/{name}"), &json!({"enabled": true})).await.refused(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_removed_entry_leaves_its_jobs() {
    let api = Api::start().await;
    register(&api, entry("n")).await;
    let job = api.poke("/ojs/v1/cron/n/trigger").await.json()["job_id"].as_str().expect("an id").to_owned();
    let removed = api.delete("/ojs/v1/cron/n").await;
    assert_eq!(
        (removed.status, &removed.json()["deleted"], &removed.json()["cron"]["name"]),
        (200, &json!(true), &json!("n"))
    );
    assert_eq!(api.delete("/ojs/v1/cron/n").await.status, 404);
    assert_eq!(api.get(&format!("/ojs/v1/jobs/{job}")).await.json()["state"], "available");
}

#[tokio::test]
async fn a_run_that_is_asked_for_is_told_and_does_not_move_the_schedule() {
    let api = Api::start().await;
    let next =
        register(&api, json!({"name": "n", "cron": YEARLY, "type": "echo", "args": [1]})).await.json()["next_run_at"]
            .clone();
    let asked = api.poke("/ojs/v1/cron/n/trigger").await;
    let told = asked.json();
    assert_eq!(asked.status, 202);
    assert_eq!(asked.header("location"), format!("/ojs/v1/jobs/{}", told["job_id"].as_str().expect("an id")));
    assert_eq!(
        (&told["job"]["state"], &told["job"]["args"], &told["waits"]),
        (&json!("available"), &json!([1]), &json!(false))
    );
    assert_eq!((&told["cron_job"]["next_run_at"], &told["cron_job"]["run_count"]), (&next, &json!(1)));
    let other = api.post("/ojs/v1/cron/n/trigger", &json!({"args": ["other"]})).await.json();
    assert_eq!(other["job"]["args"], json!(["other"]));
    api.post("/ojs/v1/cron/n/trigger", &json!({"args": "x"})).await.refused(400, "invalid_request", Some("args"));
    api.post("/ojs/v1/cron/n/trigger", &json!([])).await.refused(400, "invalid_request", None);
}

#[tokio::test]
async fn a_run_that_is_asked_for_keeps_to_the_policy_of_its_entry() {
    let api = Api::start().await;
    for (policy, waits, cancelled) in
        [("cancel_previous", false, 1), ("enqueue", true, 0), ("allow", false, 0), ("skip", false, 0)]
    {
        let name = policy.replace('_', "-");
        register(&api, json!({"name": name, "cron": YEARLY, "type": "echo", "overlap_policy": policy})).await;
        let first = api.poke(&format!("/ojs/v1/cron/{name}/trigger")).await.json();
        let second = api.poke(&format!("/ojs/v1/cron/{name}/trigger")).await.json();
        assert_eq!(
            (&second["waits"], second["cancelled"].as_array().expect("a list").len()),
            (&json!(waits), cancelled),
            "{policy}"
        );
        let first = api.get(&format!("/ojs/v1/jobs/{}", first["job_id"].as_str().expect("an id"))).await.json();
        assert_eq!(first["state"] == "cancelled", cancelled == 1, "{policy}");
    }
}

#[tokio::test]
async fn an_entry_that_is_registered_fires() {
    let api = Api::start().await;
    register(&api, json!({"name": "every-second", "cron": "* * * * * *", "type": "echo", "overlap_policy": "allow"}))
        .await;
    let fired = until_some("two runs", async || {
        let entry = api.get("/ojs/v1/cron/every-second").await.json();
        (entry["run_count"].as_u64() >= Some(2)).then_some(entry)
    })
    .await;
    assert!(fired["last_run_at"].is_string() && fired["next_run_at"].is_string());
}
