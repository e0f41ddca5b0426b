//! How is the check set up that most teams write themselves? `middleware::from_fn` with jsonwebtoken.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use http::{StatusCode, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};

use super::SetUp;
use crate::{
    handler::MyClaims,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

pub(crate) async fn set_up(world: &World) -> SetUp {
    let set: JwkSet = serde_json::from_str(&world.jwks)?;
    let mut keys = HashMap::new();
    for jwk in &set.keys {
        let kid = jwk.common.key_id.clone().ok_or("a key has no `kid`")?;
        keys.insert(kid, DecodingKey::from_jwk(jwk)?);
    }
    let mut validation = Validation::new(world.algorithm.name().parse::<Algorithm>()?);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[RESOURCE]);
    let verifier = Arc::new(Verifier { keys, validation });
    Ok(Routed::boxed(
        Router::new().route("/", get(handler)).layer(middleware::from_fn_with_state(verifier, check)),
    ))
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is `decode`")]
async fn check(
    State(verifier): State<Arc<Verifier>>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let token = request.headers().get(AUTHORIZATION).and_then(|field| field.to_str().ok());
    let token = token.and_then(|field| field.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let header = decode_header(token).map_err(|_| StatusCode::UNAUTHORIZED)?;
    let key = header.kid.and_then(|kid| verifier.keys.get(&kid)).ok_or(StatusCode::UNAUTHORIZED)?;
    let verified = decode::<MyClaims>(token, key, &verifier.validation);
    let claims = verified.map_err(|_| StatusCode::UNAUTHORIZED)?.claims;
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}

async fn handler(claims: Extension<MyClaims>) -> StatusCode {
    claims.seen()
}
