//! Does the application's own policy let this request pass?

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, request::Parts};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    error::AuthError,
    middleware::{
        body::{NoBody, RefusalBody, WithBody},
        challenge::Responder,
        refusal::Refusal,
        request_auth::RequestAuth,
    },
    token::{access_token::AccessToken, claims::Claims},
};

/// Lets only requests pass that a policy of the application permits. Stands behind the layer that verified the token. Made
/// by [`ResourceServer::authorize`](crate::ResourceServer::authorize).
pub struct AuthorizeLayer<P, C = Claims, M = NoBody> {
    policy: Arc<Policy<P>>,
    types: PhantomData<fn() -> (C, M)>,
}

struct Policy<P> {
    decide: P,
    server: Arc<Responder>,
}

impl<P, C> AuthorizeLayer<P, C> {
    pub(crate) fn new(decide: P, server: Arc<Responder>) -> Self {
        Self { policy: Arc::new(Policy { decide, server }), types: PhantomData }
    }

    /// Sends refusals with a body, as [`BearerAuthLayer::with_body`](crate::BearerAuthLayer::with_body) does. **Default:** no body.
    #[must_use]
    pub fn with_body(self) -> AuthorizeLayer<P, C, WithBody> {
        AuthorizeLayer { policy: self.policy, types: PhantomData }
    }
}

impl<P, C, M> Clone for AuthorizeLayer<P, C, M> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy), types: PhantomData }
    }
}

impl<S, P, C, M> Layer<S> for AuthorizeLayer<P, C, M> {
    type Service = Authorize<S, P, C, M>;

    fn layer(&self, inner: S) -> Authorize<S, P, C, M> {
        Authorize { inner, policy: Arc::clone(&self.policy), types: PhantomData }
    }
}

impl<P, C, M> fmt::Debug for AuthorizeLayer<P, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeLayer").finish_non_exhaustive()
    }
}

/// The service that [`AuthorizeLayer`] makes.
pub struct Authorize<S, P, C = Claims, M = NoBody> {
    inner: S,
    policy: Arc<Policy<P>>,
    types: PhantomData<fn() -> (C, M)>,
}

impl<S: Clone, P, C, M> Clone for Authorize<S, P, C, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), policy: Arc::clone(&self.policy), types: PhantomData }
    }
}

impl<S: fmt::Debug, P, C, M> fmt::Debug for Authorize<S, P, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorize").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, P, F, C, M, ReqBody, ResBody> Service<Request<ReqBody>> for Authorize<S, P, C, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    P: Fn(&AccessToken<C>, &Parts) -> F,
    F: Future<Output = Result<(), AuthError>>,
    C: Send + Sync + 'static,
    M: RefusalBody<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = AuthorizeFuture<S, F, ReqBody, M>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let server = &self.policy.server;
        let found = RequestAuth::verified_of(request.extensions(), server)
            .inspect_err(|refusal| server.log.record(refusal.error()))
            .and_then(|_| AccessToken::<C>::from_extensions(request.extensions()));
        let token = match found {
            Ok(token) => token,
            Err(refusal) => {
                let refusal =
                    RequestAuth::put(refusal, request.extensions(), request.method(), request.headers());
                let state = State::Rejected { refusal: Some(Box::new(refusal)) };
                return AuthorizeFuture { state, mode: PhantomData };
            }
        };
        let (parts, body) = request.into_parts();
        let decision = (self.policy.decide)(&token, &parts);
        let request = Request::from_parts(parts, body);
        let clone = self.inner.clone();
        let service = mem::replace(&mut self.inner, clone);
        let waiting = Waiting { request, service, is_ready: true, server: Arc::clone(server) };
        AuthorizeFuture {
            state: State::Deciding { decision, waiting: Some(Box::new(waiting)) },
            mode: PhantomData,
        }
    }
}

/// A request that is kept until the policy has decided, and the service that it is for.
struct Waiting<S, B> {
    request: Request<B>,
    service: S,
    /// It is the one that was polled ready.
    is_ready: bool,
    server: Arc<Responder>,
}

impl<S, B> Waiting<S, B> {
    fn refuse(&self, error: AuthError) -> Refusal {
        self.server.log.record(&error);
        let extensions = self.request.extensions();
        let refusal = match RequestAuth::of(extensions) {
            Ok(auth) => auth.refuse(error),
            Err(_) => Refusal::new(error, Arc::clone(&self.server)),
        };
        RequestAuth::put(refusal, extensions, self.request.method(), self.request.headers())
    }
}

pin_project! {
    /// The future of [`Authorize`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AuthorizeFuture<S, F, B, M = NoBody>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, F, B>,
        mode: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, B>
    where
        S: Service<Request<B>>,
    {
        Deciding { #[pin] decision: F, waiting: Option<Box<Waiting<S, B>>> },
        Admitted { waiting: Option<Box<Waiting<S, B>>> },
        Inner { #[pin] future: S::Future },
        Rejected { refusal: Option<Box<Refusal>> },
    }
}

impl<S, F, B, M, ResBody> Future for AuthorizeFuture<S, F, B, M>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    F: Future<Output = Result<(), AuthError>>,
    M: RefusalBody<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Deciding { decision, waiting: slot } => {
                    let Poll::Ready(decided) = decision.poll(context) else {
                        // A request that waits for a decision must not hold a place of the service: a clone is polled ready
                        // when it is there.
                        if let Some(waiting) = slot.as_mut().filter(|waiting| waiting.is_ready) {
                            waiting.service = waiting.service.clone();
                            waiting.is_ready = false;
                        }
                        return Poll::Pending;
                    };
                    let mut waiting = slot.take().expect("AuthorizeFuture polled after completion");
                    match decided {
                        Ok(()) if waiting.is_ready => {
                            State::Inner { future: waiting.service.call(waiting.request) }
                        }
                        Ok(()) => State::Admitted { waiting: Some(waiting) },
                        Err(error) => State::Rejected { refusal: Some(Box::new(waiting.refuse(error))) },
                    }
                }
                StateProjection::Admitted { waiting: slot } => {
                    let waiting = slot.as_mut().expect("AuthorizeFuture polled after completion");
                    ready!(waiting.service.poll_ready(context))?;
                    let mut waiting = slot.take().expect("AuthorizeFuture polled after completion");
                    State::Inner { future: waiting.service.call(waiting.request) }
                }
                StateProjection::Inner { future } => return future.poll(context),
                StateProjection::Rejected { refusal } => {
                    let refusal = refusal.take().expect("AuthorizeFuture polled after completion");
                    return Poll::Ready(Ok(M::respond(*refusal)));
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, F, B, M> fmt::Debug for AuthorizeFuture<S, F, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeFuture").finish_non_exhaustive()
    }
}
