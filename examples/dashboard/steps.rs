//! What happens between this page, the API and the issuer, step by step, for a reader.

use std::sync::Arc;

use axum::http::{
    self, Request, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use bearergate::{Clock, ErrorCode, testing::Challenge};
use serde::Deserialize;
use url::form_urlencoded;

use crate::{
    authorization_server::{AuthorizationServer, Kind, NoTokens, Tokens},
    http_client::HttpClient,
    sessions::Session,
};

/// One of them. No token stands in it.
pub(crate) struct Step {
    pub(crate) what: String,
    pub(crate) status: Option<StatusCode>,
    pub(crate) said: Vec<String>,
}

/// What the page asks of the API.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Me,
    Orders,
    PlaceOrder,
    /// Three that no API should answer.
    WithIdToken,
    InTheUrl,
    WithoutToken,
}

/// Who takes part.
pub(crate) struct Parties {
    pub(crate) issuer: AuthorizationServer,
    pub(crate) api: String,
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Parties {
    /// With the access token; where it is no longer good, once more with a new one (RFC 6750 §3.1, `invalid_token`). A 403 or a 503
    /// says nothing against the token, and a new one would change nothing.
    pub(crate) async fn call(&self, session: &mut Session, call: Call) {
        let is_no_longer_good = self.ask(session, call).await;
        let retries = matches!(call, Call::Me | Call::Orders | Call::PlaceOrder);
        if is_no_longer_good && retries && self.refresh(session).await {
            self.ask(session, call).await;
        }
    }

    /// Sends it. Tells whether the API refused the token.
    async fn ask(&self, session: &mut Session, call: Call) -> bool {
        let Some(tokens) = &session.tokens else {
            session.steps.push(Step::note("This session has no tokens any more: log in again."));
            return false;
        };
        let Some((what, request)) = call.request(&self.api, tokens) else {
            session.steps.push(Step::note("The issuer gave no ID token: openid was not asked for."));
            return false;
        };
        let what = what.to_owned();
        let answer = match request {
            Ok(request) => self.http.send(request).await,
            Err(error) => Err(error.into()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                session.steps.push(Step { what, status: None, said: vec![error.to_string()] });
                return false;
            }
        };
        let fields = [WWW_AUTHENTICATE, RETRY_AFTER].into_iter().filter_map(|name| {
            let value = answer.headers().get(&name)?.to_str().ok()?;
            Some(format!("{name}: {value}"))
        });
        session.steps.push(Step { what, status: Some(answer.status()), said: fields.collect() });
        if call == Call::Me && answer.status() == StatusCode::OK {
            session.seen = serde_json::from_slice(answer.body()).ok();
        }
        answer.status() == StatusCode::UNAUTHORIZED
            && Challenge::from_headers(answer.headers())
                .is_ok_and(|challenge| challenge.error() == Some(ErrorCode::InvalidToken))
    }

    /// Tells whether there is a new access token.
    async fn refresh(&self, session: &mut Session) -> bool {
        let Some(tokens) = &session.tokens else { return false };
        let Some(refresh) = &tokens.refresh else {
            session.tokens = None;
            session.steps.push(Step::note("There is no refresh token to get another one by: log in again."));
            return false;
        };
        let what = "The dashboard asks the issuer for a new access token, by its refresh token".to_owned();
        match self.issuer.refresh(session.kind, refresh, tokens, &*self.clock).await {
            Ok(tokens) => {
                session.tokens = Some(tokens);
                session.steps.push(Step {
                    what,
                    status: Some(StatusCode::OK),
                    said: vec!["there is a new refresh token too; the old one is used up".to_owned()],
                });
                true
            }
            Err(NoTokens::Over(said)) => {
                session.tokens = None;
                session.steps.push(Step { what, status: Some(StatusCode::BAD_REQUEST), said: vec![said] });
                session.steps.push(Step::note("This session has no tokens any more: log in again."));
                false
            }
            Err(NoTokens::NotNow(said)) => {
                session.steps.push(Step { what, status: None, said: vec![said] });
                session.steps.push(Step::note("Its refresh token may be good yet: try again."));
                false
            }
        }
    }

    /// Ends the refresh token, and the access token as far as that can be done; then shows what the API says to it.
    pub(crate) async fn revoke(&self, session: &mut Session) {
        let Some(tokens) = &session.tokens else { return };
        let mut is_over = false;
        if let Some(refresh) = &tokens.refresh {
            let (status, said) = self.issuer.revoke(session.kind, refresh.secret()).await;
            is_over = status == Some(StatusCode::OK);
            let what = "The dashboard revokes its refresh token".to_owned();
            session.steps.push(Step { what, status, said: said_of(said) });
        }
        let (status, said) = self.issuer.revoke(session.kind, tokens.access.secret()).await;
        let what = "The dashboard revokes its access token".to_owned();
        session.steps.push(Step { what, status, said: said_of(said) });
        self.call(session, Call::Me).await;
        if session.tokens.is_some() && session.kind == Kind::Jwt {
            session.steps.push(Step::note(if is_over {
                "A JWT is good until it expires: who checks it by keys alone does not hear of its end. That is why it is short-lived. \
                 Its refresh token is over already."
            } else {
                "Nothing was revoked."
            }));
        }
    }

    /// Quietly, for somebody who leaves.
    pub(crate) async fn end(&self, kind: Kind, tokens: &Tokens) {
        if let Some(refresh) = &tokens.refresh {
            self.issuer.revoke(kind, refresh.secret()).await;
        }
        if kind == Kind::Opaque {
            self.issuer.revoke(kind, tokens.access.secret()).await;
        }
    }
}

fn said_of(said: String) -> Vec<String> {
    if said.is_empty() { Vec::new() } else { vec![said] }
}

impl Step {
    pub(crate) fn note(text: &str) -> Self {
        Self { what: text.to_owned(), status: None, said: Vec::new() }
    }
}

type Built = Result<Request<Vec<u8>>, http::Error>;

impl Call {
    /// In words, and as it is sent; `None` without what it takes.
    fn request(self, api: &str, tokens: &Tokens) -> Option<(&'static str, Built)> {
        let access = tokens.access.secret();
        let (what, request, bearer) = match self {
            Self::Me => ("GET /me with the access token", Request::get(format!("{api}/me")), Some(access)),
            Self::Orders => {
                ("GET /orders with the access token", Request::get(format!("{api}/orders")), Some(access))
            }
            Self::PlaceOrder => {
                ("POST /orders with the access token", Request::post(format!("{api}/orders")), Some(access))
            }
            Self::WithIdToken => {
                ("GET /me with the ID token", Request::get(format!("{api}/me")), Some(tokens.id.as_ref()?))
            }
            Self::InTheUrl => {
                let query: String = form_urlencoded::byte_serialize(access.as_bytes()).collect();
                ("GET /me?access_token=…", Request::get(format!("{api}/me?access_token={query}")), None)
            }
            Self::WithoutToken => ("GET /me without a token", Request::get(format!("{api}/me")), None),
        };
        let request = match bearer {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        Some((what, request.body(Vec::new())))
    }
}
