//! How is an issuer reached without a socket?

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, IF_NONE_MATCH},
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
        let issuer = Arc::clone(&self.0.state);
        if issuer.schedule.is_refusing() {
            return Box::pin(std::future::ready(Err(FetchErrorKind::Connect.into())));
        }
        let delivery = {
            let headers = headers(&request);
            let (method, body) = match &request.post {
                Some(post) => (&Method::POST, post.content().as_bytes()),
                None => (&Method::GET, &[][..]),
            };
            let exchange = Exchange {
                method,
                path: request.url.path(),
                query: request.url.query().unwrap_or_default(),
                headers: &headers,
                body,
            };
            Delivery::new(&issuer, &exchange)
        };
        let (max_bytes, is_question) = (request.max_bytes, request.is_question());
        Box::pin(async move {
            delivery.leaves(&issuer).await;
            received(delivery, max_bytes, is_question).await
        })
    }
}

fn headers(request: &FetchRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.extend(request.if_none_match.clone().map(|tag| (IF_NONE_MATCH, tag)));
    headers.extend(request.no_cache.then(|| (CACHE_CONTROL, HeaderValue::from_static("no-cache"))));
    headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
    headers.extend(request.authorization.clone().map(|credentials| (AUTHORIZATION, credentials)));
    headers.extend(
        request.post.as_ref().map(|post| (CONTENT_TYPE, HeaderValue::from_static(post.content_type()))),
    );
    headers
}

/// What a client gets of it.
async fn received(
    delivery: Delivery,
    max_bytes: usize,
    is_question: bool,
) -> Result<FetchResponse, FetchError> {
    let (parts, body) = delivery.response.into_parts();
    match delivery.breakage {
        Some(Breakage::Drip(pause)) => {
            // The status line and the fields are about as long as this.
            let octets = u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(100);
            tokio::time::sleep(pause.saturating_mul(octets)).await;
        }
        Some(Breakage::Endless) => return Err(FetchErrorKind::TooLarge.into()),
        Some(Breakage::ResetMidBody | Breakage::Truncated) => return Err(FetchErrorKind::Body.into()),
        Some(Breakage::ResetMidHead) if is_question => return Err(FetchErrorKind::Body.into()),
        Some(Breakage::ResetMidHead) => return Err(FetchErrorKind::Connect.into()),
        None => (),
    }
    if body.len() > max_bytes {
        return Err(FetchErrorKind::TooLarge.into());
    }
    Ok(FetchResponse::new(parts.status, parts.headers, body))
}

#[cfg(test)]
mod tests;
