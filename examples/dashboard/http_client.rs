//! How does this page reach the issuer and the API?

use std::{error::Error, time::Duration};

use axum::http::{Request, Response};

/// Sends one request, follows no redirect, and takes an answer of a bounded length within a bounded time.
#[derive(Clone)]
pub(crate) struct HttpClient(reqwest::Client);

/// For the reader of this page: it has nothing of the request in it.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

impl HttpClient {
    pub(crate) fn new() -> Result<Self, Failure> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        Ok(Self(client.build()?))
    }

    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
        let request = request.try_into().map_err(reqwest::Error::without_url)?;
        let mut answer = self.0.execute(request).await.map_err(reqwest::Error::without_url)?;
        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            response.body_mut().extend_from_slice(&chunk);
            if response.body().len() > MAX_BYTES {
                return Err("the answer is too long".into());
            }
        }
        Ok(response)
    }
}

const TIMEOUT: Duration = Duration::from_secs(10);

const MAX_BYTES: usize = 1 << 20;
