//! Cron entries: registered, changed as far as the messages can say it, listed, removed.

use carillon_scheduler::grpc::proto::{
    CronEntry, EnqueueOptions, ListCronRequest, RegisterCronRequest, RegisterCronResponse, UnregisterCronRequest,
};
use carillon_shared::client::Client;
use carillon_shared::cron::OverlapPolicy;
use serde_json::json;
use tonic::{Code, Status};

use crate::client::{Api, members, number, refused, seconds, text};

fn entry(name: &str, cron: &str) -> RegisterCronRequest {
    RegisterCronRequest {
        name: name.to_owned(),
        cron: cron.to_owned(),
        r#type: "echo".to_owned(),
        ..Default::default()
    }
}

async fn register(api: &Api, request: RegisterCronRequest) -> Result<RegisterCronResponse, Status> {
    api.client().register_cron(request).await.map(tonic::Response::into_inner)
}

async fn list(api: &Api) -> Vec<CronEntry> {
    api.client().list_cron(ListCronRequest {}).await.expect("entries").into_inner().entries
}

#[tokio::test]
async fn an_entry_is_registered_and_listed_as_it_was_said() {
    let api = Api::start().await;
    let options = EnqueueOptions {
        queue: "reports".to_owned(),
        priority: Some(3),
        timeout: Some(seconds(30)),
        ttl: Some(seconds(60)),
        meta: Some(members(&[("tenant", text("x"))])),
        tags: vec!["nightly".to_owned()],
        ..Default::default()
    };
    let mut request = entry("nightly", "0 3 * * *");
    request.timezone = "Europe/Berlin".to_owned();
    request.args = vec![number(1.0)];
    request.options = Some(options.clone());
    let registered = register(&api, request.clone()).await.expect("registered");
    assert_eq!(registered.name, "nightly");
    let listed = list(&api).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].cron, &listed[0].timezone, &listed[0].args),
        (&request.cron, &request.timezone, &request.args)
    );
    assert_eq!((listed[0].options.as_ref(), listed[0].last_run_at), (Some(&options), None));
    assert!(registered.next_run_at.is_some());
    assert_eq!(listed[0].next_run_at, registered.next_run_at);
}

#[tokio::test]
async fn what_the_message_cannot_say_is_left_as_it_is() {
    let api = Api::start().await;
    let client = Client::new(api.app.store().clone());
    let request = json!({"name": "tick", "cron": "0 3 * * *", "type": "echo", "args": [7], "meta": {"a": 1},
        "options": {"queue": "default", "priority": 4}, "timezone": "Europe/Berlin",
        "overlap_policy": "allow", "enabled": false, "description": "by hand"});
    client.register(&request).await.expect("an entry");
    let mut update = entry("tick", "*/5 * * * *");
    update.options = Some(EnqueueOptions { meta: Some(members(&[("b", number(2.0))])), ..Default::default() });
    let registered = register(&api, update).await.expect("changed");
    assert_eq!(registered.next_run_at, None, "it is disabled");
    let name = "tick".parse().expect("a name");
    let stored = api.app.store().entry(&name).await.expect("Redis").expect("the entry");
    let now = &stored.definition;
    assert_eq!((now.overlap_policy, stored.enabled), (OverlapPolicy::Allow, false));
    assert_eq!(now.description.as_deref(), Some("by hand"));
    assert_eq!((now.expression.as_str(), now.zone.to_string().as_str(), now.args.len()), ("*/5 * * * *", "UTC", 0));
    let envelope = now.envelope(carillon_shared::clock::Timestamp::from_ms(0), &[]).expect("a job");
    assert_eq!((envelope.priority, json!(envelope.meta)), (0, json!({"b": 2})));
}

#[tokio::test]
async fn an_entry_that_is_removed_is_gone() {
    let api = Api::start().await;
    register(&api, entry("tick", "* * * * *")).await.expect("registered");
    let name = UnregisterCronRequest { name: "tick".to_owned() };
    api.client().unregister_cron(name.clone()).await.expect("removed");
    assert!(list(&api).await.is_empty());
    for name in [name, UnregisterCronRequest { name: "No Name".to_owned() }] {
        let status = api.client().unregister_cron(name).await.expect_err("gone");
        refused(&status, Code::NotFound, "not_found", None);
    }
}

#[tokio::test]
async fn mistakes_are_refused_by_their_field() {
    let api = Api::start().await;
    let zone = RegisterCronRequest { timezone: "Mars/Olympus".to_owned(), ..entry("tick", "* * * * *") };
    let delay = EnqueueOptions { delay_until: Some(prost_types::Timestamp::default()), ..Default::default() };
    let delayed = RegisterCronRequest { options: Some(delay), ..entry("tick", "* * * * *") };
    for (request, field) in [
        (entry("tick", "61 * * * *"), "cron"),
        (entry("No Name", "* * * * *"), "name"),
        (zone, "timezone"),
        (delayed, "options.delay_until"),
        (RegisterCronRequest { r#type: String::new(), ..entry("tick", "* * * * *") }, "type"),
    ] {
        let status = register(&api, request).await.expect_err(field);
        refused(&status, Code::InvalidArgument, "invalid_request", Some(field));
    }
    assert!(list(&api).await.is_empty());
}
