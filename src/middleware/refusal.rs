//! A refusal, ready to be sent by any framework.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    error::{AuthError, ErrorCode},
    middleware::{
        body::{self, Rendered},
        challenge::Responder,
        grpc::Protocol,
        rejection::{Challenge, answer},
    },
    token::requirement::Requirement,
};

/// A request that was not let in: status and header fields of the answer, and the [`AuthError`] behind it.
///
/// Where it [answers in gRPC](Self::in_reply_to), it is 200 without content, with the same fields and the status of gRPC.
///
/// Nothing in it comes from the token. It is what the extractors reject with, and what a service without axum gets from
/// [`ResourceServer::refuse`](crate::ResourceServer::refuse). [The guide](crate::guide::errors) says what clients should do.
#[derive(Clone)]
pub struct Refusal {
    error: AuthError,
    /// Boxed: a refusal travels by value, and few have one.
    requirement: Option<Box<Requirement>>,
    responder: Option<Arc<Responder>>,
    with_body: bool,
    protocol: Protocol,
}

impl Refusal {
    pub(crate) fn new(error: impl Into<AuthError>, responder: Arc<Responder>) -> Self {
        let with_body = responder.renderer.is_some();
        Self {
            error: error.into(),
            requirement: None,
            responder: Some(responder),
            with_body,
            protocol: Protocol::Http,
        }
    }

    /// A refusal for what no layer stands behind.
    pub(crate) fn unwired(error: AuthError) -> Self {
        Self { error, requirement: None, responder: None, with_body: false, protocol: Protocol::Http }
    }

    pub(crate) fn of(mut self, requirement: Requirement) -> Self {
        self.requirement = Some(Box::new(requirement));
        self
    }

    /// Puts the refusal as the request asks that it answers: in gRPC, if it is a call of gRPC. Behind a layer with
    /// [`grpc`](crate::BearerAuthLayer::grpc) this is done, which says where it must not be. **Default:** HTTP.
    #[must_use]
    pub fn in_reply_to(mut self, method: &Method, headers: &HeaderMap) -> Self {
        self.protocol = Protocol::of(method, headers);
        self
    }

    /// Sets whether the extractors answer with a body: as their layer does.
    pub(crate) fn like_layer(mut self, with_body: bool) -> Self {
        self.with_body |= with_body;
        self
    }

    /// Why.
    pub fn error(&self) -> &AuthError {
        &self.error
    }

    /// The status code of the answer in HTTP.
    pub fn status(&self) -> StatusCode {
        answer(self.error.kind()).status
    }

    /// The `error` value of the challenge; `None` where the challenge has none, or is not sent.
    pub fn error_code(&self) -> Option<ErrorCode> {
        match answer(self.error.kind()).challenge {
            Challenge::Error(code) => Some(code),
            Challenge::Absent | Challenge::Plain => None,
        }
    }

    /// The gRPC status code of the same meaning.
    pub fn grpc_code(&self) -> i32 {
        answer(self.error.kind()).grpc
    }

    /// The header fields of the answer: `WWW-Authenticate` where a token could help, `Retry-After` with 503, and
    /// `Cache-Control: no-store`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let answer = answer(self.error.kind());
        let challenge = self.responder.as_ref().and_then(|responder| {
            responder.challenge(self.error.kind(), answer.challenge, self.requirement.as_deref())
        });
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, retry_after(self.error.retry_after()).into());
        }
        headers
    }

    /// The body that the server renders: problem details (RFC 9457), unless the builder was given a
    /// [renderer](crate::ResourceServerBuilder::render_refusals).
    pub fn render(&self) -> Rendered {
        let renderer = self.responder.as_ref().and_then(|responder| responder.renderer.as_ref());
        renderer.map_or_else(|| Rendered::problem(self), |renderer| renderer.render(self))
    }

    /// The answer, with the body that the server renders. In gRPC the body is empty.
    pub fn into_response_with_body<B: From<Vec<u8>>>(self) -> Response<B> {
        match self.protocol {
            Protocol::Http => body::response(&self, self.render()),
            Protocol::Grpc | Protocol::GrpcWeb | Protocol::GrpcWebText => {
                self.with_fields(B::from(Vec::new()))
            }
        }
    }

    /// Whether the extractors answer with a body.
    #[cfg(feature = "axum")]
    pub(crate) fn has_body(&self) -> bool {
        self.with_body
    }

    /// The answer, with an empty body.
    pub fn into_response<B: Default>(self) -> Response<B> {
        self.with_fields(B::default())
    }

    fn with_fields<B>(&self, body: B) -> Response<B> {
        let mut headers = self.headers();
        let is_grpc = self.protocol.add_status(&mut headers, self.grpc_code(), self.error.kind());
        let mut response = Response::new(body);
        *response.status_mut() = if is_grpc { StatusCode::OK } else { self.status() };
        *response.headers_mut() = headers;
        response
    }
}

/// Whole seconds, 1 to 30, and up to 2 more so that those who wait do not come back all at once (RFC 9110 §10.2.3).
fn retry_after(delay: Option<Duration>) -> u64 {
    let seconds = delay.map_or(1, |delay| delay.as_millis().div_ceil(1000).clamp(1, 30));
    u64::try_from(seconds).unwrap_or(30).saturating_add(fastrand::u64(0..=2))
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}
