use std::time::Duration;

use http::{StatusCode, Uri, header::CONTENT_TYPE};
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::{
    fetch::{MAX_JWKS_BYTES, client::HttpFetch},
    testing::{Endpoint, Fault},
};

fn request(issuer: &TestIssuer, path: &str) -> FetchRequest {
    let url = format!("{}{path}", issuer.url()).parse().unwrap();
    let accept = "application/json";
    FetchRequest::get(url, accept, MAX_JWKS_BYTES)
}

/// What a caller can tell apart.
async fn outcome(fetched: FetchFuture) -> Result<(StatusCode, Option<HeaderValue>, Vec<u8>), FetchErrorKind> {
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
async fn the_built_in_client_sends_the_fields_that_it_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let client = HttpFetch::build().unwrap();
    for (tag, no_cache) in [(None, false), (Some("W/\"a\""), false), (None, true)] {
        let request = FetchRequest {
            if_none_match: tag.map(HeaderValue::from_static),
            no_cache,
            ..FetchRequest::get(url.parse().unwrap(), "application/json", 10)
        };
        let head = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            String::from_utf8(head).unwrap()
        };
        let (head, _hung_up) = tokio::join!(head, client.fetch(request));
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        assert_eq!(field("accept"), Some("application/json"));
        assert_eq!(field("if-none-match"), tag);
        assert_eq!(field("cache-control"), no_cache.then_some("no-cache"));
        assert_eq!((field("accept-encoding"), field("cookie"), field("referer")), (None, None, None));
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
