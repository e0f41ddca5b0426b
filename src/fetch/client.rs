//! The built-in HTTP client: the only file that names reqwest.
#![expect(clippy::disallowed_types, reason = "outside HTTP enters here")]

use std::{
    error::Error as StdError,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{
    Uri,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH},
    uri::Scheme,
};
use reqwest::{Client, ClientBuilder, redirect, retry};

use crate::fetch::{
    ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Fetch, FetchError, FetchErrorKind, FetchFuture, FetchRequest,
    FetchResponse,
};

/// A [`Fetch`] by reqwest: no redirects, no retries of its own, no content encodings, connect within 2 s. It goes by the proxies that the
/// environment names, but for `http:` on loopback, which stays on this machine.
#[derive(Clone, Debug)]
pub struct HttpFetch {
    client: Client,
    /// `None` where the client is somebody else's.
    loopback: Option<Loopback>,
}

/// A client that knows no proxy, once there is something to fetch by it.
#[derive(Clone, Debug)]
struct Loopback {
    client: Arc<OnceLock<Option<Client>>>,
    connect_timeout: Duration,
    timeout: Duration,
}

impl HttpFetch {
    /// Takes a client of yours, for its proxies, roots or DNS. Switch its redirects off: a redirect that it follows is
    /// a document from a place that nobody configured.
    pub fn new(client: Client) -> Self {
        Self { client, loopback: None }
    }

    /// For keys and metadata.
    pub(crate) fn build() -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Self::within(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)
    }

    pub(crate) fn within(
        connect_timeout: Duration,
        timeout: Duration,
    ) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let loopback = Some(Loopback { client: Arc::default(), connect_timeout, timeout });
        Ok(Self { client: builder(connect_timeout, timeout).build()?, loopback })
    }

    /// Of `http:` nothing but loopback gets here.
    fn client_for(&self, url: &Uri) -> &Client {
        let loopback = self.loopback.as_ref().filter(|_| url.scheme() == Some(&Scheme::HTTP));
        loopback.and_then(Loopback::client).unwrap_or(&self.client)
    }
}

impl Loopback {
    fn client(&self) -> Option<&Client> {
        let build = || builder(self.connect_timeout, self.timeout).no_proxy().build().ok();
        self.client.get_or_init(build).as_ref()
    }
}

fn builder(connect_timeout: Duration, timeout: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .retry(retry::never())
        .user_agent(concat!("bearergate/", env!("CARGO_PKG_VERSION")))
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let client = self.client_for(&request.url);
        let url = request.url.to_string();
        let is_question = request.is_question();
        let mut outgoing = match request.post {
            None => client.get(url),
            Some(post) => {
                client.post(url).header(CONTENT_TYPE, post.content_type()).body(post.content().to_owned())
            }
        };
        outgoing = outgoing.header(ACCEPT, request.accept);
        if let Some(credentials) = request.authorization {
            outgoing = outgoing.header(AUTHORIZATION, credentials);
        }
        if let Some(tag) = request.if_none_match {
            outgoing = outgoing.header(IF_NONE_MATCH, tag);
        }
        if request.no_cache {
            outgoing = outgoing.header(CACHE_CONTROL, "no-cache");
        }
        let sent = outgoing.send();
        let max_bytes = request.max_bytes;
        Box::pin(async move {
            let mut response = sent.await.map_err(|error| sending_failed(error, is_question))?;
            let announced = response
                .headers()
                .get(CONTENT_LENGTH)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.parse::<usize>().ok());
            if announced.is_some_and(|length| length > max_bytes) {
                return Err(FetchErrorKind::TooLarge.into());
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(reading_failed)? {
                if body.len().saturating_add(chunk.len()) > max_bytes {
                    return Err(FetchErrorKind::TooLarge.into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(FetchResponse::new(response.status(), std::mem::take(response.headers_mut()), body))
        })
    }
}

/// A question that may have arrived must not look as if it had not: that one is tried again, and is no token's fault.
fn sending_failed(error: reqwest::Error, is_question: bool) -> FetchError {
    let kind = if error.is_timeout() && !(is_question && error.is_connect()) {
        FetchErrorKind::Timeout
    } else if is_question && !error.is_connect() {
        FetchErrorKind::Body
    } else {
        FetchErrorKind::Connect
    };
    FetchError::new(kind, error.without_url())
}

fn reading_failed(error: reqwest::Error) -> FetchError {
    let kind = if error.is_timeout() { FetchErrorKind::Timeout } else { FetchErrorKind::Body };
    FetchError::new(kind, error.without_url())
}
