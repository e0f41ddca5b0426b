//! What stands in the body of a refusal?

use std::{fmt, sync::Arc};

use http::{HeaderValue, Response, header::CONTENT_TYPE};
use serde_json::json;

use crate::middleware::refusal::Refusal;

/// The body of a refusal, and what it is.
#[derive(Clone, Debug)]
pub struct Rendered {
    content_type: HeaderValue,
    bytes: Vec<u8>,
}

impl Rendered {
    /// A body of this media type.
    pub fn new(content_type: HeaderValue, bytes: impl Into<Vec<u8>>) -> Self {
        Self { content_type, bytes: bytes.into() }
    }

    /// Problem details (RFC 9457 §3): `type`, `title`, `status`, `detail`, and `error` with the code of the challenge. All of
    /// it comes from a fixed set.
    pub fn problem(refusal: &Refusal) -> Self {
        let status = refusal.status();
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": refusal.error().kind().to_string(),
        });
        if let (Some(code), Some(members)) = (refusal.error_code(), problem.as_object_mut()) {
            members.insert("error".into(), code.as_str().into());
        }
        Self::new(HeaderValue::from_static("application/problem+json"), problem.to_string())
    }

    /// The media type.
    pub fn content_type(&self) -> &HeaderValue {
        &self.content_type
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Makes the body of a refusal.
#[derive(Clone)]
pub(crate) struct Renderer(Arc<dyn Fn(&Refusal) -> Rendered + Send + Sync>);

impl Renderer {
    pub(crate) fn new(render: impl Fn(&Refusal) -> Rendered + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    pub(crate) fn render(&self, refusal: &Refusal) -> Rendered {
        (self.0)(refusal)
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderer")
    }
}

/// How a layer sends refusals: [`NoBody`], which every body type with a default allows, or [`WithBody`]. Sealed.
pub trait RefusalBody<B>: RefusalMode {
    /// The whole answer.
    #[doc(hidden)]
    fn respond(refusal: Refusal) -> Response<B>;
}

/// The part of [`RefusalBody`] that knows no body type. Sealed.
pub trait RefusalMode: sealed::Sealed + Send + Sync + 'static {
    /// Whether refusals carry a body.
    #[doc(hidden)]
    const WITH_BODY: bool;
}

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals it")]
    pub trait Sealed {}
    impl Sealed for super::NoBody {}
    impl Sealed for super::WithBody {}
}

/// Refusals without a body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NoBody;

/// Refusals with the body that the server renders.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WithBody;

impl RefusalMode for NoBody {
    const WITH_BODY: bool = false;
}

impl RefusalMode for WithBody {
    const WITH_BODY: bool = true;
}

impl<B: Default> RefusalBody<B> for NoBody {
    fn respond(refusal: Refusal) -> Response<B> {
        refusal.into_response()
    }
}

impl<B: From<Vec<u8>>> RefusalBody<B> for WithBody {
    fn respond(refusal: Refusal) -> Response<B> {
        refusal.into_response_with_body()
    }
}

/// The answer of a refusal with this body.
pub(crate) fn response<B: From<Vec<u8>>>(refusal: &Refusal, rendered: Rendered) -> Response<B> {
    let mut response = Response::new(B::from(rendered.bytes));
    *response.status_mut() = refusal.status();
    *response.headers_mut() = refusal.headers();
    response.headers_mut().insert(CONTENT_TYPE, rendered.content_type);
    response
}
