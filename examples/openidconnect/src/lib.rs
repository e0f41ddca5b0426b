//! A client of the other kind: it signs its users in, by the crate `openidconnect`, and calls an API in their name.
//!
//! The embedded issuer is to it what any other is: discovery, authorization code with PKCE, an ID token whose signature, nonce and
//! access token hash it checks.

#![expect(clippy::disallowed_types, reason = "this is a client")]

use std::{error::Error, fmt, time::Duration};

use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata},
};
use reqwest::Url;

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Why nobody is signed in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotSignedIn {
    /// RFC 6749 §10.12.
    AnotherRequest,
    /// RFC 9207 §2.4.
    AnotherIssuer,
    /// RFC 6749 §4.1.2.1.
    Refused,
    /// OpenID Connect Core §3.1.3.7, §3.1.3.8.
    IdToken,
}

impl fmt::Display for NotSignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnotherRequest => "the answer is to another request, or to none",
            Self::AnotherIssuer => "the answer is of another issuer",
            Self::Refused => "the issuer refused",
            Self::IdToken => "the ID token is not good",
        })
    }
}

impl Error for NotSignedIn {}

/// After discovery.
type Discovered = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An application that is registered with an issuer.
pub struct RelyingParty {
    client: Discovered,
    issuer: String,
    http: reqwest::Client,
}

/// What it keeps while its user is away at the issuer.
pub struct Begun {
    pub state: CsrfToken,
    pub nonce: Nonce,
    pub verifier: PkceCodeVerifier,
}

/// Who has come back, and what they let the application do.
pub struct SignedIn {
    pub subject: String,
    pub access_token: String,
    /// For the application alone: no API takes it.
    pub id_token: String,
}

impl RelyingParty {
    pub async fn discover(issuer: &str, client_id: &str, redirect_uri: &str) -> Outcome<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let send = |request| send(&http, request);
        let metadata =
            CoreProviderMetadata::discover_async(IssuerUrl::new(issuer.to_owned())?, &send).await?;
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(client_id.to_owned()), None)
            .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned())?);
        Ok(Self { client, issuer: issuer.to_owned(), http })
    }

    /// Where the user's browser goes, to let the application call this resource.
    pub fn begin(&self, scope: &str, resource: &str) -> (Url, Begun) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = self
            .client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new(scope.to_owned()))
            .add_extra_param("resource", resource)
            .set_pkce_challenge(challenge)
            .url();
        (url, Begun { state, nonce, verifier })
    }

    /// The user's browser is back, with this URL.
    pub async fn finish(&self, back: &Url, begun: Begun) -> Outcome<SignedIn> {
        let answer = |name: &str| {
            back.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        if answer("state").as_ref() != Some(begun.state.secret()) {
            return Err(NotSignedIn::AnotherRequest.into());
        }
        // This example is for issuers that name themselves; the crate does not look.
        if answer("iss").as_deref() != Some(&self.issuer) {
            return Err(NotSignedIn::AnotherIssuer.into());
        }
        if answer("error").is_some() {
            return Err(NotSignedIn::Refused.into());
        }
        let code = AuthorizationCode::new(answer("code").ok_or("there is no code")?);
        let send = |request| send(&self.http, request);
        let request = self.client.exchange_code(code)?.set_pkce_verifier(begun.verifier);
        let tokens = request.request_async(&send).await?;
        let id_token = tokens.id_token().ok_or(NotSignedIn::IdToken)?;
        let verifier = self.client.id_token_verifier();
        let claims = id_token.claims(&verifier, &begun.nonce).map_err(|_| NotSignedIn::IdToken)?;
        let key = id_token.signing_key(&verifier)?;
        let hash = AccessTokenHash::from_token(tokens.access_token(), id_token.signing_alg()?, key)?;
        if claims.access_token_hash() != Some(&hash) {
            return Err(NotSignedIn::IdToken.into());
        }
        Ok(SignedIn {
            subject: claims.subject().to_string(),
            access_token: tokens.access_token().secret().clone(),
            id_token: id_token.to_string(),
        })
    }
}

/// Either crate has a version of reqwest in mind; both speak `http`.
async fn send(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let mut answer = http.execute(request.try_into()?).await?;
    let mut response = http::Response::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    while let Some(chunk) = answer.chunk().await? {
        response.body_mut().extend_from_slice(&chunk);
        // What is cut off is no JSON.
        if response.body().len() > MAX_BYTES {
            response.body_mut().clear();
            break;
        }
    }
    Ok(response)
}

const TIMEOUT: Duration = Duration::from_secs(10);

const MAX_BYTES: usize = 1 << 20;
