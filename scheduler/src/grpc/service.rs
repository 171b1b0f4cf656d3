//! The service `ojs.v1.OJSService`: each call handed to its resource.

use std::pin::Pin;

use futures::Stream;
use tonic::{Request, Response, Status};

use super::error::RpcError;
use super::metadata::{presented, trace};
use super::proto::ojs_service_server::OjsService;
use super::proto::{self, *};
use super::request_id::RequestId;
use super::{GrpcState, cron, dead_letter, event, heartbeat, job, job_stream, queue, system, worker, workflow};

/// The service over the use cases.
pub(super) struct Service(GrpcState);

impl Service {
    pub(super) fn new(api: GrpcState) -> Self {
        Self(api)
    }
}

type Answer<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn answer<T>(answered: Result<T, RpcError>) -> Answer<T> {
    Ok(Response::new(answered?))
}

/// The id that the gate gave the call.
fn id<T>(request: &Request<T>) -> RequestId {
    request.extensions().get().cloned().unwrap_or_else(|| RequestId(String::new()))
}

#[tonic::async_trait]
impl OjsService for Service {
    type StreamJobsStream = Streamed<proto::Job>;
    type StreamEventsStream = Streamed<proto::Event>;

    async fn manifest(&self, _: Request<ManifestRequest>) -> Answer<ManifestResponse> {
        answer(Ok(system::manifest()))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Answer<HealthResponse> {
        answer(system::health(&self.0).await)
    }

    async fn enqueue(&self, request: Request<EnqueueRequest>) -> Answer<EnqueueResponse> {
        answer(job::enqueue(&self.0, &trace(request.metadata()), request.into_inner()).await)
    }

    async fn enqueue_batch(&self, request: Request<EnqueueBatchRequest>) -> Answer<EnqueueBatchResponse> {
        answer(job::enqueue_batch(&self.0, &trace(request.metadata()), request.into_inner()).await)
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Answer<GetJobResponse> {
        answer(job::get(&self.0, request.get_ref()).await)
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        answer(job::cancel(&self.0, request.get_ref()).await)
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Answer<FetchResponse> {
        answer(worker::fetch(&self.0, request.get_ref()).await)
    }

    async fn ack(&self, request: Request<AckRequest>) -> Answer<AckResponse> {
        let presented = presented(request.metadata())?;
        answer(worker::ack(&self.0, &presented, request.into_inner()).await)
    }

    async fn nack(&self, request: Request<NackRequest>) -> Answer<NackResponse> {
        let presented = presented(request.metadata())?;
        answer(worker::nack(&self.0, &presented, request.into_inner()).await)
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Answer<HeartbeatResponse> {
        let (metadata, beat) = heartbeat::beat(&self.0, request.get_ref()).await?;
        Ok(Response::from_parts(metadata, beat, tonic::Extensions::default()))
    }

    async fn stream_jobs(&self, request: Request<StreamJobsRequest>) -> Answer<Self::StreamJobsStream> {
        let jobs = job_stream::stream(&self.0, id(&request), request.get_ref())?;
        Ok(Response::new(Box::pin(jobs)))
    }

    async fn list_queues(&self, _: Request<ListQueuesRequest>) -> Answer<ListQueuesResponse> {
        answer(queue::list(&self.0).await)
    }

    async fn queue_stats(&self, request: Request<QueueStatsRequest>) -> Answer<QueueStatsResponse> {
        answer(queue::stats(&self.0, request.get_ref()).await)
    }

    async fn pause_queue(&self, request: Request<PauseQueueRequest>) -> Answer<PauseQueueResponse> {
        answer(queue::pause(&self.0, request.get_ref()).await)
    }

    async fn resume_queue(&self, request: Request<ResumeQueueRequest>) -> Answer<ResumeQueueResponse> {
        answer(queue::resume(&self.0, request.get_ref()).await)
    }

    async fn list_dead_letter(&self, request: Request<ListDeadLetterRequest>) -> Answer<ListDeadLetterResponse> {
        answer(dead_letter::list(&self.0, request.get_ref()).await)
    }

    async fn retry_dead_letter(&self, request: Request<RetryDeadLetterRequest>) -> Answer<RetryDeadLetterResponse> {
        answer(dead_letter::retry(&self.0, request.get_ref()).await)
    }

    async fn delete_dead_letter(&self, request: Request<DeleteDeadLetterRequest>) -> Answer<DeleteDeadLetterResponse> {
        answer(dead_letter::delete(&self.0, request.get_ref()).await)
    }

    async fn register_cron(&self, request: Request<RegisterCronRequest>) -> Answer<RegisterCronResponse> {
        answer(cron::register(&self.0, request.into_inner()).await)
    }

    async fn unregister_cron(&self, request: Request<UnregisterCronRequest>) -> Answer<UnregisterCronResponse> {
        answer(cron::unregister(&self.0, request.get_ref()).await)
    }

    async fn list_cron(&self, _: Request<ListCronRequest>) -> Answer<ListCronResponse> {
        answer(cron::list(&self.0).await)
    }

    async fn create_workflow(&self, request: Request<CreateWorkflowRequest>) -> Answer<CreateWorkflowResponse> {
        answer(workflow::create(&self.0, request.into_inner()).await)
    }

    async fn get_workflow(&self, request: Request<GetWorkflowRequest>) -> Answer<GetWorkflowResponse> {
        answer(workflow::get(&self.0, request.get_ref()).await)
    }

    async fn cancel_workflow(&self, request: Request<CancelWorkflowRequest>) -> Answer<CancelWorkflowResponse> {
        answer(workflow::cancel(&self.0, request.get_ref()).await)
    }

    async fn stream_events(&self, request: Request<StreamEventsRequest>) -> Answer<Self::StreamEventsStream> {
        let (api, id) = (&self.0, id(&request));
        let events = event::stream(api, id, request.into_inner()).await?;
        Ok(Response::new(Box::pin(events)))
    }
}
