//! A `Fetch` in memory that does what a test tells it, and counts.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by several test binaries"
)]

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bearergate::{Fetch, FetchErrorKind, FetchFuture, FetchRequest, FetchResponse, testing::TestIssuer};
use http::{HeaderMap, StatusCode};

/// How the server behaves.
#[derive(Clone, Debug)]
pub enum Mode {
    /// As it should.
    Good,
    /// Every request gets this document with 200, JWKS requests only.
    Jwks(String),
    /// With these header fields.
    WithHeaders(HeaderMap),
    Error(FetchErrorKind),
    Hang,
    /// Only this host answers.
    HangAllBut(String),
    /// The metadata only.
    MetadataHangs,
    MetadataStatus(StatusCode),
    Panic,
    Slow(Duration),
    Status(StatusCode),
}

#[derive(Clone, Debug)]
pub struct ScriptedFetch {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    issuers: HashMap<String, TestIssuer>,
    mode: Mode,
    requests: Vec<String>,
    running: usize,
    most_running: usize,
}

impl ScriptedFetch {
    pub fn new(issuer: &TestIssuer) -> Self {
        Self::of([issuer])
    }

    pub fn of<'i>(issuers: impl IntoIterator<Item = &'i TestIssuer>) -> Self {
        let issuers = issuers.into_iter().map(|issuer| (issuer.url().to_owned(), issuer.clone())).collect();
        let state = State { issuers, mode: Mode::Good, requests: Vec::new(), running: 0, most_running: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub fn set(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
    }

    /// Requests for key sets so far.
    pub fn jwks_requests(&self) -> usize {
        self.state.lock().unwrap().requests.iter().filter(|url| url.ends_with("/jwks")).count()
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_running
    }

    /// How many drivers and servers hold this client, this handle left out.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.state) - 1
    }
}

/// Counts a fetch as running until it ends or is dropped.
struct Running(Arc<Mutex<State>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).running -= 1;
    }
}

impl Fetch for ScriptedFetch {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let (mode, issuer) = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(request.url.to_string());
            state.running += 1;
            state.most_running = state.most_running.max(state.running);
            let origin =
                format!("{}://{}", request.url.scheme_str().unwrap(), request.url.authority().unwrap());
            (state.mode.clone(), state.issuers.get(&origin).cloned())
        };
        let running = Running(Arc::clone(&self.state));
        let is_jwks = request.url.path() == "/jwks";
        Box::pin(async move {
            let _running = running;
            let issuer = issuer.ok_or(FetchErrorKind::Connect)?;
            match mode {
                Mode::Good => issuer.fetch().fetch(request).await,
                Mode::Jwks(document) if is_jwks => {
                    Ok(FetchResponse::new(StatusCode::OK, HeaderMap::new(), document.into_bytes()))
                }
                Mode::Jwks(_) => issuer.fetch().fetch(request).await,
                Mode::WithHeaders(headers) => {
                    let mut response = issuer.fetch().fetch(request).await?;
                    response.headers.extend(headers);
                    Ok(response)
                }
                Mode::Error(kind) => Err(kind.into()),
                Mode::Hang => pending().await,
                Mode::HangAllBut(host) if request.url.host() != Some(&host) => pending().await,
                Mode::MetadataHangs if !is_jwks => pending().await,
                Mode::MetadataStatus(status) if !is_jwks => {
                    Ok(FetchResponse::new(status, HeaderMap::new(), Vec::new()))
                }
                Mode::HangAllBut(_) | Mode::MetadataHangs | Mode::MetadataStatus(_) => {
                    issuer.fetch().fetch(request).await
                }
                Mode::Panic => panic!("the fetcher panics, as the test wants it"),
                Mode::Slow(delay) => {
                    tokio::time::sleep(delay).await;
                    issuer.fetch().fetch(request).await
                }
                Mode::Status(status) => Ok(FetchResponse::new(status, HeaderMap::new(), Vec::new())),
            }
        })
    }
}
