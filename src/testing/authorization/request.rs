//! Is this an authorization request that a user may be asked about?

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY},
};
use serde_json::json;
use url::{Url, form_urlencoded};

use crate::testing::{
    authorization::pkce::Challenge,
    clients::Client,
    endpoints::json_response,
    form::{Form, Repeated},
    issuer::State,
};

/// One in which everything is right (RFC 6749 §4.1.1).
#[derive(Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) client_id: String,
    /// What it calls itself.
    pub(super) client_name: Option<String>,
    pub(super) way_back: WayBack,
    pub(super) asked: Asked,
}

/// What it asks for, which is read once there is a way back.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) challenge: Challenge,
    pub(super) resources: Vec<String>,
    pub(super) scope: String,
    /// For the ID token (OpenID Connect Core §3.1.2.1).
    pub(super) nonce: Option<String>,
    /// Whether the client lets the user be asked.
    pub(super) may_ask: bool,
    /// Whom the client takes them for, by subject (OpenID Connect Core §3.1.2.1, `login_hint`).
    pub(super) login_hint: Option<String>,
}

impl AuthorizationRequest {
    /// First who asks and where an answer may go: only then is there somebody to tell what is wrong with the rest.
    pub(super) fn read(issuer: &State, parameters: &[u8]) -> Result<Self, Unanswerable> {
        if parameters.len() > MAX_BYTES {
            return Err(Unanswerable::Here("the request is too long"));
        }
        let form = Form::parse(parameters);
        let client_id = form.once("client_id").ok().flatten();
        let client_id = client_id.ok_or(Unanswerable::Here("client_id is missing, or there twice"))?;
        let client = issuer.clients.get(client_id);
        let client = client.ok_or(Unanswerable::Here("no client of this client_id is registered"))?;
        let redirect_uri = form.once("redirect_uri").ok().flatten();
        let redirect_uri =
            redirect_uri.ok_or(Unanswerable::Here("redirect_uri is missing, or there twice"))?;
        if !client.redirect_uris.iter().any(|registered| registered.admits(redirect_uri)) {
            return Err(Unanswerable::Here(
                "redirect_uri is not one that is registered for this client, to the letter; on 127.0.0.1 and [::1], not on localhost, its port may be another",
            ));
        }
        let mut way_back = WayBack { redirect_uri: redirect_uri.to_owned(), state: None };
        let state = form.once("state").map(|state| state.map(str::to_owned));
        let asked = state.map_err(AuthorizationError::from).and_then(|state| {
            way_back.state = state;
            Asked::read(issuer, &client, &form)
        });
        match asked {
            Ok(asked) => {
                let client_name = client.name.clone();
                Ok(Self { client_id: client_id.to_owned(), client_name, way_back, asked })
            }
            Err(error) => Err(Unanswerable::There(way_back, error)),
        }
    }
}

impl Asked {
    fn read(issuer: &State, client: &Client, form: &Form) -> Result<Self, AuthorizationError> {
        for (parameter, error) in [
            ("request", AuthorizationError::RequestNotSupported),
            ("request_uri", AuthorizationError::RequestUriNotSupported),
            ("registration", AuthorizationError::RegistrationNotSupported),
        ] {
            if form.all(parameter).any(|value| !value.is_empty()) {
                return Err(error);
            }
        }
        match form.once("response_type")? {
            Some("code") => (),
            Some(_) => return Err(AuthorizationError::UnsupportedResponseType),
            None => return Err(AuthorizationError::InvalidRequest("response_type is missing")),
        }
        if form.once("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(AuthorizationError::InvalidRequest("response_mode is not query"));
        }
        // Without a method it would be `plain` (RFC 7636 §4.3).
        if form.once("code_challenge_method")? != Some("S256") {
            return Err(AuthorizationError::InvalidRequest("code_challenge_method is not S256"));
        }
        let challenge = form.once("code_challenge")?.and_then(Challenge::s256).ok_or(
            AuthorizationError::InvalidRequest("code_challenge is missing, or no SHA-256 in base64url"),
        )?;
        let scope = client.granted(issuer, form.once("scope")?).ok_or(AuthorizationError::InvalidScope)?;
        let resources = resources(issuer, form).ok_or(AuthorizationError::InvalidTarget)?;
        let nonce = form.once("nonce")?.map(str::to_owned);
        // Words with spaces between; all but `none` are for users who are signed in, and nobody is.
        let prompt = form.once("prompt")?.unwrap_or_default();
        let may_ask = prompt.split(' ').all(|word| word != "none");
        if !may_ask && prompt != "none" {
            return Err(AuthorizationError::InvalidRequest("prompt is none, and something else"));
        }
        let login_hint = form.once("login_hint")?.map(str::to_owned);
        Ok(Self { challenge, resources, scope, nonce, may_ask, login_hint })
    }
}

/// What tokens are asked for: the resources that are named, or else the issuer's default audience (RFC 8707 §2).
pub(super) fn resources(issuer: &State, form: &Form) -> Option<Vec<String>> {
    let mut named: Vec<&str> = Vec::new();
    for resource in form.all("resource").filter(|resource| !resource.is_empty()) {
        if !named.contains(&resource) {
            named.push(resource);
        }
        if named.len() > MAX_RESOURCES || !is_resource(resource) {
            return None;
        }
    }
    if named.is_empty() {
        return issuer.default_audience.clone().map(|audience| vec![audience]);
    }
    Some(named.into_iter().map(str::to_owned).collect())
}

/// One token is for one resource, or for some that belong together.
const MAX_RESOURCES: usize = 8;

/// As long as a URL gets.
const MAX_RESOURCE_BYTES: usize = 2048;

/// An absolute URI without fragment (RFC 8707 §2).
pub(in crate::testing) fn is_resource(text: &str) -> bool {
    text.len() <= MAX_RESOURCE_BYTES && Url::parse(text).is_ok_and(|url| url.fragment().is_none())
}

/// Why nobody is asked.
#[derive(Debug)]
pub(super) enum Unanswerable {
    /// Whoever sent the user is not to be trusted with an answer: it stays here (RFC 6749 §4.1.2.1).
    Here(&'static str),
    /// The client is told.
    There(WayBack, AuthorizationError),
}

impl Unanswerable {
    pub(super) fn into_response(self, issuer: &State) -> Response<Vec<u8>> {
        match self {
            Self::Here(what) => json_response(
                StatusCode::BAD_REQUEST,
                &json!({"error": "invalid_request", "error_description": what}),
            ),
            Self::There(way_back, error) => way_back.with_error(issuer, error),
        }
    }
}

/// Where the user came from, which is where the answer goes.
#[derive(Debug)]
pub(super) struct WayBack {
    pub(super) redirect_uri: String,
    state: Option<String>,
}

impl WayBack {
    /// RFC 6749 §4.1.2.
    pub(super) fn with_code(&self, issuer: &State, code: &str) -> Response<Vec<u8>> {
        self.with(issuer, &[("code", code)])
    }

    /// RFC 6749 §4.1.2.1.
    pub(super) fn with_error(&self, issuer: &State, error: AuthorizationError) -> Response<Vec<u8>> {
        let (code, description) = error.words();
        self.with(issuer, &[("error", code), ("error_description", description)])
    }

    /// With the state as it came, and with the issuer's name, so that the client notices if another one answers (RFC 9207 §2). By
    /// 303, which no browser repeats the content of the request behind (RFC 9700 §4.12).
    fn with(&self, issuer: &State, answer: &[(&str, &str)]) -> Response<Vec<u8>> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer).append_pair("iss", &issuer.url);
        query.extend_pairs(self.state.as_ref().map(|state| ("state", state)));
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        let location = format!("{}{joint}{}", self.redirect_uri, query.finish());
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        headers.extend(HeaderValue::try_from(location).ok().map(|location| (LOCATION, location)));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

/// RFC 6749 §4.1.2.1, RFC 8707 §2.
#[derive(Clone, Copy, Debug)]
pub(super) enum AuthorizationError {
    AccessDenied,
    InvalidRequest(&'static str),
    InvalidScope,
    InvalidTarget,
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired,
    /// OpenID Connect Core §7.2.1.
    RegistrationNotSupported,
    /// OpenID Connect Core §6.1.
    RequestNotSupported,
    /// OpenID Connect Core §6.2.
    RequestUriNotSupported,
    TemporarilyUnavailable,
    UnsupportedResponseType,
}

impl AuthorizationError {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AccessDenied => ("access_denied", "the user does not consent"),
            Self::InvalidRequest(what) => ("invalid_request", what),
            Self::InvalidScope => ("invalid_scope", "the client may not have that scope"),
            Self::InvalidTarget => {
                ("invalid_target", "resource is missing, or no absolute URI without fragment")
            }
            Self::LoginRequired => ("login_required", "nobody is signed in, and prompt is none"),
            Self::RegistrationNotSupported => {
                ("registration_not_supported", "clients register at the registration endpoint")
            }
            Self::RequestNotSupported => ("request_not_supported", "parameters stand in the request itself"),
            Self::RequestUriNotSupported => {
                ("request_uri_not_supported", "parameters stand in the request itself")
            }
            Self::TemporarilyUnavailable => {
                ("temporarily_unavailable", "too many codes are out, try again in a minute")
            }
            Self::UnsupportedResponseType => ("unsupported_response_type", "response_type is not code"),
        }
    }
}

impl From<Repeated> for AuthorizationError {
    fn from(_: Repeated) -> Self {
        Self::InvalidRequest("a parameter is repeated")
    }
}

/// What browsers send at most is about this; an honest request has some 500 octets.
const MAX_BYTES: usize = 8 * 1024;
