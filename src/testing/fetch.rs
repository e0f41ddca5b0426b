//! How is an issuer reached without a socket?

use http::{
    HeaderMap, HeaderValue, Method,
    header::{CACHE_CONTROL, IF_NONE_MATCH},
};

use crate::{
    fetch::{Fetch, FetchError, FetchErrorKind, FetchFuture, FetchRequest, FetchResponse},
    testing::{
        delivery::{Breakage, Delivery},
        endpoints::Exchange,
        issuer::TestIssuer,
    },
};

/// A [`Fetch`] that asks a [`TestIssuer`] in memory: for tests with paused time. Made by [`TestIssuer::fetch`].
///
/// [`Faults`](super::Faults) have the outcome that they have with [`HttpFetch`](crate::HttpFetch).
#[derive(Clone, Debug)]
pub struct IssuerFetch(pub(super) TestIssuer);

impl Fetch for IssuerFetch {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let issuer = std::sync::Arc::clone(&self.0.state);
        if issuer.schedule.is_refusing() {
            return Box::pin(std::future::ready(Err(FetchErrorKind::Connect.into())));
        }
        let delivery = {
            let headers = headers(&request);
            let exchange =
                Exchange { method: &Method::GET, path: request.url.path(), headers: &headers, body: &[] };
            Delivery::new(&issuer, &exchange)
        };
        let max_bytes = request.max_bytes;
        Box::pin(async move {
            delivery.leaves(&issuer).await;
            received(delivery, max_bytes).await
        })
    }
}

fn headers(request: &FetchRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.extend(request.if_none_match.clone().map(|tag| (IF_NONE_MATCH, tag)));
    headers.extend(request.no_cache.then(|| (CACHE_CONTROL, HeaderValue::from_static("no-cache"))));
    headers
}

/// What a client gets of it.
async fn received(delivery: Delivery, max_bytes: usize) -> Result<FetchResponse, FetchError> {
    let (parts, body) = delivery.response.into_parts();
    match delivery.breakage {
        Some(Breakage::Drip(pause)) => {
            // The status line and the fields are about as long as this.
            let octets = u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(100);
            tokio::time::sleep(pause.saturating_mul(octets)).await;
        }
        Some(Breakage::Endless) => return Err(FetchErrorKind::TooLarge.into()),
        Some(Breakage::ResetMidBody | Breakage::Truncated) => return Err(FetchErrorKind::Body.into()),
        Some(Breakage::ResetMidHead) => return Err(FetchErrorKind::Connect.into()),
        None => (),
    }
    if body.len() > max_bytes {
        return Err(FetchErrorKind::TooLarge.into());
    }
    Ok(FetchResponse::new(parts.status, parts.headers, body))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{StatusCode, Uri, header::CONTENT_TYPE};

    use super::*;
    use crate::{
        fetch::{MAX_JWKS_BYTES, client::HttpFetch},
        testing::{Endpoint, Fault},
    };

    fn request(issuer: &TestIssuer, path: &str) -> FetchRequest {
        let url = format!("{}{path}", issuer.url()).parse().unwrap();
        let accept = "application/json";
        FetchRequest { url, accept, max_bytes: MAX_JWKS_BYTES, if_none_match: None, no_cache: false }
    }

    /// What a caller can tell apart.
    async fn outcome(
        fetched: FetchFuture,
    ) -> Result<(StatusCode, Option<HeaderValue>, Vec<u8>), FetchErrorKind> {
        match fetched.await {
            Ok(response) => Ok((response.status, response.headers.get(CONTENT_TYPE).cloned(), response.body)),
            Err(error) => Err(error.kind()),
        }
    }

    /// Faults that end by themselves, and what the built-in client makes of them.
    fn faults() -> Vec<(Fault, Result<StatusCode, FetchErrorKind>)> {
        let ok = Ok(StatusCode::OK);
        let mut faults = vec![
            (Fault::Document(b"{\xff}".to_vec()), ok),
            (Fault::DripFeed(Duration::ZERO), ok),
            (Fault::EmptySet, ok),
            (Fault::Endless, Err(FetchErrorKind::TooLarge)),
            (Fault::GzipBomb, ok),
            (Fault::header("content-type", "text/plain"), ok),
            (Fault::Html, ok),
            (Fault::JwksUri("elsewhere".into()), ok),
            (Fault::None, ok),
            (Fault::OddKeys, ok),
            (Fault::Oversized(MAX_JWKS_BYTES), ok),
            (Fault::Oversized(MAX_JWKS_BYTES + 1), Err(FetchErrorKind::TooLarge)),
            (Fault::Redirect(Uri::from_static("/jwks")), Ok(StatusCode::FOUND)),
            (Fault::ResetMidBody, Err(FetchErrorKind::Body)),
            (Fault::ResetMidHead, Err(FetchErrorKind::Connect)),
            (Fault::SkewedDate(-3600), ok),
            (Fault::Slow(Duration::from_millis(1)), ok),
            (Fault::Truncated, Err(FetchErrorKind::Body)),
            (Fault::WithoutHeader(CONTENT_TYPE), ok),
            (Fault::WrongIssuer("https://other.example".into()), ok),
        ];
        let statuses = [304, 400, 401, 403, 404, 410, 429, 451, 499, 500, 502, 503, 504, 599];
        faults.extend(statuses.map(|status| {
            let status = StatusCode::from_u16(status).unwrap();
            (Fault::Status(status), Ok(status))
        }));
        faults
    }

    #[tokio::test]
    async fn faults_have_the_outcome_in_memory_that_they_have_over_a_socket() {
        let issuer = TestIssuer::start().await.unwrap();
        let (socket, memory) = (HttpFetch::build().unwrap(), issuer.fetch());
        for (endpoint, path) in
            [(Endpoint::Jwks, "/jwks"), (Endpoint::Metadata, "/.well-known/openid-configuration")]
        {
            for (fault, expected) in faults() {
                issuer.faults().set(endpoint, fault.clone());
                let over_socket = outcome(socket.fetch(request(&issuer, path))).await;
                let in_memory = outcome(memory.fetch(request(&issuer, path))).await;
                assert_eq!(in_memory, over_socket, "{fault:?}");
                assert_eq!(over_socket.map(|(status, ..)| status), expected, "{fault:?}");
            }
            assert_eq!(issuer.requests_to(endpoint), 2 * faults().len() as u64);
        }
    }

    #[tokio::test]
    async fn a_closed_socket_refuses_and_opens_again() {
        let issuer = TestIssuer::start().await.unwrap();
        let (socket, memory) = (HttpFetch::build().unwrap(), issuer.fetch());
        for _ in 0..2 {
            for client in [&socket as &dyn Fetch, &memory] {
                assert!(outcome(client.fetch(request(&issuer, "/jwks"))).await.is_ok());
            }
            issuer.faults().refuse_connections().await;
            for client in [&socket as &dyn Fetch, &memory] {
                let refused = outcome(client.fetch(request(&issuer, "/jwks"))).await;
                assert_eq!(refused, Err(FetchErrorKind::Connect));
            }
            issuer.faults().accept_connections().await.unwrap();
            // Twice does no harm.
            issuer.faults().accept_connections().await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_overtaken_is_the_older_one() {
        let issuer = TestIssuer::start().await.unwrap();
        let (socket, memory) = (HttpFetch::build().unwrap(), issuer.fetch());
        for client in [&socket as &dyn Fetch, &memory] {
            issuer.faults().script(Endpoint::Jwks, [Fault::OutOfOrder]);
            let old = issuer.jwks();
            let asked = issuer.requests_to(Endpoint::Jwks);
            let first = tokio::spawn(outcome(client.fetch(request(&issuer, "/jwks"))));
            while issuer.requests_to(Endpoint::Jwks) == asked {
                tokio::task::yield_now().await;
            }
            issuer.rotate();
            let (_, _, second) = outcome(client.fetch(request(&issuer, "/jwks"))).await.unwrap();
            assert_eq!(second, issuer.jwks().into_bytes());
            let (_, _, first) = first.await.unwrap().unwrap();
            assert_eq!(first, old.into_bytes());
        }
    }

    #[tokio::test]
    async fn what_is_held_is_not_sent_again() {
        let issuer = TestIssuer::start().await.unwrap();
        let (socket, memory) = (HttpFetch::build().unwrap(), issuer.fetch());
        for client in [&socket as &dyn Fetch, &memory] {
            let first = client.fetch(request(&issuer, "/jwks")).await.unwrap();
            let tag = first.headers["etag"].to_str().unwrap().to_owned();
            for (asked, status) in [
                (tag.clone(), 304),
                (format!("W/{tag}"), 304),
                (format!("\"other\", {tag}"), 304),
                ("*".into(), 304),
                ("\"other\"".into(), 200),
            ] {
                let mut conditional = request(&issuer, "/jwks");
                conditional.if_none_match = Some(asked.parse().unwrap());
                let answer = client.fetch(conditional).await.unwrap();
                assert_eq!(answer.status, status, "{asked}");
                assert_eq!(answer.headers["etag"].to_str().unwrap(), tag);
                assert_eq!(answer.body.is_empty(), status == 304);
            }
        }
        assert_eq!(issuer.not_modified(), 8);
    }
}
