//! What a client sees, over a real socket: accepted, refused, scope missing, authorization server down.
#![expect(clippy::disallowed_types, reason = "a client of the service")]

use std::error::Error;

use bearergate::{
    ResourceServer,
    testing::{Endpoint, Fault, TestIssuer},
};
use hyper_example::RESOURCE;
use reqwest::{Client, StatusCode, header::WWW_AUTHENTICATE};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Where the service is, and who issues its tokens.
async fn scene(down: bool) -> Outcome<(String, TestIssuer)> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    if down {
        issuer.faults().set(Endpoint::Metadata, Fault::Status(StatusCode::BAD_GATEWAY));
    }
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(hyper_example::serve(api, listener));
    Ok((url, issuer))
}

/// Status, challenge, content.
async fn get(url: &str, token: Option<&str>) -> Outcome<(StatusCode, Option<String>, String)> {
    let mut request = Client::new().get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await?;
    let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|field| field.to_str().ok());
    let challenge = challenge.map(str::to_owned);
    Ok((response.status(), challenge, response.text().await?))
}

#[tokio::test]
async fn a_good_token_is_accepted() -> Outcome {
    let (url, issuer) = scene(false).await?;
    let token = issuer.token().subject("anna").scope("read:orders").mint();
    for (path, text) in [("me", "anna"), ("orders", "the orders of anna")] {
        assert_eq!(
            get(&format!("{url}/{path}"), Some(&token)).await?,
            (StatusCode::OK, None, text.to_owned())
        );
    }
    Ok(())
}

#[tokio::test]
async fn no_token_and_bad_ones_are_refused() -> Outcome {
    let (url, issuer) = scene(false).await?;
    let (status, challenge, content) = get(&format!("{url}/me"), None).await?;
    assert_eq!((status, content.as_str()), (StatusCode::UNAUTHORIZED, ""));
    assert_eq!(challenge, Some(format!("Bearer realm=\"{RESOURCE}\"")));
    for bad in [issuer.token().forged().mint(), issuer.token().expired().mint(), "rubbish".to_owned()] {
        let (status, challenge, content) = get(&format!("{url}/me"), Some(&bad)).await?;
        assert_eq!((status, content.as_str()), (StatusCode::UNAUTHORIZED, ""));
        assert!(challenge.is_some_and(|text| text.contains("error=\"invalid_token\"")));
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() -> Outcome {
    let (url, issuer) = scene(false).await?;
    let token = issuer.token().scope("write:orders").mint();
    let (status, challenge, _) = get(&format!("{url}/orders"), Some(&token)).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let challenge = challenge.unwrap_or_default();
    assert!(challenge.contains("scope=\"read:orders\", error=\"insufficient_scope\""), "{challenge}");
    Ok(())
}

#[tokio::test]
async fn while_the_authorization_server_is_down_no_token_is_bad() -> Outcome {
    let (url, issuer) = scene(true).await?;
    let (status, challenge, _) = get(&format!("{url}/me"), Some(&issuer.token().mint())).await?;
    assert_eq!((status, challenge), (StatusCode::SERVICE_UNAVAILABLE, None));
    Ok(())
}
