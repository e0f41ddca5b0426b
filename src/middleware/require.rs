//! Does the verified token carry the rights that this route asks for?

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    clock::Clock,
    error::AuthErrorKind,
    middleware::{
        body::{NoBody, RefusalBody, WithBody},
        challenge::Responder,
        refusal::Refusal,
        request_auth::RequestAuth,
    },
    token::{claims::Core, requirement::Requirement},
};

/// Lets only requests pass whose token fulfils a [`Requirement`]. Stands behind the layer that verified the token. Made
/// by [`ResourceServer::require`](crate::ResourceServer::require).
pub struct RequireLayer<M = NoBody> {
    rule: Arc<Rule>,
    mode: PhantomData<fn() -> M>,
}

pub(crate) struct Rule {
    pub(crate) requirement: Requirement,
    pub(crate) server: Arc<Responder>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl RequireLayer {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule: Arc::new(rule), mode: PhantomData }
    }

    /// Sends refusals with a body, as [`BearerAuthLayer::with_body`](crate::BearerAuthLayer::with_body) does. **Default:** no body.
    #[must_use]
    pub fn with_body(self) -> RequireLayer<WithBody> {
        RequireLayer { rule: self.rule, mode: PhantomData }
    }
}

impl<M> Clone for RequireLayer<M> {
    fn clone(&self) -> Self {
        Self { rule: Arc::clone(&self.rule), mode: PhantomData }
    }
}

impl<S, M> Layer<S> for RequireLayer<M> {
    type Service = Require<S, M>;

    fn layer(&self, inner: S) -> Require<S, M> {
        Require { inner, rule: Arc::clone(&self.rule), mode: PhantomData }
    }
}

impl<M> fmt::Debug for RequireLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireLayer").field("requirement", &self.rule.requirement).finish_non_exhaustive()
    }
}

/// The service that [`RequireLayer`] makes.
pub struct Require<S, M = NoBody> {
    inner: S,
    rule: Arc<Rule>,
    mode: PhantomData<fn() -> M>,
}

impl<S: Clone, M> Clone for Require<S, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), rule: Arc::clone(&self.rule), mode: PhantomData }
    }
}

impl<S, M, ReqBody, ResBody> Service<Request<ReqBody>> for Require<S, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: RefusalBody<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RequireFuture<S::Future, M>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.rule.check(request.extensions()) {
            Ok(()) => {
                RequireFuture { state: State::Inner { future: self.inner.call(request) }, mode: PhantomData }
            }
            Err(refusal) => {
                self.rule.server.log.record(refusal.error());
                let refusal =
                    RequestAuth::put(refusal, request.extensions(), request.method(), request.headers());
                RequireFuture {
                    state: State::Rejected { refusal: Some(Box::new(refusal)) },
                    mode: PhantomData,
                }
            }
        }
    }
}

impl Rule {
    fn check(&self, extensions: &Extensions) -> Result<(), Refusal> {
        match RequestAuth::verified_of(extensions, &self.server) {
            Ok(core) => self.check_token(core),
            Err(refusal)
                if self.requirement.needs_no_token()
                    && refusal.error().kind() == AuthErrorKind::MissingToken =>
            {
                Ok(())
            }
            Err(refusal) => Err(refusal.of(self.requirement.clone())),
        }
    }

    pub(crate) fn check_token(&self, core: &Core) -> Result<(), Refusal> {
        let refuse = |kind| Refusal::new(kind, Arc::clone(&self.server)).of(self.requirement.clone());
        self.requirement.check(core, &self.server.hierarchy, self.clock.wall()).map_err(refuse)
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Require<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Require").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Require`].
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct RequireFuture<F, M = NoBody> {
        #[pin]
        state: State<F>,
        mode: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Inner { #[pin] future: F },
        Rejected { refusal: Option<Box<Refusal>> },
    }
}

impl<F, E, M, ResBody> Future for RequireFuture<F, M>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    M: RefusalBody<ResBody>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future } => future.poll(context),
            StateProjection::Rejected { refusal } => {
                let refusal = refusal.take().expect("RequireFuture polled after completion");
                Poll::Ready(Ok(M::respond(*refusal)))
            }
        }
    }
}
