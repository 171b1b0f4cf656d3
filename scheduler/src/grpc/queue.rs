//! Queues and their counters.

use carillon_shared::job::JobState;
use carillon_shared::name::QueueName;
use carillon_shared::store::{QueueChange, QueueStats, Recent};

use super::error::RpcError;
use super::{GrpcState, proto, time};

pub(super) async fn list(api: &GrpcState) -> Result<proto::ListQueuesResponse, RpcError> {
    Ok(proto::ListQueuesResponse { queues: api.store().queues().await?.iter().map(info).collect() })
}

pub(super) async fn stats(
    api: &GrpcState,
    request: &proto::QueueStatsRequest,
) -> Result<proto::QueueStatsResponse, RpcError> {
    let name = name(&request.queue)?;
    let (stats, recent) = tokio::try_join!(api.store().queue(name.clone()), api.store().recent(&name))?;
    Ok(proto::QueueStatsResponse { queue: stats.name.to_string(), stats: Some(statistics(&stats, &recent)) })
}

pub(super) async fn pause(
    api: &GrpcState,
    request: &proto::PauseQueueRequest,
) -> Result<proto::PauseQueueResponse, RpcError> {
    let queue = changed(api, &request.queue, &QueueChange::Pause).await?;
    Ok(proto::PauseQueueResponse { queue: Some(queue) })
}

pub(super) async fn resume(
    api: &GrpcState,
    request: &proto::ResumeQueueRequest,
) -> Result<proto::ResumeQueueResponse, RpcError> {
    let queue = changed(api, &request.queue, &QueueChange::Resume).await?;
    Ok(proto::ResumeQueueResponse { queue: Some(queue) })
}

async fn changed(api: &GrpcState, queue: &str, change: &QueueChange) -> Result<proto::QueueInfo, RpcError> {
    let queue = name(queue)?;
    api.store().change_queue(&queue, change).await?;
    Ok(info(&api.store().queue(queue).await?))
}

fn name(queue: &str) -> Result<QueueName, RpcError> {
    time::name("queue", queue)
}

fn info(stats: &QueueStats) -> proto::QueueInfo {
    proto::QueueInfo {
        name: stats.name.to_string(),
        paused: stats.paused,
        available_count: count(stats, JobState::Available),
        created_at: stats.created_at.map(time::message),
    }
}

fn statistics(stats: &QueueStats, recent: &Recent) -> proto::QueueStatistics {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    proto::QueueStatistics {
        available: count(stats, JobState::Available),
        active: count(stats, JobState::Active),
        scheduled: count(stats, JobState::Scheduled),
        retryable: count(stats, JobState::Retryable),
        dead: whole(stats.dead),
        completed_last_hour: whole(recent.completed),
        failed_last_hour: whole(recent.failed),
        avg_duration_ms: recent.avg_duration_ms,
        avg_wait_ms: recent.avg_wait_ms,
        throughput_per_second: recent.throughput_per_second,
        paused: stats.paused,
    }
}

fn count(stats: &QueueStats, state: JobState) -> i64 {
    i64::try_from(stats.count(state)).unwrap_or(i64::MAX)
}
