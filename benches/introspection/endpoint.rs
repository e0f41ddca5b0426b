//! What answers in place of an authorization server, and counts? And what tells the time?

use std::{
    future::{Future, pending, ready},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bearergate::{
    Clock, Fetch, FetchErrorKind, FetchFuture, FetchRequest, FetchResponse, SystemClock, UnixTime,
};
use http::{HeaderMap, StatusCode};

use crate::{ISSUER, RESOURCE};

/// How the endpoint is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    Fails,
    Hangs,
    Refuses,
    #[default]
    Well,
}

/// Calls a token good that begins with `good`. One that begins with a status gets that status. Others are inactive.
#[derive(Clone, Debug, Default)]
pub struct Endpoint(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    delay: Duration,
    calls: usize,
    running: usize,
    most: usize,
}

struct Running(Arc<Mutex<State>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap().running -= 1;
    }
}

impl Endpoint {
    pub fn set(&self, mode: Mode) {
        self.0.lock().unwrap().mode = mode;
    }

    pub fn slow(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    pub fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    pub fn most_at_once(&self) -> usize {
        self.0.lock().unwrap().most
    }
}

impl Fetch for Endpoint {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let (mode, delay) = {
            let mut state = self.0.lock().unwrap();
            state.calls += 1;
            state.running += 1;
            state.most = state.most.max(state.running);
            (state.mode, state.delay)
        };
        let running = Running(Arc::clone(&self.0));
        let content = request.post.map(|post| post.content().to_owned()).unwrap_or_default();
        let answer: Pin<Box<dyn Future<Output = Result<FetchResponse, _>> + Send>> = match mode {
            Mode::Fails => Box::pin(ready(Ok(response(StatusCode::INTERNAL_SERVER_ERROR, "")))),
            Mode::Hangs => Box::pin(pending()),
            Mode::Refuses => Box::pin(ready(Err(FetchErrorKind::Connect.into()))),
            Mode::Well => Box::pin(ready(Ok(answer(&content)))),
        };
        Box::pin(async move {
            let _running = running;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            answer.await
        })
    }
}

fn answer(form: &str) -> FetchResponse {
    let token = form.strip_prefix("token=").unwrap_or_default();
    if token.starts_with("good") {
        let claims = format!(
            r#"{{"active":true,"iss":"{ISSUER}","aud":"{RESOURCE}","sub":"ada","client_id":"web","scope":"read write","token_type":"Bearer","tenant":"acme","roles":["buyer","approver"],"exp":4102444800}}"#
        );
        return response(StatusCode::OK, &claims);
    }
    let status = token.split_once('-').and_then(|(status, _)| StatusCode::from_bytes(status.as_bytes()).ok());
    match status {
        Some(status) => response(status, ""),
        None => response(StatusCode::OK, r#"{"active":false}"#),
    }
}

fn response(status: StatusCode, body: &str) -> FetchResponse {
    FetchResponse::new(status, HeaderMap::new(), body.as_bytes().to_vec())
}

/// The time of this machine, and as much later as a scenario wants.
#[derive(Clone, Debug, Default)]
pub struct Moved(Arc<AtomicU64>);

impl Moved {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Relaxed);
    }

    fn shift(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
    }
}

impl Clock for Moved {
    fn wall(&self) -> UnixTime {
        SystemClock::default().wall().saturating_add(self.shift())
    }

    fn monotonic(&self) -> Duration {
        SystemClock::default().monotonic() + self.shift()
    }
}
