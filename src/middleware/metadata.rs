//! What does this resource server say about itself? Protected resource metadata (RFC 9728).

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use tower::Service;

/// Serves the metadata document (RFC 9728 §3.2) to GET and HEAD. Made by
/// [`ResourceServer::metadata_service`](crate::ResourceServer::metadata_service).
#[derive(Clone)]
pub struct MetadataService {
    document: Arc<dyn Fn() -> String + Send + Sync>,
}

impl MetadataService {
    /// Asks for the document with each request: the trusted issuers may change.
    pub(crate) fn new(document: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { document: Arc::new(document) }
    }

    fn answer(&self, method: &Method) -> Response<String> {
        let mut response = Response::new(String::new());
        let headers = response.headers_mut();
        match *method {
            Method::GET | Method::HEAD => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
                if method == Method::GET {
                    *response.body_mut() = (self.document)();
                }
            }
            _ => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            }
        }
        response
    }
}

impl<B> Service<Request<B>> for MetadataService {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method())))
    }
}

impl fmt::Debug for MetadataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataService").finish_non_exhaustive()
    }
}
