//! Which tokens are shown to everybody, good and bad, and by which keys are they checked?

use std::{sync::Arc, time::Duration};

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    Algorithm,
    testing::{TestIssuer, TokenBuilder},
};
use http::HeaderValue;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::subject::RawCheck;

pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
pub(crate) const ISSUER: &str = "https://login.example.com/realms/main";
pub(crate) const RESOURCE: &str = "https://api.example.com";
/// What `handler::seen` notes for the good token of the sanity checks.
pub(crate) const CALLER: &str = "somebody test-client acme-industries buyer approver";

/// What a subject is set up with.
pub(crate) struct World {
    pub(crate) algorithm: Algorithm,
    pub(crate) jwks: String,
    /// Where the same set can be fetched, on loopback.
    pub(crate) jwks_url: String,
}

/// A token that a resource server should refuse.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) field: HeaderValue,
}

pub(crate) struct Tokens {
    /// The octets of one.
    pub(crate) octets: usize,
    /// `Authorization` fields.
    pub(crate) fields: Vec<HeaderValue>,
    pub(crate) raw: RawCheck,
    pub(crate) good: HeaderValue,
    /// Those that everybody must refuse come first.
    pub(crate) probes: Vec<Probe>,
}

/// How many of the probes everybody must refuse.
pub(crate) const MUST_REFUSE: usize = 3;

pub(crate) async fn world(algorithm: Algorithm, count: usize) -> std::io::Result<(World, Tokens)> {
    let issuer = TestIssuer::builder().algorithms([algorithm]).default_audience(RESOURCE).offline(ISSUER);
    let jwks = issuer.jwks();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let jwks_url = format!("http://{}/jwks.json", listener.local_addr()?);
    let body = jwks.clone();
    let document = || async move { ([("content-type", "application/json")], body) };
    let app = axum::Router::new().route("/jwks.json", axum::routing::get(document));
    tokio::spawn(async { axum::serve(listener, app).await });
    let tokens = mint(&issuer, &jwks, algorithm, count);
    Ok((World { algorithm, jwks, jwks_url }, tokens))
}

fn mint(issuer: &TestIssuer, jwks: &str, algorithm: Algorithm, count: usize) -> Tokens {
    let token = || {
        let token =
            issuer.token().scope("openid read:orders write:orders").claim("tenant", "acme-industries");
        token.claim("roles", ["buyer", "approver"]).claim("azp", "web-dashboard").expires_in(DAY)
    };
    let tokens: Vec<String> = (0..count)
        .map(|n| {
            let token = token().subject(format!("00u8d9f2-7c1e-4b1a-{n:08}"));
            token.claim("sid", format!("5b2c1f0e-93aa-4d5e-{n:012}")).mint()
        })
        .collect();
    let signed = tokens
        .iter()
        .map(|token| {
            let (input, signature) = token.rsplit_once('.').expect("a compact JWS");
            (input.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).expect("base64url"))
        })
        .collect();
    let one = || token().subject("somebody");
    let exp =
        serde_json::from_str::<Value>(&one().payload_json()).ok().and_then(|claims| claims["exp"].as_u64());
    let now = exp.expect("it expires") - DAY.as_secs();
    let probe = |name, token: TokenBuilder| Probe { name, field: field(&token.mint()) };
    Tokens {
        octets: tokens[0].len(),
        fields: tokens.iter().map(|token| field(token)).collect(),
        raw: RawCheck { key: Arc::new(public_key(jwks, algorithm)), signed: Arc::new(signed) },
        good: field(&one().mint()),
        probes: vec![
            probe("a forged signature", one().forged()),
            probe("an expired token", one().expired()),
            probe("a wrong audience", one().audience("https://other.example.com")),
            probe("a wrong issuer", one().issuer("https://other.example.com")),
            probe("a token that is not valid before an hour from now", one().claim("nbf", now + 3600)),
            probe("a logout token by its `typ`", one().header("typ", "logout+jwt")),
            probe("a critical header that nobody knows", one().header("crit", ["x"]).header("x", true)),
            probe(
                "a token bound to a key, shown as bearer",
                one().claim("cnf", serde_json::json!({"jkt": "x"})),
            ),
        ],
    }
}

fn field(token: &str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).expect("a token is visible ASCII")
}

fn public_key(jwks: &str, algorithm: Algorithm) -> ParsedPublicKey {
    let jwks: Value = serde_json::from_str(jwks).expect("a JWK Set");
    let member = |name: &str| {
        let text = jwks["keys"][0][name].as_str().expect("a member of the key");
        URL_SAFE_NO_PAD.decode(text).expect("base64url")
    };
    let key = match algorithm {
        Algorithm::Rs256 => RsaPublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
        }
        _ => ParsedPublicKey::new(&signature::ED25519, member("x")),
    };
    key.expect("the key of the issuer")
}

const DAY: Duration = Duration::from_secs(24 * 3600);
