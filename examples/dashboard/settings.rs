//! What does the environment say?

use std::{env, fmt};

use url::Url;

use crate::web::PAGES;

pub(crate) const USAGE: &str = "\
With no variable set, the dashboard brings an issuer of its own. For another one:

  OAUTH2_ISSUER         its URL; it has metadata (RFC 8414 or OpenID Connect Discovery)
  OAUTH2_CLIENT_ID      what it calls this page; with the redirect URI below registered
  OAUTH2_CLIENT_SECRET  default: none, a public client
  OAUTH2_REDIRECT_URI   http on 127.0.0.1 or localhost; default: http://127.0.0.1:8080/callback
  OAUTH2_RESOURCE       the API: sent as `resource` (RFC 8707), and expected as `aud`
  OAUTH2_AUDIENCE       expected as `aud`; default: OAUTH2_RESOURCE. Without that one no `resource` is sent
  OAUTH2_SCOPE          what is asked for; default: openid profile read:orders";

pub(crate) struct Settings {
    /// `None`: the embedded one.
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) resource: Option<String>,
    /// What the API is called in tokens.
    pub(crate) audience: String,
    pub(crate) scope: String,
}

const EMBEDDED_API: &str = "https://api.example.com";

/// Where this page listens, and where users come back to.
#[derive(Clone)]
pub(crate) struct RedirectUri {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self, String> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let needed = |name: &str| set(name).ok_or_else(|| format!("OAUTH2_ISSUER is set, and {name} is not"));
        let scope = set("OAUTH2_SCOPE").unwrap_or_else(|| "openid profile read:orders".to_owned());
        let (resource, audience) = (set("OAUTH2_RESOURCE"), set("OAUTH2_AUDIENCE"));
        let Some(issuer) = set("OAUTH2_ISSUER") else {
            let others = ["CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "RESOURCE", "AUDIENCE"];
            let others = others.map(|name| format!("OAUTH2_{name}"));
            if let Some(other) = others.iter().find(|name| set(name).is_some()) {
                return Err(format!("{other} is set, and OAUTH2_ISSUER is not"));
            }
            return Ok(Self {
                issuer: None,
                client_id: String::new(),
                client_secret: None,
                redirect_uri: RedirectUri::parse("http://127.0.0.1:0/callback")?,
                resource: Some(EMBEDDED_API.to_owned()),
                audience: EMBEDDED_API.to_owned(),
                scope,
            });
        };
        let redirect_uri = set("OAUTH2_REDIRECT_URI");
        Ok(Self {
            issuer: Some(issuer),
            client_id: needed("OAUTH2_CLIENT_ID")?,
            client_secret: set("OAUTH2_CLIENT_SECRET"),
            redirect_uri: RedirectUri::parse(
                redirect_uri.as_deref().unwrap_or("http://127.0.0.1:8080/callback"),
            )?,
            audience: match audience.or(resource.clone()) {
                Some(audience) => audience,
                None => needed("OAUTH2_RESOURCE")?,
            },
            resource,
            scope,
        })
    }
}

impl RedirectUri {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("OAUTH2_REDIRECT_URI is not as http://127.0.0.1:8080/callback: {text}");
        let url = Url::parse(text).map_err(|_| wrong())?;
        let host =
            url.host_str().filter(|host| ["127.0.0.1", "localhost"].contains(host)).ok_or_else(wrong)?;
        let (port, path) = (url.port().ok_or_else(wrong)?, url.path());
        let uri = Self { host: host.to_owned(), port, path: path.to_owned() };
        // Nothing beside these, and no place of the page itself.
        let is_plain = uri.to_string() == text && !PAGES.contains(&path);
        if is_plain && path.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"/-_.".contains(&octet)) {
            Ok(uri)
        } else {
            Err(wrong())
        }
    }

    pub(crate) fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}
