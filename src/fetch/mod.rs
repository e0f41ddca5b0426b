//! How documents come from an authorization server, and within which limits.

pub(crate) mod client;
mod post;

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, Uri};

pub use self::post::PostContent;

/// A set of 256 RSA-4096 keys with certificates is about 400 KB.
pub(crate) const MAX_JWKS_BYTES: usize = 512 * 1024;

/// Metadata of real servers is 2–12 KB.
pub(crate) const MAX_METADATA_BYTES: usize = 256 * 1024;

/// A server on the same continent answers a connection attempt within milliseconds.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One attempt in all, discovery included.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Gets documents by HTTP. Implement it to bring your own HTTP client, or to test without a network.
///
/// The caller sets the deadline and drops the future when it passes. An implementation must not follow redirects, must
/// stop reading at [`max_bytes`](FetchRequest::max_bytes) octets after decoding, and gives back whatever status it got.
///
/// A request with [`post`](FetchRequest::post) is a POST request. One with that or with
/// [`authorization`](FetchRequest::authorization) carries a token, and must not be sent twice: an implementation says
/// [`FetchErrorKind::Connect`] only where the server cannot have seen it, because the caller then tries once more. One that
/// fetches keys alone may answer it with any error; then no token can be introspected.
///
/// ```
/// use bearergate::{Fetch, FetchErrorKind, FetchFuture, FetchRequest};
/// use http::{Request, header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE}};
///
/// #[derive(Debug)]
/// struct MyClient;
///
/// impl Fetch for MyClient {
///     fn fetch(&self, request: FetchRequest) -> FetchFuture {
///         let mut outgoing = Request::builder().uri(&request.url).header(ACCEPT, request.accept);
///         if let Some(credentials) = &request.authorization {
///             outgoing = outgoing.header(AUTHORIZATION, credentials);
///         }
///         let outgoing = match &request.post {
///             None => outgoing.body(String::new()),
///             Some(post) => outgoing
///                 .method("POST")
///                 .header(CONTENT_TYPE, post.content_type())
///                 .body(post.content().to_owned()),
///         };
///         // … and `if_none_match`, `no_cache`; then send it.
///         # let _ = outgoing;
///         # Box::pin(std::future::ready(Err(FetchErrorKind::Connect.into())))
///     }
/// }
/// ```
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// Starts one request: GET, or POST where it carries [content](FetchRequest::post).
    fn fetch(&self, request: FetchRequest) -> FetchFuture;
}

impl FetchRequest {
    /// A GET request for at most so many octets, without more.
    pub fn get(url: Uri, accept: &'static str, max_bytes: usize) -> Self {
        Self { url, accept, max_bytes, if_none_match: None, no_cache: false, authorization: None, post: None }
    }

    /// With this `Authorization` field, if it is one. It is marked as sensitive.
    #[must_use]
    pub fn authorized(mut self, authorization: Option<HeaderValue>) -> Self {
        self.authorization = authorization.map(|mut field| {
            field.set_sensitive(true);
            field
        });
        self
    }

    /// Whether it carries a token.
    pub(crate) fn is_question(&self) -> bool {
        self.post.is_some() || self.authorization.is_some()
    }

    /// A POST request with this content.
    #[must_use]
    pub fn posting(self, content: PostContent) -> Self {
        Self { post: Some(content), ..self }
    }
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest")
            .field("scheme", &self.url.scheme_str())
            .field("host", &self.url.host())
            .field("port", &self.url.port_u16())
            .field("path", &self.url.path())
            .field("is_post", &self.post.is_some())
            .finish_non_exhaustive()
    }
}

/// The answer to come.
pub type FetchFuture = Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>>;

/// A request for a document. `Debug` prints its URL without credentials and query, and nothing of what it sends.
#[derive(Clone)]
#[non_exhaustive]
pub struct FetchRequest {
    /// Where the document is.
    pub url: Uri,
    /// The `Accept` field to send.
    pub accept: &'static str,
    /// Where reading stops with [`FetchErrorKind::TooLarge`].
    pub max_bytes: usize,
    /// The `If-None-Match` field to send (RFC 9110 §13.1.2), if any: the entity tag of a document that is held already. The
    /// answer may then be 304 without content.
    pub if_none_match: Option<HeaderValue>,
    /// Whether to send `Cache-Control: no-cache` (RFC 9111 §5.2.1.4), so that no cache on the way answers by itself.
    pub no_cache: bool,
    /// The `Authorization` field to send, if any. It is marked as sensitive.
    pub authorization: Option<HeaderValue>,
    /// What makes it a POST request: the content to send. `None` for a GET request.
    pub post: Option<PostContent>,
}

/// A whole document; or word that the one that is held is still right, where one was named.
pub(crate) async fn whole(fetch: &dyn Fetch, request: FetchRequest) -> Result<FetchResponse, FetchError> {
    let (max_bytes, conditional) = (request.max_bytes, request.if_none_match.is_some());
    let response = fetch.fetch(request).await?;
    match response.status {
        StatusCode::OK => (),
        StatusCode::NOT_MODIFIED if conditional => (),
        status => return Err(FetchErrorKind::Status(status).into()),
    }
    if response.body.len() > max_bytes {
        return Err(FetchErrorKind::TooLarge.into());
    }
    Ok(response)
}

/// A document as it came. `Debug` prints nothing of its content, which may be somebody's claims.
#[derive(Clone)]
#[non_exhaustive]
pub struct FetchResponse {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The content, decoded.
    pub body: Vec<u8>,
}

impl FetchResponse {
    /// A response from its parts.
    pub fn new(status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }
}

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse")
            .field("status", &self.status)
            .field("octets", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a document could not be had, for who operates the service.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct FetchError {
    kind: FetchErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl FetchError {
    /// An error with the cause behind it. The cause's text must not hold credentials.
    pub fn new(kind: FetchErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What happened.
    pub fn kind(&self) -> FetchErrorKind {
        self.kind
    }
}

impl From<FetchErrorKind> for FetchError {
    fn from(kind: FetchErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// What went wrong with a fetch.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The task that fetched was stopped.
    #[error("the fetch was given up")]
    Aborted,
    /// Reading the answer failed.
    #[error("the answer broke off")]
    Body,
    /// No connection came about.
    #[error("no connection")]
    Connect,
    /// The credentials of this resource server cannot be had: their file or function fails.
    #[error("the credentials of this resource server cannot be had")]
    Credentials,
    /// The document is not what it should be.
    #[error("the document is not usable")]
    InvalidDocument,
    /// The metadata names another issuer than the configured one (RFC 8414 §3.3).
    #[error("the metadata names another issuer than the one that is configured")]
    IssuerDiffers,
    /// No runtime is there to fetch on.
    #[error("there is no tokio runtime with time and I/O enabled to fetch on")]
    NoRuntime,
    /// The set holds no key that may be used.
    #[error("the key set holds no usable key")]
    NoUsableKey,
    /// The status is not 200.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// The deadline passed.
    #[error("no complete answer within the time limit")]
    Timeout,
    /// The answer is larger than the limit.
    #[error("the answer is larger than the limit")]
    TooLarge,
    /// A URL in the metadata may not be fetched.
    #[error("the metadata names a URL that may not be fetched")]
    UnusableUrl,
}
