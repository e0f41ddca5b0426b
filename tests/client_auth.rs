//! How the resource server shows an introspection endpoint who asks.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bearergate::{
    Algorithm, AuthErrorKind as Kind, Claims, ClientAuth, Clock as _, ConfigError, Fetch, FetchErrorKind,
    FetchFuture, FetchRequest, FetchResponse, Issuer, Presented, ResourceServer, Secret, testing::TestClock,
};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

const URL: &str = "https://as.example";

/// Says "inactive", and keeps what was asked.
#[derive(Clone, Debug, Default)]
struct Line(Arc<Mutex<Vec<FetchRequest>>>);

impl Fetch for Line {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.0.lock().unwrap().push(request);
        let answer = FetchResponse::new(StatusCode::OK, HeaderMap::new(), br#"{"active":false}"#.to_vec());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn issuer(auth: ClientAuth) -> Issuer {
    Issuer::introspect(URL, "https://as.example/introspect", auth)
}

/// The `Authorization` field and the form of a question.
type Sent = (Option<String>, Vec<(String, String)>);

struct Scene {
    line: Line,
    clock: TestClock,
    api: ResourceServer,
}

impl Scene {
    fn new(auth: ClientAuth) -> Self {
        let (line, clock) = (Line::default(), TestClock::new());
        let builder = ResourceServer::builder("https://api.example.com").trust(issuer(auth));
        let api = builder.http_client(line.clone()).clock(clock.clone()).build().unwrap();
        Self { line, clock, api }
    }

    /// What is sent about a token that was not asked about yet.
    async fn sent(&self) -> Sent {
        let token = format!("token-{}", self.line.0.lock().unwrap().len());
        let presented = Presented::bearer(&token);
        let error = self.api.validate::<Claims>(&presented).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Inactive);
        let request = self.line.0.lock().unwrap().pop().unwrap();
        self.api.cached_tokens().clear();
        let field = request.authorization.map(|field| field.to_str().unwrap().to_owned());
        let post = request.post.unwrap();
        let form = url::form_urlencoded::parse(post.content().as_bytes()).into_owned();
        let rest = form.filter(|(name, _)| name != "token" && name != "token_type_hint");
        (field, rest.collect())
    }

    /// Header, claims, signing input and signature of the assertion that is sent.
    async fn assertion(&self) -> (Value, Value, String, Vec<u8>) {
        let (field, form) = self.sent().await;
        assert_eq!(field, None);
        let names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["client_assertion_type", "client_assertion"]);
        assert_eq!(form[0].1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let (input, signature) = form[1].1.rsplit_once('.').unwrap();
        let (header, claims) = input.split_once('.').unwrap();
        let json = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
        (json(header), json(claims), input.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
    }
}

fn pem(pkcs8: &[u8]) -> String {
    let text = STANDARD.encode(pkcs8);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

fn ec() -> (String, EcdsaKeyPair) {
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    (pem(pkcs8.as_ref()), EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap())
}

#[tokio::test]
async fn each_method_sends_what_its_rfc_says() {
    // RFC 6749 §2.3.1: both halves are form-encoded. `rs%3Aodd%2Fid:p%40ss%3Aw%25rd+%2B%2F%3D%26`
    let basic = Scene::new(ClientAuth::basic("rs:odd/id", "p@ss:w%rd +/=&")).sent().await;
    let field = "Basic cnMlM0FvZGQlMkZpZDpwJTQwc3MlM0F3JTI1cmQrJTJCJTJGJTNEJTI2";
    assert_eq!(basic, (Some(field.into()), vec![]));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let post = Scene::new(ClientAuth::post("rs", "p@ss w%rd&")).sent().await;
    assert_eq!(post, (None, vec![pair("client_id", "rs"), pair("client_secret", "p@ss w%rd&")]));
    let bearer = Scene::new(ClientAuth::bearer("abc.def")).sent().await;
    assert_eq!(bearer, (Some("Bearer abc.def".into()), vec![]));
    let mutual_tls = Scene::new(ClientAuth::mutual_tls("rs")).sent().await;
    assert_eq!(mutual_tls, (None, vec![pair("client_id", "rs")]));
    assert_eq!(Scene::new(ClientAuth::none()).sent().await, (None, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_private_key_signs_an_assertion() {
    let (pem, pair) = ec();
    let scene = Scene::new(ClientAuth::private_key_jwt("rs", pem.as_str()).key_id("k1"));
    let (header, claims, input, signed) = scene.assertion().await;
    let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    key.verify(input.as_bytes(), &signed).unwrap();
    assert_eq!(header, serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}));
    let now = scene.clock.wall().as_secs();
    let id = claims["jti"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 22, "128 bits");
    let expected =
        serde_json::json!({"iss": "rs", "sub": "rs", "aud": URL, "jti": id, "iat": now, "exp": now + 60});
    assert_eq!(claims, expected);
    // A new one for each question.
    let (_, again, ..) = scene.assertion().await;
    assert_ne!(again["jti"], claims["jti"]);

    let auth = ClientAuth::private_key_jwt("rs", pem.as_str()).assertion_audience("https://as.example/token");
    let (header, claims, ..) = Scene::new(auth).assertion().await;
    assert_eq!((&claims["aud"], header.get("kid")), (&"https://as.example/token".into(), None));
}

#[tokio::test]
async fn keys_of_other_types_sign_by_their_algorithms() {
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    for (algorithm, name) in [(None, "EdDSA"), (Some(Algorithm::Ed25519), "Ed25519")] {
        let auth = ClientAuth::private_key_jwt("rs", pem(ed25519.to_pkcs8().unwrap().as_ref()));
        let auth = algorithm.map_or(auth.clone(), |algorithm| auth.assertion_algorithm(algorithm));
        let (header, _, input, signed) = Scene::new(auth).assertion().await;
        assert_eq!(header["alg"], name);
        let key = UnparsedPublicKey::new(&signature::ED25519, ed25519.public_key().as_ref());
        key.verify(input.as_bytes(), &signed).unwrap();
    }
    // The form that OpenSSL writes, without the public key behind it: RFC 8410 §10.3 prints this one.
    let auth = ClientAuth::private_key_jwt(
        "rs",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----",
    );
    let (header, ..) = Scene::new(auth).assertion().await;
    assert_eq!(header["alg"], "EdDSA");

    for (signing, check, name) in [
        (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &signature::ECDSA_P384_SHA384_FIXED, "ES384"),
        (&signature::ECDSA_P521_SHA512_FIXED_SIGNING, &signature::ECDSA_P521_SHA512_FIXED, "ES512"),
    ] {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).unwrap();
        let auth = ClientAuth::private_key_jwt("rs", pem(pkcs8.as_ref()));
        if name == "ES512" && !cfg!(feature = "aws-lc-rs") {
            assert!(refused(auth).contains("P-256 or P-384"));
            continue;
        }
        let (header, _, input, signed) = Scene::new(auth).assertion().await;
        assert_eq!(header["alg"], name);
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref()).unwrap();
        let key = UnparsedPublicKey::new(check, pair.public_key().as_ref());
        key.verify(input.as_bytes(), &signed).unwrap();
    }

    let rsa = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let pkcs8 = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
    let auth = ClientAuth::private_key_jwt("rs", pem(pkcs8.as_ref()));
    if cfg!(feature = "aws-lc-rs") {
        for (auth, name, check) in [
            (auth.clone(), "RS256", &signature::RSA_PKCS1_2048_8192_SHA256),
            (
                auth.clone().assertion_algorithm(Algorithm::Rs384),
                "RS384",
                &signature::RSA_PKCS1_2048_8192_SHA384,
            ),
            (
                auth.clone().assertion_algorithm(Algorithm::Rs512),
                "RS512",
                &signature::RSA_PKCS1_2048_8192_SHA512,
            ),
            (
                auth.clone().assertion_algorithm(Algorithm::Ps384),
                "PS384",
                &signature::RSA_PSS_2048_8192_SHA384,
            ),
            (
                auth.clone().assertion_algorithm(Algorithm::Ps512),
                "PS512",
                &signature::RSA_PSS_2048_8192_SHA512,
            ),
            (auth.assertion_algorithm(Algorithm::Ps256), "PS256", &signature::RSA_PSS_2048_8192_SHA256),
        ] {
            let (header, _, input, signed) = Scene::new(auth).assertion().await;
            assert_eq!(header["alg"], name);
            UnparsedPublicKey::new(check, rsa.public_key().as_ref())
                .verify(input.as_bytes(), &signed)
                .unwrap();
        }
    } else {
        assert!(refused(auth).contains("`aws-lc-rs`"));
    }
}

#[tokio::test]
async fn a_shared_secret_signs_an_assertion() {
    let secret = "rs-secretjwt-secret-of-32-octets";
    let (header, claims, input, signed) =
        Scene::new(ClientAuth::client_secret_jwt("rs", secret)).assertion().await;
    assert_eq!(header, serde_json::json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!((&claims["sub"], &claims["aud"]), (&"rs".into(), &URL.into()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, input.as_bytes(), &signed).unwrap();
}

#[tokio::test]
async fn secrets_are_replaced_without_a_restart() {
    let path = std::env::temp_dir().join(format!("bearergate-client-auth-{:x}", fastrand::u64(..)));
    std::fs::write(&path, "one\n").unwrap();
    let scene = Scene::new(ClientAuth::bearer(Secret::file(&path)));
    assert_eq!(scene.sent().await.0.as_deref(), Some("Bearer one"));
    std::fs::write(&path, "two\n").unwrap();
    assert_eq!(scene.sent().await.0.as_deref(), Some("Bearer two"));

    // A private key too.
    let ((first, one), (second, other)) = (ec(), ec());
    std::fs::write(&path, first).unwrap();
    let signing = Scene::new(ClientAuth::private_key_jwt("rs", Secret::file(&path)));
    for (pair, next) in [(&one, Some(&second)), (&other, None)] {
        for _ in 0..2 {
            let (_, _, input, signed) = signing.assertion().await;
            let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
            key.verify(input.as_bytes(), &signed).unwrap();
        }
        if let Some(next) = next {
            std::fs::write(&path, next).unwrap();
        }
    }

    // What cannot be read is never left out: nothing is asked, and the request is 503.
    std::fs::remove_file(&path).unwrap();
    let error = scene.api.validate::<Claims>(&Presented::bearer("token")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::IntrospectionUnavailable);
    let cause = std::error::Error::source(&error).unwrap();
    let kind = cause.downcast_ref::<bearergate::FetchError>().map(bearergate::FetchError::kind);
    assert_eq!(kind, Some(FetchErrorKind::Credentials));
    assert!(scene.line.0.lock().unwrap().is_empty());

    let calls = AtomicU32::new(0);
    let count = move || Ok(format!("secret-{}", calls.fetch_add(1, Ordering::Relaxed)).into());
    let scene = Scene::new(ClientAuth::post("rs", Secret::from_fn(count)));
    let secret = async || scene.sent().await.1[1].1.clone();
    assert_eq!((secret().await, secret().await), ("secret-1".into(), "secret-2".into()), "0 was the check");
}

#[track_caller]
fn refused(auth: ClientAuth) -> String {
    let error = ResourceServer::builder("https://api.example.com").trust(issuer(auth)).build().unwrap_err();
    assert!(matches!(error, ConfigError::Introspection { .. }), "{error}");
    error.to_string()
}

#[test]
fn what_cannot_work_is_said_when_the_server_is_built() {
    let (good, _) = ec();
    let sec1 = good.replace("PRIVATE KEY", "EC PRIVATE KEY");
    let key = |pem: &str| ClientAuth::private_key_jwt("rs", pem);
    for (auth, what) in [
        (ClientAuth::basic("", "secret"), "is empty"),
        (ClientAuth::basic("rs", ""), "is empty"),
        (ClientAuth::post("rs", ""), "is empty"),
        (ClientAuth::mutual_tls(""), "is empty"),
        (ClientAuth::bearer("two words"), "bare token"),
        (ClientAuth::bearer("line\nend"), "bare token"),
        (ClientAuth::client_secret_jwt("rs", "31-octets-are-one-too-few-here!"), "32 octets"),
        (key("not a key"), "BEGIN PRIVATE KEY"),
        (key(&sec1), "openssl pkcs8"),
        (key(&good).assertion_algorithm(Algorithm::EdDsa), "does not fit"),
        (key(&good).assertion_algorithm(Algorithm::Es384), "does not fit"),
        (key(&pem(&[0x30, 0x00])), "cannot be used"),
        (key(RSA_OF_1024_BITS), "cannot be used"),
        (ClientAuth::basic("rs", "s").key_id("k"), "`.key_id(..)`"),
        (ClientAuth::none().assertion_audience("a"), "`.assertion_audience(..)`"),
        (
            ClientAuth::client_secret_jwt("rs", "rs-secretjwt-secret-of-32-octets")
                .assertion_algorithm(Algorithm::Es256),
            "`.assertion_algorithm(..)`",
        ),
        (ClientAuth::basic("rs", Secret::file("/no/such/file")), "`Secret::file(..)`"),
        (ClientAuth::basic("rs", Secret::from_fn(|| Err("canary".into()))), "`Secret::from_fn(..)`"),
    ] {
        let message = refused(auth.clone());
        let what = if cfg!(feature = "aws-lc-rs") || what != "cannot be used" { what } else { "type that" };
        assert!(message.contains(what), "{auth:?}: {message}");
        assert!(!message.contains("canary"));
    }
}

#[test]
fn nothing_prints_a_secret() {
    let (good, _) = ec();
    let canary = "canary-0123456789-0123456789-0123456789";
    for auth in [
        ClientAuth::basic("rs", canary),
        ClientAuth::post("rs", canary),
        ClientAuth::bearer(canary),
        ClientAuth::client_secret_jwt("rs", canary),
        ClientAuth::private_key_jwt("rs", good.as_str()),
    ] {
        let printed = format!("{auth:?} {:?} {:?}", issuer(auth.clone()), Secret::value(canary));
        let body = good.lines().nth(1).unwrap();
        assert!(!printed.contains("canary") && !printed.contains(body), "{printed}");
        assert!(auth == auth.clone() && auth != ClientAuth::none());
    }
}

/// Made for this test: too short to be used.
const RSA_OF_1024_BITS: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAOvrvGARYShchqWX
N6Y3BrdIO/nu7M1vIGD2i5szGTKVnDWyzWmQTTxY0Vlf1BbAMvGwfqLyz0OfTVhs
BK3S9KmAkQ5ATwAE73j6pXSTYUILs8ymL4D2HAcQKfnSsVVLrWQUC2b6E6FdruOE
RS8AUwcklWBxcXndNIWRAN2YvVZ/AgMBAAECgYA7+CFbPi+3RcXIQ+cWbjhb0JXG
U3CIS+4sF5+nJNcL37HkiH3kjpTDeURF9rD/031fqGCYZSZAZzcO+e46jTw5eQ7k
peEFTblEdh6/UprSt9MGFbwBaaCvnHXb+jDV1ywf/QnerH5ndowKWqpbV9f+/rlu
jDCzczOLIZZcfvUIMQJBAPbbg4w/jcv4WbYirkAOW9cHf4rL6Q5dzRW/7vXmzmxs
obMLJnBMzSvjVPFBgeU5xxrI/Ic5d14OtHmiTm07D9cCQQD0qIfJgKMf3LQLriI+
8eHJE6lYBq6L7F6/0+ZB4OqK8yNECUbo8ZiaDY9czcS04xVuACCFUJZUUd55V5yw
JjmZAkEAjokHNubHaBu5KRpzRJdF3i39LdY5dkshDMrrHl8rl51N7ISmqDcgTJQR
ys/JQeMPnN6qOSYsT0nsWUMnR5jPtwJAJARreQ6m9RnYp5+LCxkw1BlA5OSW7aJu
kG7xhuFFpg8FMg7rkX9/p643XMIuIzMLBJagMwAaIW+sANEVEBmQgQJATXdFH3TD
T5boZ2jEcm4KFXviISyVvVoQJB9mqZmAoA/qtxUvR8Up/IpZGUIuBcAbyeA64Sj5
FfRjiEgelf3Jow==
-----END PRIVATE KEY-----
";
