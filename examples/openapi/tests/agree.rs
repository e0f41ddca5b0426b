//! What the description says of an operation is what the service asks for, what a refusal names, and what the metadata lists.

use std::{collections::BTreeSet, error::Error};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header::AUTHORIZATION},
};
use bearergate::{Issuer, testing::TestIssuer};
use http_body_util::BodyExt as _;
use openapi_example::{RESOURCE, app, resource_server};
use serde_json::Value;
use tower::ServiceExt as _;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn scene() -> Outcome<(TestIssuer, Router)> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://login.example.com");
    let api = resource_server(Issuer::jwks(issuer.url(), issuer.jwks()))?;
    Ok((issuer, app(&api)?))
}

async fn document(app: &Router, path: &str) -> Outcome<Value> {
    let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
}

/// Status and challenge of an operation.
async fn call(app: &Router, method: &str, path: &str, token: String) -> Outcome<(StatusCode, String)> {
    let request = Request::builder().method(method).uri(path.replace("{id}", "7"));
    let request = request.header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    let challenge = response.headers().get("www-authenticate").map(|field| field.to_str().map(str::to_owned));
    Ok((response.status(), challenge.transpose()?.unwrap_or_default()))
}

#[tokio::test]
async fn the_description_says_what_the_service_asks_for() -> Outcome {
    let (issuer, app) = scene()?;
    let description = document(&app, "/openapi.json").await?;
    let mut described = BTreeSet::new();
    let mut operations = 0;
    for (path, item) in description["paths"].as_object().ok_or("no paths")? {
        for (method, operation) in item.as_object().ok_or("no operations")? {
            operations += 1;
            let method = method.to_uppercase();
            let ways = operation.get("security").unwrap_or(&description["security"]);
            let (status, challenge) = call(&app, &method, path, issuer.token().scope("none").mint()).await?;
            let ways: Vec<Vec<&str>> = ways
                .as_array()
                .ok_or("no ways in")?
                .iter()
                .map(|way| way["bearer"].as_array().into_iter().flatten().filter_map(Value::as_str).collect())
                .collect();
            for way in &ways {
                let token = issuer.token().scope(way.join(" ")).mint();
                let (status, _) = call(&app, &method, path, token).await?;
                assert_eq!(status, StatusCode::OK, "{method} {path} with {way:?}");
                described.extend(way.iter().map(|scope| (*scope).to_owned()));
            }
            if ways == [Vec::<&str>::new()] {
                assert_eq!(status, StatusCode::OK, "{method} {path} asks for a good token alone");
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
                let named = format!("scope=\"{}\"", ways[0].join(" "));
                assert!(challenge.contains(&named), "{method} {path}: {challenge}");
            }
        }
    }
    assert_eq!(operations, 4, "every operation is described");
    let metadata = document(&app, "/.well-known/oauth-protected-resource").await?;
    let listed: BTreeSet<String> = serde_json::from_value(metadata["scopes_supported"].clone())?;
    assert_eq!(listed, described, "and the metadata lists the same");
    Ok(())
}
