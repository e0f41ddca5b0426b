//! Which endpoint is asked, and how (RFC 7662 §2.1)?

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{StatusCode, Uri};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use crate::{
    clock::Clock,
    fetch::{FetchError, FetchErrorKind, FetchRequest, PostContent},
    introspection::{
        CALL_TIMEOUT,
        auth::ClientAuth,
        introspector::{Introspected, IntrospectionFuture, Introspector, Question},
        response,
        userinfo::Userinfo,
    },
    keys::discovery::{Metadata, REDISCOVER, UrlPolicy, uri},
};

/// An answer is one token's claims: real ones are below 16 KiB.
pub(crate) const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Where an issuer is asked about tokens, and as whom. [The guide](crate::guide::opaque_tokens) has the whole of it.
///
/// ```
/// use bearergate::{AskAbout, ClientAuth, IntrospectionEndpoint, Issuer};
///
/// let auth = ClientAuth::basic("orders-api", "a secret from the environment");
/// // JWTs by their keys, opaque tokens by asking; both found through the issuer's metadata.
/// let login = Issuer::discover("https://login.example.com")
///     .introspection(IntrospectionEndpoint::discover(auth), AskAbout::OpaqueTokens);
/// # let _ = login;
/// ```
#[derive(Clone)]
#[must_use = "an endpoint is asked only when an issuer has it"]
pub struct IntrospectionEndpoint {
    pub(crate) whom: Whom,
    pub(crate) hint: bool,
    pub(crate) signed: bool,
}

#[derive(Clone)]
pub(crate) enum Whom {
    At(String, ClientAuth),
    Discovered(ClientAuth),
    Introspector(Arc<dyn Introspector>),
    Userinfo(Box<Userinfo>),
}

impl IntrospectionEndpoint {
    fn new(whom: Whom) -> Self {
        Self { whom, hint: true, signed: false }
    }

    /// The endpoint with this URL.
    pub fn at(url: impl Into<String>, auth: ClientAuth) -> Self {
        Self::new(Whom::At(url.into(), auth))
    }

    /// The endpoint that the issuer's metadata names as `introspection_endpoint` (RFC 8414 §2). The metadata is read with the
    /// first question, and again after 12 h or when the endpoint is gone.
    pub fn discover(auth: ClientAuth) -> Self {
        Self::new(Whom::Discovered(auth))
    }

    /// Somebody who is asked in another way than by RFC 7662.
    pub fn of(introspector: impl Introspector) -> Self {
        Self::new(Whom::Introspector(Arc::new(introspector)))
    }

    /// Sends no `token_type_hint` (RFC 7662 §2.1): for endpoints that refuse parameters they do not know. **Default:**
    /// `access_token` is sent.
    pub fn without_token_type_hint(mut self) -> Self {
        self.hint = false;
        self
    }

    /// Asks for answers that the issuer signs, and takes no others (RFC 9701): the issuer needs keys, `typ` must be
    /// `token-introspection+jwt`, `iss` the issuer, `aud` our client identifier or an audience of the issuer's entry, and
    /// `iat` now. **Default:** plain answers, which TLS vouches for.
    pub fn signed_answers(mut self) -> Self {
        self.signed = true;
        self
    }
}

/// So that an entry that did not change is known as such.
impl PartialEq for IntrospectionEndpoint {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.whom, &other.whom) {
            (Whom::At(url, auth), Whom::At(other_url, other_auth)) => url == other_url && auth == other_auth,
            (Whom::Discovered(auth), Whom::Discovered(other_auth)) => auth == other_auth,
            (Whom::Introspector(one), Whom::Introspector(other)) => Arc::ptr_eq(one, other),
            (Whom::Userinfo(one), Whom::Userinfo(other)) => one == other,
            (Whom::At(..) | Whom::Discovered(_) | Whom::Introspector(_) | Whom::Userinfo(_), _) => false,
        };
        same && (self.hint, self.signed) == (other.hint, other.signed)
    }
}

impl Eq for IntrospectionEndpoint {}

/// A query of the URL may hold what does not belong into a log.
impl fmt::Debug for IntrospectionEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("IntrospectionEndpoint");
        match &self.whom {
            Whom::At(_, auth) => debug.field("at", auth),
            Whom::Discovered(auth) => debug.field("discovered", auth),
            Whom::Introspector(introspector) => debug.field("introspector", introspector),
            Whom::Userinfo(userinfo) => debug.field("userinfo", userinfo),
        };
        debug.field("signed", &self.signed).finish_non_exhaustive()
    }
}

/// Reads an answer that the issuer has signed, and gives back the claims object in it.
pub(crate) trait ReadSigned: fmt::Debug + Send + Sync {
    fn read(&self, answer: Vec<u8>) -> Pin<Box<dyn Future<Output = Result<String, FetchError>> + Send + '_>>;
}

/// An introspection endpoint by RFC 7662.
#[derive(Debug)]
pub(crate) struct Rfc7662 {
    pub(crate) place: Place,
    pub(crate) auth: ClientAuth,
    pub(crate) hint: bool,
    pub(crate) signed: Option<Box<dyn ReadSigned>>,
}

/// Where the endpoint is.
pub(crate) enum Place {
    At(Uri),
    InMetadata(InMetadata),
}

/// What the metadata says, once it was read.
pub(crate) struct InMetadata {
    url: Url,
    urls: UrlPolicy,
    clock: Arc<dyn Clock>,
    /// Held while it is read: whoever needs it waits, within its own deadline.
    found: Mutex<Option<Found>>,
}

/// The place that the metadata named last.
struct Found {
    url: Uri,
    read_at: Duration,
    read_again_at: Duration,
}

impl Introspector for Rfc7662 {
    fn introspect(&self, question: Question) -> IntrospectionFuture<'_> {
        Box::pin(async move { self.ask(&question).await.unwrap_or_else(Introspected::Unavailable) })
    }
}

impl Rfc7662 {
    async fn ask(&self, question: &Question) -> Result<Introspected, FetchError> {
        let url = self.place.find(question).await?;
        let request = self.request(url.clone(), question)?;
        let response = question.fetch(request).await;
        if let Ok(response) = &response {
            self.place.answered(&url, response.status).await;
        }
        Ok(match (response, &self.signed) {
            (Ok(response), None) => response::plain(response),
            (Ok(response), Some(reader)) => match response::signed(response) {
                Ok(answer) => match reader.read(answer).await {
                    Ok(claims) => response::verdict(claims),
                    Err(error) => Introspected::Malformed(error),
                },
                Err(said) => said,
            },
            (Err(error), _) => response::failed(error),
        })
    }

    /// The token stands in the form alone, never in the URL; whatever octets it has, they arrive.
    fn request(&self, url: Uri, question: &Question) -> Result<FetchRequest, FetchError> {
        let credentials = self.auth.credentials(question.issuer(), question.now())?;
        let mut content = String::from("token=");
        content.extend(form_urlencoded::byte_serialize(question.token()));
        if self.hint {
            content.push_str("&token_type_hint=access_token");
        }
        for (name, value) in &credentials.parameters {
            content.push('&');
            content.push_str(name);
            content.push('=');
            content.extend(form_urlencoded::byte_serialize(value.expose_secret().as_bytes()));
        }
        let accept = if self.signed.is_some() { response::SIGNED } else { "application/json" };
        Ok(FetchRequest::get(url, accept, MAX_ANSWER_BYTES)
            .authorized(credentials.authorization)
            .posting(PostContent::form(content)))
    }
}

impl Place {
    pub(crate) fn in_metadata(url: Url, urls: UrlPolicy, clock: Arc<dyn Clock>) -> Self {
        Self::InMetadata(InMetadata { url, urls, clock, found: Mutex::default() })
    }

    async fn find(&self, question: &Question) -> Result<Uri, FetchError> {
        let place = match self {
            Self::At(url) => return Ok(url.clone()),
            Self::InMetadata(place) => place,
        };
        let mut found = place.found.lock().await;
        let now = place.clock.monotonic();
        if let Some(found) = &*found
            && now < found.read_again_at
        {
            return Ok(found.url.clone());
        }
        let metadata = Metadata { url: &place.url, issuer: question.issuer(), urls: place.urls };
        let look = metadata.endpoint(&**question.client(), "introspection_endpoint", false);
        // A place that is known must not be missed because its metadata hangs.
        let limit = if found.is_some() { LOOK_ELSEWHERE } else { CALL_TIMEOUT };
        let url =
            tokio::time::timeout(limit, look).await.unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into()));
        match (url.and_then(|url| uri(&url)), &mut *found) {
            (Ok(url), _) => {
                let read_again_at = now.saturating_add(REDISCOVER);
                *found = Some(Found { url: url.clone(), read_at: now, read_again_at });
                Ok(url)
            }
            // Metadata that cannot be read says nothing against the place that it named before, and is left alone for a while.
            (Err(error), Some(known)) if error.kind() != FetchErrorKind::IssuerDiffers => {
                (known.read_at, known.read_again_at) = (now, now.saturating_add(READ_AGAIN));
                Ok(known.url.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// An endpoint that is gone may have moved: its metadata is read again with the next question, at most once a minute.
    async fn answered(&self, url: &Uri, status: StatusCode) {
        if let Self::InMetadata(place) = self
            && matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
            && let Some(found) = &mut *place.found.lock().await
            && found.url == *url
        {
            found.read_again_at = found.read_again_at.min(found.read_at.saturating_add(READ_AGAIN));
        }
    }
}

/// Of the time of one question, what metadata may take where a place is known already.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(1);

/// Between two looks at metadata that cannot be read, or that names a place where nothing is.
const READ_AGAIN: Duration = Duration::from_secs(60);

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::At(_) => "At",
            Self::InMetadata(_) => "InMetadata",
        })
    }
}
