//! What does the authorization server say of itself? (RFC 8414)

use axum::http::{Request, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::http_client::{Failure, HttpClient, is_private};

/// RFC 8414 §2.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    revocation_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// From either place where it may be (RFC 8414 §3, §5), of which the first is that of OpenID Connect.
    pub(crate) async fn discover(url: &str, http: &HttpClient) -> Result<Self, Failure> {
        let issuer = Url::parse(url).map_err(|error| format!("OAUTH2_ISSUER is no URL, {error}: {url}"))?;
        if !is_private(url) {
            return Err(format!("{url} is neither https, nor http on loopback").into());
        }
        let path = issuer.path().trim_end_matches('/');
        let origin = issuer.origin().ascii_serialization();
        let mut told = Vec::new();
        for place in [
            format!("{origin}{path}/.well-known/openid-configuration"),
            format!("{origin}/.well-known/oauth-authorization-server{path}"),
        ] {
            match read(&place, http).await {
                Ok(metadata) => return metadata.checked(url),
                Err(error) => told.push(format!("{place}: {error}")),
            }
        }
        Err(format!("no metadata of {url}: {}", told.join("; ")).into())
    }

    fn checked(self, url: &str) -> Result<Self, Failure> {
        // RFC 8414 §3.3
        if self.issuer != url {
            let name = &self.issuer;
            return Err(format!(
                "the issuer calls itself {name}, not {url}: set OAUTH2_ISSUER to what it calls itself"
            )
            .into());
        }
        let endpoints = [&self.authorization_endpoint, &self.token_endpoint];
        for endpoint in endpoints.into_iter().chain(&self.revocation_endpoint) {
            if !is_private(endpoint) {
                return Err(format!("{endpoint} is neither https, nor http on loopback").into());
            }
        }
        Ok(self)
    }

    /// Whether a client with a secret shows it by `client_secret_basic` there; else in the form.
    pub(crate) fn token_takes_basic(&self) -> bool {
        takes_basic(self.token_endpoint_auth_methods_supported.as_deref())
    }

    pub(crate) fn revocation_takes_basic(&self) -> bool {
        takes_basic(self.revocation_endpoint_auth_methods_supported.as_deref())
    }
}

/// Which is what is not said (RFC 8414 §2).
fn takes_basic(methods: Option<&[String]>) -> bool {
    methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
}

async fn read(place: &str, http: &HttpClient) -> Result<Metadata, Failure> {
    let answer = http.send(Request::get(place).body(Vec::new())?).await?;
    if answer.status() != StatusCode::OK {
        return Err(answer.status().to_string().into());
    }
    serde_json::from_slice(answer.body()).map_err(|error| format!("no metadata in JSON, {error}").into())
}
