//! Calls whose messages are JSON, as a client without generated messages sends them.

use prost::bytes::{Buf as _, BufMut as _};
use serde_json::{Value, json};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

use crate::client::{Api, refused};

/// Messages as they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}

async fn call(api: &Api, method: &str, message: &str) -> Result<Value, Status> {
    let mut client = Grpc::new(api.channel.clone());
    client.ready().await.expect("a connection");
    let path = PathAndQuery::try_from(format!("/ojs.v1.OJSService/{method}")).expect("a path");
    let answer = client.unary(Request::new(message.as_bytes().to_vec()), path, Raw).await?;
    Ok(serde_json::from_slice(&answer.into_inner()).expect("an answer in JSON"))
}

#[tokio::test]
async fn a_job_lives_its_life_in_json() {
    let api = Api::start().await;
    let args = json!([{"string_value": "x"}, {"struct_value": {"fields": {"n": {"number_value": 3}}}}]);
    let options =
        json!({"queue": "mail", "retry": {"max_attempts": 2, "initial_interval": "PT2S"}, "timeout": "PT30S"});
    let enqueue = json!({"type": "mail.send", "args": args, "options": options});
    let job = call(&api, "Enqueue", &enqueue.to_string()).await.expect("a job")["job"].clone();
    assert_eq!((&job["args"], &job["max_attempts"]), (&json!(["x", {"n": 3.0}]), &json!(2)));
    assert_eq!(
        (&job["state"], &job["retry_policy"]["initial_interval"]),
        (&json!("JOB_STATE_AVAILABLE"), &json!("2s"))
    );
    let fetched = call(&api, "Fetch", r#"{"queues":["mail"],"count":1,"worker_id":"w"}"#).await.expect("jobs");
    assert_eq!(fetched["jobs"][0]["id"], job["id"]);
    let ack = json!({"job_id": job["id"], "result": {"fields": {"sent": {"bool_value": true}}}});
    assert_eq!(call(&api, "Ack", &ack.to_string()).await.expect("an end")["acknowledged"], true);
    let get = json!({"job_id": job["id"]});
    let ended = call(&api, "GetJob", &get.to_string()).await.expect("the job");
    assert_eq!(ended["job"]["result"], json!({"sent": true}));
    let stats = call(&api, "QueueStats", r#"{"queue":"mail"}"#).await.expect("counters");
    assert_eq!((&stats["stats"]["completed_last_hour"], &stats["stats"]["paused"]), (&json!(1), &json!(false)));
}

#[tokio::test]
async fn what_is_wrong_with_a_message_in_json_is_told_as_a_status() {
    let api = Api::start().await;
    let status = async |method, message| call(&api, method, message).await.expect_err("a refusal");
    refused(&status("Enqueue", "{nonsense").await, Code::InvalidArgument, "invalid_payload", None);
    refused(&status("Enqueue", r#"{"type":7}"#).await, Code::InvalidArgument, "invalid_request", None);
    refused(&status("Enqueue", r#"{"type":"A"}"#).await, Code::InvalidArgument, "invalid_request", Some("type"));
    refused(&status("GetJob", r#"{"job_id":"none"}"#).await, Code::NotFound, "not_found", None);
    refused(&status("StreamJobs", r#"{"queues":["q"]}"#).await, Code::Unimplemented, "unsupported", None);
}
