//! The built-in HTTP client: the only file that names reqwest.
#![expect(clippy::disallowed_types, reason = "outside HTTP enters here")]

use std::{error::Error as StdError, time::Duration};

use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use reqwest::{Client, redirect, retry};

use crate::fetch::{
    ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Fetch, FetchError, FetchErrorKind, FetchFuture, FetchRequest,
    FetchResponse,
};

/// A [`Fetch`] by reqwest: no redirects, no retries of its own, no content encodings, connect within 2 s.
#[derive(Clone, Debug)]
pub struct HttpFetch {
    client: Client,
}

impl HttpFetch {
    /// Takes a client of yours, for its proxies, roots or DNS. Switch its redirects off: a redirect that it follows is
    /// a document from a place that nobody configured.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// For keys and metadata.
    pub(crate) fn build() -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Self::within(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)
    }

    pub(crate) fn within(
        connect_timeout: Duration,
        timeout: Duration,
    ) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let client = Client::builder()
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
            .build()?;
        Ok(Self { client })
    }
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let url = request.url.to_string();
        let is_question = request.is_question();
        let mut outgoing = match request.post {
            None => self.client.get(url),
            Some(post) => self
                .client
                .post(url)
                .header(CONTENT_TYPE, post.content_type())
                .body(post.content().to_owned()),
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
