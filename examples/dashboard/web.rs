//! What does the browser get? A page, a session cookie, and no token.

use std::{sync::Arc, time::Duration};

use axum::{
    Form, Router,
    extract::{Query, Request, State, rejection::QueryRejection},
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
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    authorization_server::{Begun, Kind, NoTokens, asks_identity},
    identity::{Identity, identity},
    pages,
    sessions::{Login, Session, Store, unguessable},
    steps::{Call, NO_TOKENS, Parties, Step},
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
    /// By state.
    pub(crate) logins: Store<Login>,
    /// One request of a session at a time: a refresh token that two of them used would look stolen.
    pub(crate) sessions: Store<Arc<Mutex<Session>>>,
}

type Shared = State<Arc<Dashboard>>;

/// No callback is here.
pub(crate) const PAGES: [&str; 8] =
    ["/", "/login", "/call", "/expire", "/revoke", "/logout", "/style.css", "/countdown.js"];

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
        .fallback(async || {
            pages::notice(StatusCode::NOT_FOUND, "There is no such page", "It may have moved.")
        })
        .method_not_allowed_fallback(async || {
            pages::notice(
                StatusCode::METHOD_NOT_ALLOWED,
                "Nothing was done",
                "A button does that, and no link.",
            )
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&dashboard), guard))
        .with_state(dashboard)
}

/// Only under its own name, so that no page of another name that points here is let in (DNS rebinding); and what changes something only
/// from its own pages (cross-site request forgery). Other ports of this machine are another origin, though not another site: the cookie's
/// `SameSite` would not keep them out.
async fn guard(State(dashboard): Shared, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host.map(|host| format!("http://{host}")).as_ref() != Some(&dashboard.origin) {
        let hint = format!("Open {}/: this page goes by that name alone.\n", dashboard.origin);
        return (StatusCode::MISDIRECTED_REQUEST, hint).into_response();
    }
    let mut origins = request.headers().get_all(ORIGIN).iter();
    let is_ours =
        origins.next().is_some_and(|origin| *origin == dashboard.origin) && origins.next().is_none();
    let mut response = if request.method() == Method::POST && !is_ours {
        pages::notice(StatusCode::FORBIDDEN, "Nothing was done", "This came from another page.")
    } else {
        next.run(request).await
    };
    for (name, value) in FIELDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
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
    kind: Option<Kind>,
    /// What the last call lacked, too.
    more: Option<String>,
}

/// To the issuer. What comes back must belong to this browser, which the cookie says, and to this login, which the state says.
async fn login(
    State(dashboard): Shared,
    headers: HeaderMap,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let Ok(Query(Wish { kind, more })) = wish else {
        return dashboard.refused(&headers, StatusCode::BAD_REQUEST, "There is no such kind of login.").await;
    };
    let mut scopes: Vec<_> = dashboard.scope.split(' ').map(str::to_owned).collect();
    let (mut wanted, mut before) = (Vec::new(), None);
    if let Some(session) = dashboard.session(&headers) {
        let session = session.lock().await;
        before = Some(session.user.clone());
        if more.is_some() {
            wanted.clone_from(&session.wanted);
        }
        let known = session.tokens.iter().flat_map(|tokens| &tokens.scope);
        for scope in known.chain(&wanted) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
    }
    let (kind, scope, nonce) = (kind.unwrap_or_default(), scopes.join(" "), unguessable());
    // The embedded issuer knows its users by subject; another one may know them otherwise.
    let user = before.as_ref().filter(|_| dashboard.test_clock.is_some());
    let hint = user.map(|user: &Identity| user.subject.as_str());
    let Begun { url, state, verifier } = dashboard.parties.issuer.begin(kind, &scope, &nonce, hint);
    // A browser may have begun in another tab too.
    let browser = dashboard.cookie_of(&headers, LOGIN).map_or_else(unguessable, str::to_owned);
    let login = Login { browser: browser.clone(), kind, scope, wanted, before, nonce, verifier };
    dashboard.logins.keep_as(state.into_secret(), login, dashboard.now());
    ([(SET_COOKIE, dashboard.cookie(LOGIN, &browser))], Redirect::to(url.as_str())).into_response()
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

/// From the issuer.
async fn come_back(
    State(dashboard): Shared,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let Ok(Query(answer)) = answer else {
        return dashboard
            .refused(&headers, StatusCode::BAD_REQUEST, "The answer has a parameter twice.")
            .await;
    };
    to_the_end(async move { dashboard.answered(&headers, answer).await }).await
}

#[derive(Deserialize)]
struct Wanted {
    call: Call,
}

async fn call(State(dashboard): Shared, headers: HeaderMap, Form(Wanted { call }): Form<Wanted>) -> Response {
    dashboard.act(headers, Action::Call(call)).await
}

async fn expire(State(dashboard): Shared, headers: HeaderMap) -> Response {
    dashboard.act(headers, Action::Expire).await
}

async fn revoke(State(dashboard): Shared, headers: HeaderMap) -> Response {
    dashboard.act(headers, Action::Revoke).await
}

async fn log_out(State(dashboard): Shared, headers: HeaderMap) -> Response {
    to_the_end(async move {
        let cookie = [(SET_COOKIE, dashboard.gone(SESSION))];
        if dashboard.leave(&headers).await {
            return (cookie, Redirect::to("/")).into_response();
        }
        let why = "The issuer could not be told, so what it gave may be good there until it expires.";
        (cookie, pages::notice(StatusCode::OK, "You are logged out here", why)).into_response()
    })
    .await
}

/// Whether or not the browser waits for it: where it went away while the issuer replaced a refresh token, the new one would be lost,
/// and to use the old one again is what a thief does.
async fn to_the_end(work: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(work).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// What a button does.
enum Action {
    Call(Call),
    /// Moves the time past the end of the access token, and calls the API with it.
    Expire,
    Revoke,
}

impl Dashboard {
    /// For sessions, which a moved clock leaves alone.
    fn now(&self) -> Duration {
        self.parties.clock.monotonic()
    }

    fn session(&self, headers: &HeaderMap) -> Option<Arc<Mutex<Session>>> {
        self.sessions.get(self.cookie_of(headers, SESSION)?, self.now())
    }

    async fn act(self: Arc<Self>, headers: HeaderMap, action: Action) -> Response {
        to_the_end(async move {
            let Some(session) = self.session(&headers) else {
                let why = "This session is over: somebody has logged out, or the dashboard was started anew.";
                return pages::notice(StatusCode::FORBIDDEN, "Nothing was done", why);
            };
            let mut session = session.lock().await;
            session.steps.clear();
            if session.tokens.is_none() {
                session.steps.push(Step::note(NO_TOKENS));
                return Redirect::to("/").into_response();
            }
            match action {
                Action::Call(call) => self.parties.call(&mut session, call).await,
                Action::Expire => self.expire(&mut session).await,
                Action::Revoke => self.parties.revoke(&mut session).await,
            }
            Redirect::to("/").into_response()
        })
        .await
    }

    async fn expire(&self, session: &mut Session) {
        let left = session.tokens.as_ref().and_then(|tokens| tokens.left(&*self.parties.clock));
        let (Some(clock), Some(left)) = (&self.test_clock, left) else { return };
        let by = left.saturating_add(Duration::from_secs(1));
        clock.advance(by);
        let what = format!("{} s go by for the issuer, the API and the dashboard", by.as_secs());
        session.steps.push(Step::note(&what));
        self.parties.call(session, Call::Orders).await;
    }

    /// Only what answers a question that this browser was sent away with, once.
    async fn answered(&self, headers: &HeaderMap, answer: Answer) -> Response {
        // RFC 6749 §10.12
        let Some(state) = answer.state else {
            let why = "The answer has no state: it may be anybody's.";
            return self.refused(headers, StatusCode::BAD_REQUEST, why).await;
        };
        let browser = self.cookie_of(headers, LOGIN);
        let is_its_own = |login: &Login| Some(login.browser.as_str()) == browser;
        let Some(login) = self.logins.take(&state, self.now(), is_its_own) else {
            let why = "This browser has begun no such login, or too long ago, or it was answered already.";
            return self.refused(headers, StatusCode::BAD_REQUEST, why).await;
        };
        if !self.parties.issuer.is_ours(answer.iss.as_deref()) {
            let why = "The answer does not come from the issuer that was asked.";
            return self.refused(headers, StatusCode::BAD_REQUEST, why).await;
        }
        if let Some(error) = answer.error {
            let description = answer.error_description.unwrap_or_default();
            let said = format!("The issuer said {error}: {description}.");
            return self.refused(headers, StatusCode::OK, &said).await;
        }
        let Some(code) = answer.code else {
            return self.refused(headers, StatusCode::BAD_REQUEST, "The answer has no code.").await;
        };
        match self.log_in(login, code).await {
            Ok(session) => {
                // Another name than before, whoever knew that one.
                let name = self.sessions.keep(Arc::new(Mutex::new(session)), self.now());
                self.leave(headers).await;
                ([(SET_COOKIE, self.cookie(SESSION, &name))], Redirect::to("/")).into_response()
            }
            Err((status, why)) => self.refused(headers, status, &why).await,
        }
    }

    /// Who wanted to log in anew, or to allow more, has what they had.
    async fn refused(&self, headers: &HeaderMap, status: StatusCode, why: &str) -> Response {
        match self.session(headers) {
            Some(session) => {
                let still = format!("{why} You are still logged in as {}.", session.lock().await.user.name);
                pages::notice(status, "Nothing has changed", &still)
            }
            None => pages::notice(status, "You are not logged in", why),
        }
    }

    /// The code for tokens, and these for a session.
    async fn log_in(&self, login: Login, code: String) -> Result<Session, (StatusCode, String)> {
        let Login { kind, scope, wanted, before, nonce, verifier, .. } = login;
        let Parties { issuer, clock, .. } = &self.parties;
        let tokens = issuer.exchange(kind, code, verifier, &scope, &**clock).await;
        let tokens = tokens.map_err(|none| match none {
            NoTokens::Over(said) => (StatusCode::BAD_REQUEST, format!("The issuer said {said}")),
            NoTokens::NotNow(said) => {
                (StatusCode::BAD_GATEWAY, format!("The issuer gave no tokens for the code: {said}"))
            }
        })?;
        let user = match &tokens.id {
            Some(id) => identity(id, issuer.issuer(), issuer.client_id(kind), &nonce, clock.wall()),
            None if asks_identity(&scope) => Err("there is none"),
            None => Ok(Identity { subject: String::new(), name: "somebody".to_owned() }),
        };
        let user = match user {
            Ok(user) => user,
            Err(why) => {
                self.parties.end(kind, &tokens).await;
                return Err((StatusCode::BAD_GATEWAY, format!("The ID token is not good: {why}.")));
            }
        };
        let what = "The dashboard gets tokens for the code, and keeps them".to_owned();
        let mut steps = vec![Step { what, status: Some(StatusCode::OK), said: Vec::new() }];
        if let Some(before) = before.filter(|before| before.subject != user.subject) {
            steps.push(Step::note(&format!("You are {} now; before, you were {}.", user.name, before.name)));
        }
        for scope in wanted.iter().filter(|scope| !tokens.scope.contains(scope)) {
            steps.push(Step::note(&format!("The issuer did not grant {scope}.")));
        }
        let mut session = Session {
            kind,
            user,
            tokens: Some(tokens),
            is_refused_anew: false,
            wanted: Vec::new(),
            steps,
            seen: None,
        };
        self.parties.call(&mut session, Call::Me).await;
        Ok(session)
    }

    /// Ends the session that a browser had, here and at the issuer. Tells whether the latter knows.
    async fn leave(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_of(headers, SESSION);
        let Some(session) = name.and_then(|name| self.sessions.take(name, self.now(), |_| true)) else {
            return true;
        };
        let mut session = session.lock().await;
        // Nobody who waits for the lock gets to use them.
        match session.tokens.take() {
            Some(tokens) => self.parties.end(session.kind, &tokens).await,
            None => true,
        }
    }

    /// For this browser and no script in it; not for what other sites send, but where their links and redirects lead here. Without `Secure`,
    /// for this page is on loopback: on https it would have that, and a name that begins with `__Host-`.
    fn cookie(&self, name: &str, value: &str) -> String {
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.named(name))
    }

    fn gone(&self, name: &str) -> String {
        format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", self.named(name))
    }

    /// Cookies know no ports: every server on this machine is sent them, and could set them. The name has ours, so that two dashboards
    /// do not log each other out.
    fn named(&self, name: &str) -> String {
        let port = self.origin.rsplit(':').next().unwrap_or_default();
        format!("dashboard-{name}-{port}")
    }

    fn cookie_of<'h>(&self, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let name = self.named(name);
        let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
        let mut pairs =
            fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(known, value)| *known == name && value.len() <= MAX_COOKIE_BYTES).map(|(_, value)| value)
    }
}

/// Longer than any of ours.
const MAX_COOKIE_BYTES: usize = 64;

/// Of a browser that is away at the issuer, and of one whose user is logged in.
const LOGIN: &str = "login";
const SESSION: &str = "session";
