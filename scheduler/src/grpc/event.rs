//! Events as they happen, from now on. A follower that is too slow is told so, and ends: what it missed it must look up.

use carillon_shared::event::Event;
use carillon_shared::telemetry::metric;
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Code, Status};

use super::error::RpcError;
use super::request_id::RequestId;
use super::{GrpcState, proto, time, value};
use crate::watch::{EventFilter, Follower, Seen};

/// Follows events.
pub(super) async fn stream(
    api: &GrpcState,
    id: RequestId,
    request: proto::StreamEventsRequest,
) -> Result<impl Stream<Item = Result<proto::Event, Status>> + use<>, RpcError> {
    let choice = Choice::read(request)?;
    let place = Place::take(api)?;
    let start = api.store().newest_event().await?;
    let follower = Follower::new(api.store().clone(), start);
    let events = stream::unfold(Some((follower, choice, place)), move |following| {
        let id = id.clone();
        async move {
            let (mut follower, choice, place) = following?;
            match next(&mut follower, &choice).await {
                Ok(event) => Some((Ok(event), Some((follower, choice, place)))),
                Err(error) => Some((Err(error.to_status(&id.0)), None)),
            }
        }
    });
    Ok(events.take_until(api.0.stop.clone().cancelled_owned()))
}

async fn next(follower: &mut Follower, choice: &Choice) -> Result<proto::Event, RpcError> {
    loop {
        match follower.next().await {
            Seen::Event(_, event) if choice.filter.admits(&event) => {
                let members = event.members();
                if choice.admits(&event, &members) {
                    return Ok(message(&event, &members));
                }
            }
            Seen::Gap(_) => {
                let message = "events were forgotten before they could be sent: look at the present state anew";
                return Err(RpcError::new(Code::DataLoss, "backend_error", message));
            }
            Seen::Event(..) | Seen::Away(_) | Seen::Back => {}
        }
    }
}

/// Which events a client wants to hear of.
struct Choice {
    filter: EventFilter,
    job: String,
    flow: String,
}

impl Choice {
    fn read(request: proto::StreamEventsRequest) -> Result<Self, RpcError> {
        let filter = EventFilter::read(&request.event_types, &request.queues, &[]).map_err(|error| {
            let field = if error.field == "types" { "event_types" } else { error.field };
            RpcError::invalid(field, error.message)
        })?;
        Ok(Self { filter, job: request.job_id, flow: request.workflow_id })
    }

    fn admits(&self, event: &Event, members: &Map<String, Value>) -> bool {
        let is_about = |id: &str, member: &str| id.is_empty() || event.subject == id || text(members, member) == id;
        is_about(&self.job, "job_id") && is_about(&self.flow, "workflow_id")
    }
}

/// A client's place among those that follow events.
struct Place(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

impl Place {
    fn take(api: &GrpcState) -> Result<Self, RpcError> {
        let permit = permit(api)?;
        metrics::gauge!(metric::EVENTS_STREAMS).increment(1.0);
        Ok(Self(permit))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!(metric::EVENTS_STREAMS).decrement(1.0);
    }
}

/// The right to one more stream.
pub(super) fn permit(api: &GrpcState) -> Result<OwnedSemaphorePermit, RpcError> {
    let most = api.0.limits.streams_max;
    let permit = api.0.streams.clone().try_acquire_owned();
    permit.map_err(|_| RpcError::too_many(format!("{most} clients follow jobs or events already")))
}

fn message(event: &Event, members: &Map<String, Value>) -> proto::Event {
    let subject = |family: &str| if event.kind.starts_with(family) { event.subject.as_str() } else { "" };
    let or_subject = |member: &str, family: &str| match text(members, member) {
        "" => subject(family).to_owned(),
        id => id.to_owned(),
    };
    proto::Event {
        id: event.id.clone(),
        r#type: event.kind.clone(),
        job_id: or_subject("job_id", "job."),
        job_type: text(members, "job_type").to_owned(),
        queue: or_subject("queue", "queue."),
        timestamp: Some(time::message(event.at)),
        data: Some(value::members(members)),
        workflow_id: or_subject("workflow_id", "workflow."),
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use carillon_shared::clock::Timestamp;

    use super::*;

    fn event(kind: &str, subject: &str, data: &str) -> Event {
        Event {
            id: "evt_x".to_owned(),
            kind: kind.to_owned(),
            source: "api".to_owned(),
            subject: subject.to_owned(),
            at: Timestamp::from_ms(0),
            data: data.to_owned(),
        }
    }

    #[test]
    fn an_event_is_about_a_job_by_subject_or_by_member() {
        let choice = Choice { filter: EventFilter::default(), job: "J".to_owned(), flow: String::new() };
        let admits = |event: &Event| choice.admits(event, &event.members());
        assert!(
            admits(&event("job.started", "J", "{}")) && admits(&event("cron.triggered", "tick", r#"{"job_id":"J"}"#))
        );
        assert!(!admits(&event("job.started", "K", r#"{"job_id":"K"}"#)));
    }

    #[test]
    fn a_message_names_what_the_event_happened_to() {
        let of = |event: Event| message(&event, &event.members());
        assert_eq!(of(event("job.started", "J", r#"{"queue":"q"}"#)).job_id, "J");
        assert_eq!(of(event("workflow.started", "W", "{}")).workflow_id, "W");
        assert_eq!(of(event("cron.skipped", "tick", "{}")).job_id, "");
    }
}
