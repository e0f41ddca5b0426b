//! How is a provider asked that has no RFC 7662, but tells whose token it is?

use std::fmt;

use http::{HeaderValue, StatusCode, Uri};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::{
    fetch::{FetchError, FetchErrorKind, FetchRequest, FetchResponse, PostContent},
    introspection::{
        auth::ClientAuth,
        endpoint::{IntrospectionEndpoint, MAX_ANSWER_BYTES, Whom},
        introspector::{Introspected, IntrospectionFuture, Introspector, Question},
    },
    policy::OmittableClaim,
    token::json::{Nested, scan_object},
};

/// A provider's endpoint that says whose token it is, and for which client it was issued.
///
/// A userinfo endpoint answers for *every* token of its provider: a user who logs in at any other application hands that one a
/// token with which it can come here. So the proof that a token was issued for us is an argument, and a token of another
/// client is refused with 401. A provider whose answer does not tell the client is asked by the endpoint that does.
///
/// The subject is read by a JSON pointer (RFC 6901). The claims that a handler gets are `sub`, `client_id`, where asked for
/// `scope` and `exp`, and the provider's whole answer as `userinfo`.
///
/// ```
/// use bearergate::{BoundTo, ClientAuth, Issuer, Userinfo};
///
/// // Discord: the token opens `/oauth2/@me`, which names the application that it was issued to.
/// let discord = Issuer::introspect_by(
///     "https://discord.com",
///     Userinfo::new("https://discord.com/api/oauth2/@me", "/user/id", BoundTo::pointer("/application/id", ["1029"]))
///         .scopes("/scopes"),
/// );
///
/// // GitHub: `/user` does not tell the client, so we ask as the application itself.
/// let (client_id, secret) = ("Iv1.8a61f9b3a7aba766", "a secret from the environment");
/// let github = Issuer::introspect_by(
///     "https://github.com",
///     Userinfo::new(
///         format!("https://api.github.com/applications/{client_id}/token"),
///         "/user/id",
///         BoundTo::pointer("/app/client_id", [client_id]),
///     )
///     .post_json("access_token", ClientAuth::basic(client_id, secret))
///     .scopes("/scopes"),
/// );
///
/// // Google: the token in a form, `aud` is the client.
/// let google = Issuer::introspect_by(
///     "https://accounts.google.com",
///     Userinfo::new("https://oauth2.googleapis.com/tokeninfo", "/sub", BoundTo::pointer("/aud", ["our-client"]))
///         .post_form("access_token")
///         .scopes("/scope")
///         .expires_at("/exp"),
/// );
/// # let _ = (discord, github, google);
/// ```
#[derive(Clone, Eq, PartialEq)]
#[must_use = "a provider is asked only when an issuer has it"]
pub struct Userinfo {
    pub(crate) endpoint: String,
    subject: String,
    bound_to: Option<BoundTo>,
    way: Way,
    scopes: Option<String>,
    expires_at: Option<String>,
    inactive: Option<Vec<StatusCode>>,
}

/// How the token is presented to the provider.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Way {
    Bearer,
    Form(String),
    Json(String, ClientAuth),
}

/// The proof that a token was issued for us: a place in the provider's answer, and what must stand there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BoundTo {
    pointer: String,
    clients: Vec<String>,
}

impl BoundTo {
    /// What the JSON pointer (RFC 6901) leads to must be one of these, octet for octet: a string, a whole number, or an array
    /// that holds one.
    pub fn pointer<C: Into<String>>(
        pointer: impl Into<String>,
        clients: impl IntoIterator<Item = C>,
    ) -> Self {
        Self { pointer: pointer.into(), clients: clients.into_iter().map(Into::into).collect() }
    }

    /// The one of our clients that the answer names.
    fn find(&self, answer: &Value) -> Option<&str> {
        let named = |value: &Value, client: &str| text(value).is_some_and(|text| text == client);
        let value = answer.pointer(&self.pointer)?;
        let found = self.clients.iter().find(|client| match value {
            Value::Array(elements) => elements.iter().any(|element| named(element, client)),
            value => named(value, client),
        });
        found.map(String::as_str)
    }
}

impl Userinfo {
    /// Asks this endpoint with the token as its bearer token (RFC 6750 §2.1). `subject` is a JSON pointer to who the token
    /// speaks for, a string or a whole number; a token without one is refused with 401.
    pub fn new(endpoint: impl Into<String>, subject: impl Into<String>, bound_to: BoundTo) -> Self {
        Self::with(endpoint.into(), subject.into(), Some(bound_to))
    }

    /// Opens the way without the proof that a token was issued for us.
    pub fn dangerous(endpoint: impl Into<String>, subject: impl Into<String>) -> DangerousUserinfo {
        DangerousUserinfo(Self::with(endpoint.into(), subject.into(), None))
    }

    fn with(endpoint: String, subject: String, bound_to: Option<BoundTo>) -> Self {
        Self { endpoint, subject, bound_to, way: Way::Bearer, scopes: None, expires_at: None, inactive: None }
    }

    /// Sends the token in a form, as this parameter. **Default:** the token is the bearer token of a GET request.
    pub fn post_form(mut self, parameter: impl Into<String>) -> Self {
        self.way = Way::Form(parameter.into());
        self
    }

    /// Sends the token in a JSON object, as this member, with credentials of ours. **Default:** the token is the bearer token
    /// of a GET request.
    pub fn post_json(mut self, member: impl Into<String>, auth: ClientAuth) -> Self {
        self.way = Way::Json(member.into(), auth);
        self
    }

    /// Reads the scopes here: a string of words with spaces between, or an array. **Default:** tokens have none.
    pub fn scopes(mut self, pointer: impl Into<String>) -> Self {
        self.scopes = Some(pointer.into());
        self
    }

    /// Reads the expiry here, in seconds since 1970, as a number or as a string of digits. **Default:** the provider alone
    /// knows it, and an answer serves for the cache time.
    pub fn expires_at(mut self, pointer: impl Into<String>) -> Self {
        self.expires_at = Some(pointer.into());
        self
    }

    /// Takes these statuses for "the token is not good". **Default:** 401 where the token itself is the credential; 400 and
    /// 401 where it stands in a form; 404 where it stands in a JSON object.
    pub fn inactive_on(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.inactive = Some(statuses.into_iter().collect());
        self
    }

    /// The error says what to change.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let pointers = [Some(&self.subject), self.scopes.as_ref(), self.expires_at.as_ref()];
        let pointers =
            pointers.into_iter().flatten().chain(self.bound_to.as_ref().map(|bound| &bound.pointer));
        if pointers.into_iter().any(|pointer| !pointer.starts_with('/')) {
            return Err("a JSON pointer of its `Userinfo` does not begin with `/`: write it as `/user/id`");
        }
        if self.bound_to.as_ref().is_some_and(|bound| bound.clients.is_empty()) {
            return Err("`BoundTo::pointer(..)` names no client: give your own client identifier");
        }
        match &self.way {
            Way::Json(_, auth) if !auth.fits_in_a_field() => Err(
                "`.post_json(..)` sends credentials in the `Authorization` field alone: use `ClientAuth::basic(..)`, `bearer(..)` or `none()`",
            ),
            Way::Json(_, auth) => auth.check(),
            Way::Bearer | Way::Form(_) => Ok(()),
        }
    }

    /// What asks by it; `url` was checked.
    pub(crate) fn asking(self, url: Uri) -> impl Introspector {
        Asking { url, userinfo: self }
    }

    fn is_inactive(&self, status: StatusCode) -> bool {
        match (&self.inactive, &self.way) {
            (Some(statuses), _) => statuses.contains(&status),
            (None, Way::Bearer) => status == StatusCode::UNAUTHORIZED,
            (None, Way::Form(_)) => matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED),
            (None, Way::Json(..)) => status == StatusCode::NOT_FOUND,
        }
    }

    fn read(&self, response: FetchResponse) -> Introspected {
        let status = response.status;
        let error = || FetchErrorKind::Status(status).into();
        match status {
            StatusCode::OK if response.body.len() > MAX_ANSWER_BYTES => {
                Introspected::Malformed(FetchErrorKind::TooLarge.into())
            }
            StatusCode::OK => self.claims(response.body),
            _ if self.is_inactive(status) => Introspected::Inactive,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if matches!(self.way, Way::Json(..)) => {
                Introspected::CredentialsRefused(error())
            }
            StatusCode::TOO_MANY_REQUESTS => Introspected::Unavailable(error()),
            _ if status.is_server_error() => Introspected::Unavailable(error()),
            StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::URI_TOO_LONG
            | StatusCode::UNPROCESSABLE_ENTITY => Introspected::TokenRefused(error()),
            _ => Introspected::Unexpected(error()),
        }
    }

    fn claims(&self, body: Vec<u8>) -> Introspected {
        let malformed = |why: &'static str| {
            Introspected::Malformed(FetchError::new(FetchErrorKind::InvalidDocument, why))
        };
        let Ok(text) = String::from_utf8(body) else { return malformed("it is not UTF-8") };
        if scan_object(&text, Nested::Unique, |_, _| ()).is_err() {
            return malformed("it is not one strict JSON object");
        }
        let Ok(answer) = serde_json::from_str::<Value>(&text) else {
            return malformed("it holds a number that no program reads");
        };
        let mut claims = Map::new();
        if let Some(bound_to) = &self.bound_to {
            let Some(client) = bound_to.find(&answer) else { return Introspected::NotForUs };
            claims.insert("client_id".into(), client.into());
        }
        // What is no text is no subject: the policy refuses it.
        let subject = answer.pointer(&self.subject).and_then(self::text);
        claims.insert("sub".into(), subject.map_or(Value::Null, Value::from));
        if let Some(scopes) = self.scopes.as_ref().and_then(|pointer| answer.pointer(pointer)) {
            claims.insert("scope".into(), scopes.clone());
        }
        if let Some(end) = self.expires_at.as_ref().and_then(|pointer| answer.pointer(pointer)) {
            let seconds = self::text(end).and_then(|seconds| seconds.parse::<i64>().ok());
            claims.insert("exp".into(), seconds.map_or(Value::Null, Value::from));
        }
        claims.insert("userinfo".into(), answer);
        Introspected::active(Value::Object(claims).to_string())
    }
}

/// A query of the URL may hold what does not belong into a log.
impl fmt::Debug for Userinfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Userinfo")
            .field("subject", &self.subject)
            .field("bound_to", &self.bound_to)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl From<Userinfo> for IntrospectionEndpoint {
    fn from(userinfo: Userinfo) -> Self {
        Self { whom: Whom::Userinfo(Box::new(userinfo)), hint: true, signed: false }
    }
}

/// Settings that give up the proof that a token was issued for us. Made by [`Userinfo::dangerous`].
#[derive(Clone, Debug)]
#[must_use = "a setting does nothing until an issuer has it"]
pub struct DangerousUserinfo(Userinfo);

impl DangerousUserinfo {
    /// Takes every token of the provider. Any application that a user has ever logged in at can then come here as that user.
    pub fn accept_tokens_of_any_client(self) -> Userinfo {
        self.0
    }
}

struct Asking {
    url: Uri,
    userinfo: Userinfo,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.userinfo.fmt(f)
    }
}

impl Introspector for Asking {
    fn introspect(&self, question: Question) -> IntrospectionFuture<'_> {
        Box::pin(async move {
            let request = match self.request(&question) {
                Ok(request) => request,
                Err(said) => return said,
            };
            match question.fetch(request).await {
                Ok(response) => self.userinfo.read(response),
                Err(error) if error.kind() == FetchErrorKind::TooLarge => Introspected::Malformed(error),
                Err(error) => Introspected::Unavailable(error),
            }
        })
    }

    /// The proof took the place of `aud`, and the endpoint knows the tokens of its provider alone.
    fn proves(&self) -> &[OmittableClaim] {
        &[OmittableClaim::Audience, OmittableClaim::Issuer]
    }
}

impl Asking {
    fn request(&self, question: &Question) -> Result<FetchRequest, Introspected> {
        let request = FetchRequest::get(self.url.clone(), "application/json", MAX_ANSWER_BYTES);
        // What is no ASCII text is no token of theirs, and does not fit their request.
        let token = std::str::from_utf8(question.token()).ok().filter(|token| token.bytes().all(is_graphic));
        let token = token.ok_or(Introspected::Inactive)?;
        Ok(match &self.userinfo.way {
            Way::Bearer => {
                let field = HeaderValue::try_from(format!("Bearer {token}"));
                request.authorized(Some(field.map_err(|_| Introspected::Inactive)?))
            }
            Way::Form(parameter) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                request.posting(PostContent::form(form.append_pair(parameter, token).finish()))
            }
            Way::Json(member, auth) => {
                let credentials =
                    auth.credentials(question.issuer(), question.now()).map_err(Introspected::Unavailable)?;
                let content = json!({ member: token }).to_string();
                request.authorized(credentials.authorization).posting(PostContent::json(content))
            }
        })
    }
}

fn is_graphic(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// A string, or a whole number as its digits.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}
