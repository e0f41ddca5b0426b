//! The response to come: the inner one at once, or after a wait, or a refusal.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;
use tower::Service;

use crate::{
    middleware::{
        body::{NoBody, RefusalBody},
        layer::Gatekeeper,
        refusal::Refusal,
    },
    validate::Verdict,
};

pin_project! {
    /// The future of [`BearerAuth`](crate::BearerAuth).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, C, B, M = NoBody>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, C, B>,
        mode: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, C, B>
    where
        S: Service<Request<B>>,
    {
        Inner { #[pin] future: S::Future },
        // Boxed: it is rare, and would make every other future as large.
        Validating { verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>, waiting: Option<Box<Waiting<S, C, B>>> },
        Admitted { waiting: Option<Box<Waiting<S, C, B>>> },
        Rejected { refusal: Option<Box<Refusal>> },
    }
}

/// A request that is kept until its token is judged, and the service that it is for, which is not ready yet.
struct Waiting<S, C, B> {
    gate: Gatekeeper<C>,
    request: Request<B>,
    service: S,
}

impl<S: Service<Request<B>>, C, B, M> ResponseFuture<S, C, B, M> {
    pub(crate) fn inner(future: S::Future) -> Self {
        Self { state: State::Inner { future }, mode: PhantomData }
    }

    pub(crate) fn rejected(refusal: Refusal) -> Self {
        Self { state: State::Rejected { refusal: Some(Box::new(refusal)) }, mode: PhantomData }
    }

    pub(crate) fn validating(
        verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>,
        gate: Gatekeeper<C>,
        request: Request<B>,
        service: S,
    ) -> Self {
        Self {
            state: State::Validating { verdict, waiting: Some(Box::new(Waiting { gate, request, service })) },
            mode: PhantomData,
        }
    }
}

impl<S, C, B, M, ResBody> Future for ResponseFuture<S, C, B, M>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    C: DeserializeOwned + Send + Sync + 'static,
    M: RefusalBody<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => return future.poll(context),
                StateProjection::Rejected { refusal } => {
                    let refusal = refusal.take().expect("ResponseFuture polled after completion");
                    return Poll::Ready(Ok(M::respond(*refusal)));
                }
                StateProjection::Validating { verdict, waiting } => {
                    let verdict = ready!(verdict.as_mut().poll(context));
                    let mut waiting = waiting.take().expect("ResponseFuture polled after completion");
                    let Waiting { gate, request, .. } = &mut *waiting;
                    match gate.admit::<M, _>(verdict, request) {
                        Ok(()) => State::Admitted { waiting: Some(waiting) },
                        Err(refusal) => State::Rejected { refusal: Some(Box::new(refusal)) },
                    }
                }
                StateProjection::Admitted { waiting } => {
                    let service =
                        &mut waiting.as_mut().expect("ResponseFuture polled after completion").service;
                    ready!(service.poll_ready(context))?;
                    let Waiting { request, mut service, .. } =
                        *waiting.take().expect("ResponseFuture polled after completion");
                    State::Inner { future: service.call(request) }
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, C, B, M> fmt::Debug for ResponseFuture<S, C, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Inner { .. } => "Inner",
            State::Validating { .. } => "Validating",
            State::Admitted { .. } => "Admitted",
            State::Rejected { .. } => "Rejected",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
