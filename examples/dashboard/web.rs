//! What does the browser get? A page, a session cookie, and no token.

use std::{sync::Arc, time::Duration};

use axum::{
    Form, Router,
    extract::{Query, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERRER_POLICY,
            SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bearergate::testing::TestClock;
use oauth2::CsrfToken;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    authorization_server::{Begun, Kind, NoTokens},
    identity::{Identity, identity},
    pages,
    sessions::{Login, Session, Store},
    steps::{Call, Parties, Step},
};

pub(crate) struct Dashboard {
    pub(crate) parties: Parties,
    /// Of this page.
    pub(crate) origin: String,
    /// Where users come back to.
    pub(crate) callback: String,
    /// Moves the time of the embedded issuer, the API and this page.
    pub(crate) test_clock: Option<TestClock>,
    /// What is asked for.
    pub(crate) scope: String,
    pub(crate) logins: Store<Login>,
    /// One request of a session at a time: a refresh token that two of them used would look stolen.
    pub(crate) sessions: Store<Arc<Mutex<Session>>>,
}

type Shared = State<Arc<Dashboard>>;

pub(crate) fn router(dashboard: Dashboard) -> Router {
    let callback = dashboard.callback.clone();
    let dashboard = Arc::new(dashboard);
    Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route(&callback, get(come_back))
        .route("/call", post(call))
        .route("/expire", post(expire))
        .route("/revoke", post(revoke))
        .route("/logout", post(log_out))
        .route("/style.css", get(async || ([(CONTENT_TYPE, "text/css")], include_str!("style.css"))))
        .route(
            "/countdown.js",
            get(async || ([(CONTENT_TYPE, "text/javascript")], include_str!("countdown.js"))),
        )
        .layer(middleware::from_fn_with_state(Arc::clone(&dashboard), guard))
        .with_state(dashboard)
}

/// Only under its own name, so that no page of another name that points here is let in (DNS rebinding); and what changes something only
/// from its own pages (cross-site request forgery). Other ports of this machine are another origin, though not another site: the cookie's
/// `SameSite` would not keep them out.
async fn guard(State(dashboard): Shared, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host.map(|host| format!("http://{host}")).as_ref() != Some(&dashboard.origin) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    if request.method() == Method::POST
        && request.headers().get(ORIGIN).is_none_or(|origin| *origin != dashboard.origin)
    {
        return pages::notice(StatusCode::FORBIDDEN, "Nothing was done", "This came from another page.");
    }
    let mut response = next.run(request).await;
    for (name, value) in FIELDS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

const FIELDS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    // To the page itself: with `no-referrer` its own forms would come without an origin.
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

async fn home(State(dashboard): Shared, headers: HeaderMap) -> Response {
    let is_embedded = dashboard.test_clock.is_some();
    match dashboard.session(&headers) {
        Some(session) => pages::dashboard(&dashboard.parties, &*session.lock().await, is_embedded),
        None => pages::welcome(dashboard.parties.issuer.issuer(), is_embedded),
    }
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    kind: Kind,
    /// One more scope than usual, which the API has asked for.
    also: Option<String>,
}

/// To the issuer. What comes back must belong to this browser, which the cookie says.
async fn login(State(dashboard): Shared, Query(Wish { kind, also }): Query<Wish>) -> Response {
    let mut scope = dashboard.scope.clone();
    if also.as_deref() == Some(pages::MORE) {
        scope.push(' ');
        scope.push_str(pages::MORE);
    }
    let nonce = CsrfToken::new_random().into_secret();
    let Begun { url, state, verifier } = dashboard.parties.issuer.begin(kind, &scope, &nonce);
    let login = Login { kind, scope, state, nonce, verifier };
    let name = dashboard.logins.keep(login, dashboard.now());
    ([(SET_COOKIE, cookie(LOGIN, &name))], Redirect::to(url.as_str())).into_response()
}

/// RFC 6749 §4.1.2, RFC 9207 §2.
#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// From the issuer: only to a question that this browser was sent there with, once.
async fn come_back(
    State(dashboard): Shared,
    headers: HeaderMap,
    answer: Result<Query<Answer>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let refuse = |status, why: &str| pages::notice(status, "You are not logged in", why);
    let login = cookie_of(&headers, LOGIN).and_then(|name| dashboard.logins.take(name, dashboard.now()));
    let Some(login) = login else {
        return refuse(StatusCode::BAD_REQUEST, "No login was begun in this browser, or too long ago.");
    };
    let Ok(Query(answer)) = answer else {
        return refuse(StatusCode::BAD_REQUEST, "The answer has a parameter twice.");
    };
    // RFC 6749 §10.12
    match answer.state {
        None => return refuse(StatusCode::BAD_REQUEST, "The answer has no state: it may be anybody's."),
        Some(state) if state != *login.state.secret() => {
            return refuse(StatusCode::BAD_REQUEST, "The state is that of another login.");
        }
        Some(_) => (),
    }
    if !dashboard.parties.issuer.is_ours(answer.iss.as_deref()) {
        return refuse(StatusCode::BAD_REQUEST, "The answer does not come from the issuer that was asked.");
    }
    if let Some(error) = answer.error {
        let description = answer.error_description.unwrap_or_default();
        return refuse(StatusCode::OK, &format!("The issuer said {error}: {description}"));
    }
    let Some(code) = answer.code else { return refuse(StatusCode::BAD_REQUEST, "The answer has no code.") };
    match dashboard.log_in(login, code).await {
        Ok(session) => {
            // Another name than before, whoever knew that one.
            dashboard.leave(&headers).await;
            let name = dashboard.sessions.keep(Arc::new(Mutex::new(session)), dashboard.now());
            let cookies = [(SET_COOKIE, cookie(SESSION, &name)), (SET_COOKIE, gone(LOGIN))];
            (axum::response::AppendHeaders(cookies), Redirect::to("/")).into_response()
        }
        Err((status, why)) => refuse(status, &why),
    }
}

#[derive(Deserialize)]
struct Wanted {
    call: Call,
}

async fn call(State(dashboard): Shared, headers: HeaderMap, Form(Wanted { call }): Form<Wanted>) -> Redirect {
    if let Some(session) = dashboard.session(&headers) {
        let mut session = session.lock().await;
        session.steps.clear();
        dashboard.parties.call(&mut session, call).await;
    }
    Redirect::to(HAPPENED)
}

/// Moves the time past the end of the access token, and calls the API with it.
async fn expire(State(dashboard): Shared, headers: HeaderMap) -> Redirect {
    let (Some(session), Some(clock)) = (dashboard.session(&headers), &dashboard.test_clock) else {
        return Redirect::to(HAPPENED);
    };
    let mut session = session.lock().await;
    session.steps.clear();
    if let Some(left) = session.tokens.as_ref().and_then(|tokens| tokens.left(&*dashboard.parties.clock)) {
        let by = left.saturating_add(Duration::from_secs(1));
        clock.advance(by);
        let what = format!("{} s go by for the issuer, the API and the dashboard", by.as_secs());
        session.steps.push(Step::note(&what));
    }
    dashboard.parties.call(&mut session, Call::Orders).await;
    Redirect::to(HAPPENED)
}

async fn revoke(State(dashboard): Shared, headers: HeaderMap) -> Redirect {
    if let Some(session) = dashboard.session(&headers) {
        let mut session = session.lock().await;
        session.steps.clear();
        dashboard.parties.revoke(&mut session).await;
    }
    Redirect::to(HAPPENED)
}

async fn log_out(State(dashboard): Shared, headers: HeaderMap) -> Response {
    dashboard.leave(&headers).await;
    ([(SET_COOKIE, gone(SESSION))], Redirect::to("/")).into_response()
}

impl Dashboard {
    /// For sessions, which a moved clock leaves alone.
    fn now(&self) -> Duration {
        self.parties.clock.monotonic()
    }

    fn session(&self, headers: &HeaderMap) -> Option<Arc<Mutex<Session>>> {
        self.sessions.get(cookie_of(headers, SESSION)?, self.now())
    }

    async fn leave(&self, headers: &HeaderMap) {
        let session = cookie_of(headers, SESSION).and_then(|name| self.sessions.take(name, self.now()));
        if let Some(session) = session {
            self.parties.end(&*session.lock().await).await;
        }
    }

    /// The code for tokens, and these for a session.
    async fn log_in(&self, login: Login, code: String) -> Result<Session, (StatusCode, String)> {
        let Login { kind, scope, nonce, verifier, .. } = login;
        let Parties { issuer, clock, .. } = &self.parties;
        let tokens =
            issuer.exchange(kind, code, verifier, &scope, &**clock).await.map_err(|none| match none {
                NoTokens::Refused(said) => (StatusCode::BAD_REQUEST, format!("The issuer said {said}")),
                NoTokens::Unavailable(said) => {
                    (StatusCode::BAD_GATEWAY, format!("The issuer gives no answer to go by: {said}"))
                }
            })?;
        let user = match &tokens.id {
            Some(id) => identity(id, issuer.issuer(), issuer.client_id(kind), &nonce, clock.wall())
                .map_err(|why| (StatusCode::BAD_GATEWAY, format!("The ID token is not good: {why}.")))?,
            None if scope.split(' ').any(|word| word == "openid") => {
                return Err((StatusCode::BAD_GATEWAY, "The issuer gave no ID token.".to_owned()));
            }
            None => Identity { subject: String::new(), name: "somebody".to_owned() },
        };
        let what = "The dashboard gets tokens for the code, and keeps them".to_owned();
        let steps = vec![Step { what, status: Some(StatusCode::OK), said: Vec::new() }];
        let mut session = Session { kind, user, tokens: Some(tokens), steps, seen: None };
        self.parties.call(&mut session, Call::Me).await;
        Ok(session)
    }
}

/// Where the page shows what the last button did.
const HAPPENED: &str = "/#happened";

const LOGIN: &str = "dashboard-login";
const SESSION: &str = "dashboard-session";

/// For this browser and no script in it; not for what other sites send, but where their links and redirects lead here. Without `Secure`,
/// for this page is on loopback: on https it would have that, and a name that begins with `__Host-`.
fn cookie(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax")
}

fn gone(name: &str) -> String {
    format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
}

fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}
