//! Dead letters over HTTP.

use carillon_tests::store::a_millisecond;
use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::{dead, fetched};

async fn total(api: &Api) -> Value {
    api.get("/ojs/v1/dead-letter").await.json()["pagination"]["total"].clone()
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_and_page_by_page() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for queue in ["a", "a", "b"] {
        ids.push(dead(&api, queue).await);
        a_millisecond(api.store()).await;
    }
    let first = api.get("/ojs/v1/dead-letter?limit=2").await.json();
    assert_eq!(
        (&first["jobs"][0]["state"], &first["jobs"][0]["errors"][0]["message"]),
        (&json!("discarded"), &json!("no"))
    );
    let page = &first["pagination"];
    assert_eq!(
        (&page["total"], &page["limit"], &page["offset"], &page["has_more"]),
        (&json!(3), &json!(2), &json!(0), &json!(true))
    );
    let cursor = page["next_cursor"].as_str().expect("more follow");
    let rest = api.get(&format!("/ojs/v1/dead-letter?limit=2&cursor={cursor}")).await.json();
    assert_eq!((&rest["count"], &rest["pagination"]["has_more"]), (&json!(1), &json!(false)));
    for (offset, id) in [(0, &ids[1]), (1, &ids[0])] {
        let of_a = api.get(&format!("/ojs/v1/dead-letter?queue=a&limit=1&offset={offset}")).await.json();
        assert_eq!((&of_a["pagination"]["total"], &of_a["jobs"][0]["id"]), (&json!(2), &json!(id)));
    }
    let beyond = api.get("/ojs/v1/dead-letter?queue=a&offset=18446744073709551615").await.json();
    assert_eq!((&beyond["jobs"], &beyond["pagination"]["total"]), (&json!([]), &json!(2)));
    assert_eq!(api.get("/ojs/v1/dead-letter?queue=&limit=5000").await.json()["pagination"]["limit"], 1000);
    assert_eq!(
        api.get(&format!("/ojs/v1/dead-letter/{}", ids[2])).await.json()["job"]["id"].as_str(),
        Some(ids[2].as_str())
    );
}

#[tokio::test]
async fn a_dead_letter_that_is_retried_begins_anew_and_keeps_its_history() {
    let api = Api::start().await;
    let id = dead(&api, "default").await;
    let retried = api.poke(&format!("/ojs/v1/dead-letter/{id}/retry")).await.json();
    assert_eq!(
        (&retried["state"], &retried["job"]["attempt"], &retried["error"]),
        (&json!("available"), &json!(0), &Value::Null)
    );
    assert!(retried["re_enqueued_at"].is_string() && retried["errors"].is_array());
    assert_eq!((fetched(&api, "w").await["attempt"].clone(), total(&api).await), (json!(1), json!(0)));
    api.poke(&format!("/ojs/v1/dead-letter/{id}/retry")).await.refused(404, "not_found", None);
}

#[tokio::test]
async fn many_dead_letters_are_retried_by_id_by_queue_or_all() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for queue in ["a", "a", "b", "b", "c"] {
        ids.push(dead(&api, queue).await);
    }
    let by_id = api.post("/ojs/v1/dead-letter/retry", &json!({"job_ids": [ids[0], "nonsense"]})).await.json();
    assert_eq!((&by_id["job_ids"], &by_id["missing"]), (&json!([ids[0]]), &json!(["nonsense"])));
    let by_queue = api.post("/ojs/v1/dead-letter/retry", &json!({"queue": "b"})).await.json();
    assert_eq!((&by_queue["retried"], total(&api).await), (&json!(2), json!(2)));
    api.post("/ojs/v1/dead-letter/retry", &json!({})).await.refused(400, "invalid_request", Some("job_ids"));
    assert_eq!(api.post("/ojs/v1/dead-letter/retry", &json!({"all": true})).await.json()["retried"], 2);
    assert_eq!(total(&api).await, 0);
}

#[tokio::test]
async fn a_deleted_dead_letter_is_gone_for_good() {
    let api = Api::start().await;
    let id = dead(&api, "a").await;
    let deleted = api.delete(&format!("/ojs/v1/dead-letter/{id}")).await.json();
    assert_eq!((&deleted["deleted"], &deleted["job_id"]), (&json!(true), &json!(id)));
    api.delete(&format!("/ojs/v1/dead-letter/{id}")).await.refused(404, "not_found", None);
    assert_eq!(api.get(&format!("/ojs/v1/jobs/{id}")).await.status, 404);
}
