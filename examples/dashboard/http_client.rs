//! How does this page reach the issuer and the API?

use std::{error::Error, time::Duration};

use axum::http::{Request, Response, Uri};

/// Sends one request, follows no redirect, and takes an answer of a bounded length within a bounded time.
#[derive(Clone)]
pub(crate) struct HttpClient {
    /// By the proxies that the environment names.
    outside: reqwest::Client,
    /// Not even they are told what stays on this machine.
    loopback: reqwest::Client,
}

/// For the reader of this page: it has nothing of the request in it.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

impl HttpClient {
    pub(crate) fn new() -> Result<Self, Failure> {
        let client =
            || reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        Ok(Self { outside: client().build()?, loopback: client().no_proxy().build()? })
    }

    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
        let client = if is_loopback(request.uri()) { &self.loopback } else { &self.outside };
        let request = request.try_into().map_err(told)?;
        let mut answer = client.execute(request).await.map_err(told)?;
        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(told)? {
            response.body_mut().extend_from_slice(&chunk);
            if response.body().len() > MAX_BYTES {
                return Err("the answer is too long".into());
            }
        }
        Ok(response)
    }
}

/// With its causes; without the URL, which may have a token in it.
fn told(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.into()
}

fn is_loopback(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| ["127.0.0.1", "[::1]", "localhost"].contains(&host))
}

/// Whether what goes there is seen by nobody else: by TLS, or because it stays on this machine.
pub(crate) fn is_private(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => is_loopback(&uri),
        _ => false,
    })
}

const TIMEOUT: Duration = Duration::from_secs(10);

const MAX_BYTES: usize = 1 << 20;
