//! What the benches handle: tokens of one algorithm, the key that checks them, and a server that trusts it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "shared by several benches, which fail by panicking"
)]

pub mod figures;
pub mod measure;
pub mod refusals;

use std::{
    convert::Infallible,
    future::Future as _,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{Algorithm, BearerAuth, Issuer, ResourceServer, ResourceServerBuilder, testing::TestIssuer};
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer as _, Service, service_fn};

pub const RESOURCE: &str = "https://api.example.com";
pub const ISSUER: &str = "https://login.example.com/realms/main";
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

/// What a typical service reads.
#[derive(Deserialize)]
pub struct MyClaims {
    pub sub: String,
    pub client_id: String,
    pub tenant: String,
    pub roles: Vec<String>,
}

/// A key set and tokens, as text. An RS256 token has about 940 octets.
pub fn tokens(algorithm: Algorithm, count: usize) -> (String, Vec<String>) {
    let issuer = TestIssuer::builder().algorithms([algorithm]).default_audience(RESOURCE).offline(ISSUER);
    let expires_in = std::time::Duration::from_secs(24 * 3600);
    let mint = |n| {
        let token = issuer
            .token()
            .subject(format!("00u8d9f2-7c1e-4b1a-{n:08}"))
            .scope("openid read:orders write:orders");
        let token = token.claim("tenant", "acme-industries").claim("roles", ["buyer", "approver"]);
        let token = token.claim("sid", format!("5b2c1f0e-93aa-4d5e-{n:012}")).claim("azp", "web-dashboard");
        token.expires_in(expires_in).mint()
    };
    (issuer.jwks(), (0..count).map(mint).collect())
}

/// One algorithm's tokens, and the ways to handle them.
pub struct Subject {
    pub algorithm: Algorithm,
    fields: Vec<HeaderValue>,
    /// Signing input and signature.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    key: ParsedPublicKey,
    jwks: String,
    api: ResourceServer,
}

impl Subject {
    pub fn new(algorithm: Algorithm, jwks: &str, tokens: &[String]) -> Self {
        Self::by(algorithm, jwks, tokens, |builder| builder)
    }

    /// With a server that is set up in another way.
    pub fn by(
        algorithm: Algorithm,
        jwks: &str,
        tokens: &[String],
        set_up: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        let builder = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(ISSUER, jwks));
        let api = set_up(builder).build().unwrap();
        let fields =
            tokens.iter().map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap()).collect();
        let signed = tokens
            .iter()
            .map(|token| {
                let (input, signature) = token.rsplit_once('.').unwrap();
                (input.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).unwrap())
            })
            .collect();
        Self { algorithm, fields, signed, key: public_key(jwks, algorithm), jwks: jwks.to_owned(), api }
    }

    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    pub fn request(&self, turn: usize) -> Request<()> {
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, self.fields[turn % self.fields.len()].clone());
        request
    }

    /// The bare signature check, by a key that was parsed before.
    pub fn raw(&self, turn: usize) {
        let (input, signature) = &self.signed[turn % self.signed.len()];
        self.key.verify_sig(black_box(input), black_box(signature)).unwrap();
    }

    /// What stands beside the signature at the least: base64 of the payload, and serde_json into the service's claims.
    pub fn parse(&self, turn: usize) {
        let (input, _) = &self.signed[turn % self.signed.len()];
        let payload = input.rsplit(|octet| *octet == b'.').next().unwrap();
        let octets = URL_SAFE_NO_PAD.decode(black_box(payload)).unwrap();
        let claims: MyClaims = serde_json::from_slice(&octets).unwrap();
        black_box(claims);
    }

    pub fn layered<S>(&self, service: S) -> BearerAuth<S, MyClaims> {
        self.api.layer_for::<MyClaims>().layer(service)
    }
}

fn public_key(jwks: &str, algorithm: Algorithm) -> ParsedPublicKey {
    let jwks: Value = serde_json::from_str(jwks).unwrap();
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwks["keys"][0][name].as_str().unwrap()).unwrap();
    match algorithm {
        Algorithm::Rs256 => RsaPublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
            .unwrap(),
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).unwrap()
        }
        _ => ParsedPublicKey::new(&signature::ED25519, member("x")).unwrap(),
    }
}

/// A service that does nothing.
pub fn bare() -> impl Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone {
    service_fn(|request: Request<()>| {
        black_box(&request);
        async { Ok::<_, Infallible>(Response::new(())) }
    })
}

/// What a service answers at once.
pub fn answer<S>(service: &mut S, request: Request<()>) -> Response<()>
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let mut future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing is to be waited for")
    };
    response
}

/// Calls a service that accepts at once.
pub fn call<S>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    assert_eq!(answer(service, request).status(), StatusCode::OK);
}
