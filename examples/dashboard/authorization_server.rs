//! What does the authorization server give for a code, and for a refresh token?

use std::{pin::Pin, time::Duration};

use axum::http::{
    Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bearergate::{Clock, UnixTime};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
        BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::{
    http_client::{Failure, HttpClient},
    metadata::Metadata,
    settings::Settings,
};

/// RFC 6749 §5.1, with an ID token.
type Granted = StandardTokenResponse<WithIdToken, BasicTokenType>;

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct WithIdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdToken {}

type OAuthClient = Client<
    BasicErrorResponse,
    Granted,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What kind of access tokens a client gets: the embedded issuer knows this page under a name for each.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Whatever the issuer gives.
    #[default]
    Jwt,
    Opaque,
}

pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
}

impl Credentials {
    /// With the embedded issuer: a client that gets JWTs, and one that gets opaque tokens.
    pub(crate) fn embedded() -> [Self; 2] {
        ["dashboard", "dashboard-opaque"]
            .map(|id| Self { id: id.to_owned(), secret: Some("dashboard-secret".to_owned()) })
    }
}

pub(crate) struct AuthorizationServer {
    metadata: Metadata,
    clients: [(Credentials, OAuthClient); 2],
    http: HttpClient,
    /// RFC 8707; not sent to issuers that do without.
    resource: Option<String>,
}

/// What this page keeps, and shows to nobody.
pub(crate) struct Tokens {
    pub(crate) access: AccessToken,
    pub(crate) refresh: Option<RefreshToken>,
    /// That of the login.
    pub(crate) id: Option<String>,
    pub(crate) expires: Option<UnixTime>,
    pub(crate) scope: Vec<String>,
}

/// Why there are none.
pub(crate) enum NoTokens {
    /// `invalid_grant` (RFC 6749 §5.2): the code or the refresh token is worth nothing, now or later.
    Over(String),
    /// It may be worth something yet.
    NotNow(String),
}

/// Where a login begins, and what it is known by when it comes back.
pub(crate) struct Begun {
    pub(crate) url: Url,
    pub(crate) state: CsrfToken,
    pub(crate) verifier: PkceCodeVerifier,
}

impl AuthorizationServer {
    pub(crate) async fn discover(
        url: &str,
        settings: &Settings,
        redirect_uri: String,
        http: HttpClient,
    ) -> Result<Self, Failure> {
        let metadata = Metadata::discover(url, &http).await?;
        let client = |credentials: Credentials| -> Result<_, Failure> {
            let mut client = Client::new(ClientId::new(credentials.id.clone()))
                .set_auth_uri(AuthUrl::new(metadata.authorization_endpoint.clone())?)
                .set_token_uri(TokenUrl::new(metadata.token_endpoint.clone())?)
                .set_redirect_uri(RedirectUrl::new(redirect_uri.clone())?);
            if let Some(secret) = &credentials.secret {
                client = client.set_client_secret(ClientSecret::new(secret.clone()));
            }
            if !metadata.token_takes_basic() {
                client = client.set_auth_type(AuthType::RequestBody);
            }
            Ok((credentials, client))
        };
        let [jwt, opaque] = if settings.issuer.is_none() {
            Credentials::embedded()
        } else {
            let one =
                || Credentials { id: settings.client_id.clone(), secret: settings.client_secret.clone() };
            [one(), one()]
        };
        let clients = [client(jwt)?, client(opaque)?];
        Ok(Self { metadata, clients, http, resource: settings.resource.clone() })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.metadata.issuer
    }

    fn of(&self, kind: Kind) -> &(Credentials, OAuthClient) {
        let [jwt, opaque] = &self.clients;
        match kind {
            Kind::Jwt => jwt,
            Kind::Opaque => opaque,
        }
    }

    pub(crate) fn client_id(&self, kind: Kind) -> &str {
        &self.of(kind).0.id
    }

    /// An authorization request (RFC 6749 §4.1.1), with PKCE, a resource indicator, and what OpenID Connect adds.
    pub(crate) fn begin(&self, kind: Kind, scope: &str, nonce: &str, login_hint: Option<&str>) -> Begun {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = self
            .of(kind)
            .1
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scope.split(' ').map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge);
        if asks_identity(scope) {
            request = request.add_extra_param("nonce", nonce);
        }
        if let Some(subject) = login_hint {
            request = request.add_extra_param("login_hint", subject);
        }
        if let Some(resource) = &self.resource {
            request = request.add_extra_param("resource", resource);
        }
        let (url, state) = request.url();
        Begun { url, state, verifier }
    }

    /// Whether an answer is of this issuer (RFC 9207 §2.4): it says so where the metadata promises it.
    pub(crate) fn is_ours(&self, iss: Option<&str>) -> bool {
        match iss {
            Some(iss) => iss == self.metadata.issuer,
            None => !self.metadata.authorization_response_iss_parameter_supported,
        }
    }

    pub(crate) async fn exchange(
        &self,
        kind: Kind,
        code: String,
        verifier: PkceCodeVerifier,
        asked: &str,
        clock: &dyn Clock,
    ) -> Result<Tokens, NoTokens> {
        let mut request =
            self.of(kind).1.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        if let Some(resource) = &self.resource {
            request = request.add_extra_param("resource", resource);
        }
        let now = clock.wall();
        let granted = request.request_async(&self.http).await?;
        let id = granted.extra_fields().id_token.clone();
        Tokens::of(&granted, asked.split(' ').map(str::to_owned).collect(), id, now)
    }

    /// New tokens for a refresh token, which is used up by it. An ID token that comes along is not looked at: nobody has signed in.
    pub(crate) async fn refresh(
        &self,
        kind: Kind,
        refresh: &RefreshToken,
        tokens: &Tokens,
        clock: &dyn Clock,
    ) -> Result<Tokens, NoTokens> {
        let mut request = self.of(kind).1.exchange_refresh_token(refresh);
        if let Some(resource) = &self.resource {
            request = request.add_extra_param("resource", resource);
        }
        let now = clock.wall();
        let granted = request.request_async(&self.http).await?;
        let mut renewed = Tokens::of(&granted, tokens.scope.clone(), tokens.id.clone(), now)?;
        // It is good for more than once, where no other one takes its place (RFC 6749 §6).
        renewed.refresh.get_or_insert_with(|| refresh.clone());
        Ok(renewed)
    }

    /// Ends a token (RFC 7009), and says what the server said. By hand: the crate takes an endpoint on https alone.
    pub(crate) async fn revoke(&self, kind: Kind, token: &str) -> (Option<StatusCode>, String) {
        let Some(endpoint) = &self.metadata.revocation_endpoint else {
            return (None, "this issuer has no revocation endpoint".to_owned());
        };
        let Credentials { id, secret } = &self.of(kind).0;
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut form = format!("token={}", encode(token));
        let mut request = Request::post(endpoint).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        match secret {
            // RFC 6749 §2.3.1
            Some(secret) if self.metadata.revocation_takes_basic() => {
                let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
                request = request.header(AUTHORIZATION, format!("Basic {pair}"));
            }
            Some(secret) => {
                form.push_str(&format!("&client_id={}&client_secret={}", encode(id), encode(secret)));
            }
            None => form.push_str(&format!("&client_id={}", encode(id))),
        }
        let answer = match request.body(form.into_bytes()) {
            Ok(request) => self.http.send(request).await,
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(answer) => {
                let error = serde_json::from_slice::<BasicRevocationErrorResponse>(answer.body());
                (Some(answer.status()), error.map(|error| error.to_string()).unwrap_or_default())
            }
            Err(error) => (None, error.to_string()),
        }
    }
}

/// OpenID Connect Core §3.1.2.1.
pub(crate) fn asks_identity(scope: &str) -> bool {
    scope.split(' ').any(|word| word == "openid")
}

impl Tokens {
    fn of(
        granted: &Granted,
        asked: Vec<String>,
        id: Option<String>,
        now: UnixTime,
    ) -> Result<Self, NoTokens> {
        // RFC 6749 §7.1: what this page does not know how to use it does not use.
        if *granted.token_type() != BasicTokenType::Bearer {
            return Err(NoTokens::NotNow("its token is no bearer token".to_owned()));
        }
        let scope = granted.scopes().map(|list| list.iter().map(|scope| scope.to_string()).collect());
        Ok(Self {
            access: granted.access_token().clone(),
            refresh: granted.refresh_token().cloned(),
            id,
            expires: granted.expires_in().map(|lifetime| now.saturating_add(lifetime)),
            // What is not said is as it was asked for (RFC 6749 §5.1, §6).
            scope: scope.unwrap_or(asked),
        })
    }

    /// Until this page takes the access token for expired; `None` where the issuer has not said.
    pub(crate) fn left(&self, clock: &dyn Clock) -> Option<Duration> {
        Some(self.expires?.saturating_duration_since(clock.wall()))
    }
}

impl From<RequestTokenError<Carried, BasicErrorResponse>> for NoTokens {
    fn from(error: RequestTokenError<Carried, BasicErrorResponse>) -> Self {
        match error {
            RequestTokenError::ServerResponse(said)
                if *said.error() == BasicErrorResponseType::InvalidGrant =>
            {
                Self::Over(said.to_string())
            }
            RequestTokenError::ServerResponse(said)
                if *said.error() == BasicErrorResponseType::InvalidClient =>
            {
                Self::NotNow(format!("{said} (see OAUTH2_CLIENT_ID and OAUTH2_CLIENT_SECRET)"))
            }
            RequestTokenError::ServerResponse(said) => Self::NotNow(said.to_string()),
            RequestTokenError::Request(failure) => Self::NotNow(failure.to_string()),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Self::NotNow("its answer is not as RFC 6749 §5 has it".to_owned())
            }
        }
    }
}

/// The crate `oauth2` leaves sending to others, and wants a failure of a type of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Carried(Failure);

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = Carried;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Carried>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.send(request).await.map_err(Carried) })
    }
}
