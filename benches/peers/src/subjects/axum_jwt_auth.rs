//! How is axum-jwt-auth set up? As its README says: a decoder with a JWKS endpoint, and the extractor `Claims`.

use std::sync::Arc;

use axum::{Router, routing::get};
use axum_jwt_auth::{Claims, Decoder, RemoteJwksDecoder};
use http::StatusCode;
use jsonwebtoken_10::{
    Algorithm, Validation,
    crypto::{aws_lc, rust_crypto},
};

use super::SetUp;
use crate::{
    handler::MyClaims,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

/// What its jsonwebtoken checks signatures with. It comes with the slower one; an application can install the other, once
/// per process.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    AwsLc,
    RustCrypto,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AwsLc => "axum-jwt-auth with aws-lc",
            Self::RustCrypto => "axum-jwt-auth",
        }
    }

    pub(crate) fn install(self) {
        let provider = match self {
            Self::AwsLc => &aws_lc::DEFAULT_PROVIDER,
            Self::RustCrypto => &rust_crypto::DEFAULT_PROVIDER,
        };
        provider.install_default().expect("nobody has installed one before");
    }
}

pub(crate) async fn set_up(world: &World) -> SetUp {
    let mut validation = Validation::new(world.algorithm.name().parse::<Algorithm>()?);
    validation.set_audience(&[RESOURCE]);
    validation.set_issuer(&[ISSUER]);
    let decoder =
        RemoteJwksDecoder::builder().jwks_url(world.jwks_url.clone()).validation(validation).build()?;
    let decoder = Arc::new(decoder);
    decoder.initialize().await?;
    let decoder: Decoder<MyClaims> = decoder;
    Ok(Routed::boxed(Router::new().route("/", get(handler)).with_state(decoder)))
}

async fn handler(user: Claims<MyClaims>) -> StatusCode {
    user.claims.seen()
}
