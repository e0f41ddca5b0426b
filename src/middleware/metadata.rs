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
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
        CACHE_CONTROL, CONTENT_TYPE,
    },
};
use tower::Service;

/// Serves the metadata document (RFC 9728 §3.2) to GET and HEAD, and to web pages of any origin (CORS, Fetch standard): it is
/// public, and a client in a browser has to read it before it has a token. Made by
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
        let any = HeaderValue::from_static("*");
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
        match *method {
            Method::GET | Method::HEAD => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
                if method == Method::GET {
                    *response.body_mut() = (self.document)();
                }
            }
            // Clients of MCP send a field of their own, which a browser asks about first.
            Method::OPTIONS => {
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, any);
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
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
