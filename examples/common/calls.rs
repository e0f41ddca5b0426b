//! What the example services answer over a real socket, whatever their framework: accepted, refused, scope missing, authorization
//! server down.

use std::error::Error;

use bearergate::{
    ResourceServer,
    testing::{Endpoint, Fault, TestIssuer},
};
use reqwest::{Client, StatusCode, header::WWW_AUTHENTICATE};

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// An issuer, reachable or not, and a server for this resource that trusts it.
pub async fn issuer_and_server(resource: &str, down: bool) -> Outcome<(TestIssuer, ResourceServer)> {
    let issuer = TestIssuer::builder().default_audience(resource).start().await?;
    if down {
        issuer.faults().set(Endpoint::Metadata, Fault::Status(StatusCode::BAD_GATEWAY));
    }
    let api = ResourceServer::builder(resource).trust(issuer.trusted()).build()?;
    Ok((issuer, api))
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

pub async fn a_good_token_is_accepted(url: &str, issuer: &TestIssuer) -> Outcome {
    let token = issuer.token().subject("anna").scope("read:orders").mint();
    for (path, text) in [("me", "anna"), ("orders", "the orders of anna")] {
        let answer = get(&format!("{url}/{path}"), Some(&token)).await?;
        assert_eq!(answer, (StatusCode::OK, None, text.to_owned()));
    }
    Ok(())
}

pub async fn no_token_and_bad_ones_are_refused(url: &str, issuer: &TestIssuer, resource: &str) -> Outcome {
    let (status, challenge, content) = get(&format!("{url}/me"), None).await?;
    assert_eq!((status, content.as_str()), (StatusCode::UNAUTHORIZED, ""));
    assert_eq!(challenge, Some(format!("Bearer realm=\"{resource}\"")));
    for bad in [issuer.token().forged().mint(), issuer.token().expired().mint(), "rubbish".to_owned()] {
        let (status, challenge, content) = get(&format!("{url}/me"), Some(&bad)).await?;
        assert_eq!((status, content.as_str()), (StatusCode::UNAUTHORIZED, ""));
        assert!(challenge.is_some_and(|text| text.contains("error=\"invalid_token\"")));
    }
    Ok(())
}

pub async fn a_missing_scope_is_403_and_named(url: &str, issuer: &TestIssuer) -> Outcome {
    let token = issuer.token().scope("write:orders").mint();
    let (status, challenge, _) = get(&format!("{url}/orders"), Some(&token)).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let challenge = challenge.unwrap_or_default();
    assert!(challenge.contains("scope=\"read:orders\", error=\"insufficient_scope\""), "{challenge}");
    Ok(())
}

pub async fn while_the_authorization_server_is_down_no_token_is_bad(
    url: &str,
    issuer: &TestIssuer,
) -> Outcome {
    let (status, challenge, _) = get(&format!("{url}/me"), Some(&issuer.token().mint())).await?;
    assert_eq!((status, challenge), (StatusCode::SERVICE_UNAVAILABLE, None));
    Ok(())
}
