//! What happens between this page, the API and the issuer, step by step, for a reader.

use std::{sync::Arc, time::Duration};

use axum::http::{
    self, Request, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use bearergate::{Clock, ErrorCode, testing::Challenge};
use oauth2::RefreshToken;
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
        session.wanted.clear();
        let is_over =
            session.tokens.as_ref().and_then(|tokens| tokens.left(&*self.clock)) == Some(Duration::ZERO);
        let which = if is_over { "the expired access token" } else { "the access token" };
        if !self.ask(session, call, which).await {
            session.is_refused_anew &= !call.takes_access_token();
            return;
        }
        if !call.takes_access_token() {
            return;
        }
        if session.is_refused_anew && !is_over {
            session.steps.push(Step::note(REFUSED_ANEW));
        } else if self.refresh(session).await {
            session.is_refused_anew = self.ask(session, call, "the new access token").await;
            if session.is_refused_anew {
                session.steps.push(Step::note(REFUSED_ANEW));
            }
        }
    }

    /// Sends it. Tells whether the API refused the token.
    async fn ask(&self, session: &mut Session, call: Call, which: &str) -> bool {
        let Some(tokens) = &session.tokens else {
            session.steps.push(Step::note(NO_TOKENS));
            return false;
        };
        let Some((what, request)) = call.request(&self.api, tokens, which) else {
            session.steps.push(Step::note("The issuer gave no ID token: openid was not asked for."));
            return false;
        };
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
        let (status, fields) = (answer.status(), answer.headers());
        let said = [WWW_AUTHENTICATE, RETRY_AFTER].into_iter().filter_map(|name| {
            let value = fields.get(&name)?.to_str().ok()?;
            Some(format!("{name}: {value}"))
        });
        session.steps.push(Step { what, status: Some(status), said: said.collect() });
        let challenge = Challenge::from_headers(fields).ok();
        let error = challenge.as_ref().and_then(Challenge::error);
        match status {
            StatusCode::OK if call == Call::Me => session.seen = serde_json::from_slice(answer.body()).ok(),
            StatusCode::FORBIDDEN if error == Some(ErrorCode::InsufficientScope) => {
                let scopes = challenge.iter().flat_map(Challenge::scopes).map(str::to_owned);
                session.wanted = scopes.filter(|scope| !tokens.scope.contains(scope)).collect();
            }
            StatusCode::UNAUTHORIZED if call == Call::InTheUrl => {
                session.steps.push(Step::note("The API never looks there, so it is as if there were none."));
            }
            StatusCode::SERVICE_UNAVAILABLE => session.steps.push(Step::note(
                "The API cannot judge any token now, for it cannot get its issuer's keys, or the issuer's word. That says nothing against \
                 this one: the dashboard keeps it.",
            )),
            _ => (),
        }
        status == StatusCode::UNAUTHORIZED && error == Some(ErrorCode::InvalidToken)
    }

    /// Tells whether there is a new access token.
    async fn refresh(&self, session: &mut Session) -> bool {
        let Some(tokens) = &session.tokens else { return false };
        let Some(refresh) = &tokens.refresh else {
            session.lose_tokens("There is no refresh token to get another one by.");
            return false;
        };
        let what = "The dashboard asks the issuer for a new access token, by its refresh token".to_owned();
        match self.issuer.refresh(session.kind, refresh, tokens, &*self.clock).await {
            Ok(renewed) => {
                let is_replaced =
                    renewed.refresh.as_ref().map(RefreshToken::secret) != Some(refresh.secret());
                let said = if is_replaced {
                    "there is a new refresh token too; the old one is used up"
                } else {
                    "the refresh token stays good"
                };
                session.steps.push(Step { what, status: Some(StatusCode::OK), said: vec![said.to_owned()] });
                session.tokens = Some(renewed);
                true
            }
            Err(NoTokens::Over(said)) => {
                session.steps.push(Step { what, status: Some(StatusCode::BAD_REQUEST), said: vec![said] });
                session.lose_tokens(NO_TOKENS);
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
        let access = tokens.access.clone();
        let mut revoked = Vec::new();
        let refresh = tokens.refresh.as_ref().map(|token| ("refresh", token.secret()));
        for (name, token) in refresh.into_iter().chain([("access", tokens.access.secret())]) {
            let (status, said) = self.issuer.revoke(session.kind, token).await;
            revoked.extend((status == Some(StatusCode::OK)).then_some(name));
            let said = if said.is_empty() { Vec::new() } else { vec![said] };
            session.steps.push(Step {
                what: format!("The dashboard revokes its {name} token"),
                status,
                said,
            });
        }
        self.call(session, Call::Me).await;
        let is_accepted = session.steps.last().and_then(|step| step.status) == Some(StatusCode::OK);
        match revoked.as_slice() {
            [] => session.steps.push(Step::note("Nothing was revoked.")),
            // Another one was good.
            _ if session.tokens.as_ref().is_none_or(|tokens| tokens.access.secret() != access.secret()) => (),
            _ if is_accepted => session.steps.push(Step::note(if revoked.contains(&"refresh") {
                "A JWT is good until it expires: who checks it by keys alone does not hear of its end. That is why it is short-lived. Its \
                 refresh token is over already."
            } else {
                "A JWT is good until it expires: who checks it by keys alone does not hear of its end."
            })),
            _ => (),
        }
    }

    /// For somebody who leaves. Tells whether the issuer knows that what it could end is over.
    pub(crate) async fn end(&self, kind: Kind, tokens: &Tokens) -> bool {
        let mut is_over = true;
        if let Some(refresh) = &tokens.refresh {
            is_over &= self.issuer.revoke(kind, refresh.secret()).await.0 == Some(StatusCode::OK);
        }
        if kind == Kind::Opaque {
            is_over &= self.issuer.revoke(kind, tokens.access.secret()).await.0 == Some(StatusCode::OK);
        }
        is_over
    }
}

pub(crate) const NO_TOKENS: &str = "This session has no tokens any more.";

const REFUSED_ANEW: &str = "The API refuses this one too, so another one will not help: what it says against it has to be set right at the issuer, \
     or in OAUTH2_RESOURCE and OAUTH2_AUDIENCE. It takes JWTs that are meant for it, and other tokens of the embedded issuer alone.";

impl Session {
    fn lose_tokens(&mut self, why: &str) {
        self.tokens = None;
        self.seen = None;
        self.steps.push(Step::note(why));
    }
}

impl Step {
    pub(crate) fn note(text: &str) -> Self {
        Self { what: text.to_owned(), status: None, said: Vec::new() }
    }
}

type Built = Result<Request<Vec<u8>>, http::Error>;

impl Call {
    fn takes_access_token(self) -> bool {
        matches!(self, Self::Me | Self::Orders | Self::PlaceOrder)
    }

    /// In words, and as it is sent; `None` without what it takes.
    fn request(self, api: &str, tokens: &Tokens, which: &str) -> Option<(String, Built)> {
        let access = tokens.access.secret();
        let (what, request, bearer) = match self {
            Self::Me => (format!("GET /me with {which}"), Request::get(format!("{api}/me")), Some(access)),
            Self::Orders => {
                (format!("GET /orders with {which}"), Request::get(format!("{api}/orders")), Some(access))
            }
            Self::PlaceOrder => {
                (format!("POST /orders with {which}"), Request::post(format!("{api}/orders")), Some(access))
            }
            Self::WithIdToken => {
                let what = "GET /me with the ID token".to_owned();
                (what, Request::get(format!("{api}/me")), Some(tokens.id.as_ref()?))
            }
            Self::InTheUrl => {
                let query: String = form_urlencoded::byte_serialize(access.as_bytes()).collect();
                let request = Request::get(format!("{api}/me?access_token={query}"));
                ("GET /me?access_token=…".to_owned(), request, None)
            }
            Self::WithoutToken => {
                ("GET /me without a token".to_owned(), Request::get(format!("{api}/me")), None)
            }
        };
        let request = match bearer {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        Some((what, request.body(Vec::new())))
    }
}
