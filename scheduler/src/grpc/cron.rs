//! Cron entries. The messages cannot say all that an entry has; what they cannot say is left as it is.

use carillon_shared::client::{ClientError, Registered};
use carillon_shared::clock::Timestamp;
use carillon_shared::name::CronName;
use carillon_shared::store::StoredEntry;
use serde_json::{Map, Value};

use super::error::RpcError;
use super::{GrpcState, options, proto, time, value};

const RESOURCE: &str = "cron entry";

pub(super) async fn register(
    api: &GrpcState,
    request: proto::RegisterCronRequest,
) -> Result<proto::RegisterCronResponse, RpcError> {
    let entry = registered(api, wish(request)?).await?.entry;
    Ok(proto::RegisterCronResponse {
        name: entry.definition.name.to_string(),
        next_run_at: entry.status().next_run_at.map(time::message),
    })
}

pub(super) async fn unregister(
    api: &GrpcState,
    request: &proto::UnregisterCronRequest,
) -> Result<proto::UnregisterCronResponse, RpcError> {
    // A name that no entry can have is one that none has.
    let none = || RpcError::not_found(RESOURCE, &request.name);
    let name: CronName = request.name.parse().map_err(|_| none())?;
    match api.client().remove(&name).await {
        Err(ClientError::NoEntry(_)) => Err(none()),
        removed => Ok(removed.map(|_| proto::UnregisterCronResponse {})?),
    }
}

pub(super) async fn list(api: &GrpcState) -> Result<proto::ListCronResponse, RpcError> {
    Ok(proto::ListCronResponse { entries: api.store().entries().await?.iter().map(message).collect() })
}

/// The registration as HTTP would spell it. All that the message can say is said, so that an update resets it.
fn wish(request: proto::RegisterCronRequest) -> Result<Map<String, Value>, RpcError> {
    let mut options = options::json("options", request.options.unwrap_or_default())?;
    // At the top, where it replaces what an earlier registration said there.
    let meta = options.remove("meta").unwrap_or_else(|| Map::new().into());
    let zone = if request.timezone.is_empty() { "UTC" } else { &request.timezone };
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("name", request.name.into());
    put("cron", request.cron.into());
    put("timezone", zone.into());
    put("type", request.r#type.into());
    put("args", value::array("args", request.args)?.into());
    put("meta", meta);
    put("options", options.into());
    Ok(map)
}

async fn registered(api: &GrpcState, wish: Map<String, Value>) -> Result<Registered, RpcError> {
    let name: CronName = time::name("name", wish.get("name").and_then(Value::as_str).unwrap_or_default())?;
    match api.client().patch(&name, &wish).await {
        Err(ClientError::NoEntry(_)) => Ok(api.client().register(&Value::Object(wish)).await?),
        patched => Ok(patched?),
    }
}

fn message(entry: &StoredEntry) -> proto::CronEntry {
    let (definition, status) = (&entry.definition, entry.status());
    // Its settings made a job when it was registered.
    let envelope = definition.envelope(Timestamp::from_ms(0), &[]).ok();
    proto::CronEntry {
        name: definition.name.to_string(),
        cron: definition.expression.clone(),
        timezone: definition.zone.to_string(),
        r#type: definition.job_type.to_string(),
        args: value::messages(&definition.args),
        options: envelope.map(|envelope| options::message(&definition.options, &envelope)),
        next_run_at: status.next_run_at.map(time::message),
        last_run_at: status.last_run_at.map(time::message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_registration_says_all_it_can_and_nothing_else() {
        let request = proto::RegisterCronRequest {
            name: "tick".to_owned(),
            cron: "* * * * *".to_owned(),
            r#type: "echo".to_owned(),
            ..Default::default()
        };
        let said = json!({"name": "tick", "cron": "* * * * *", "timezone": "UTC", "type": "echo", "args": [], "meta": {},
            "options": {}});
        assert_eq!(wish(request).map(Value::Object), Ok(said));
    }
}
