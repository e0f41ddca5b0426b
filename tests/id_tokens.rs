//! The embedded issuer tells a client who has signed in (OpenID Connect Core), and no resource server takes that for access.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/authorization.rs"]
mod authorization;

use std::time::Duration;

use authorization::{BASIC, CALLBACK, Form, RESOURCE, Scene};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    Algorithm, AuthErrorKind, Claims, Issuer, PostContent, Presented, Profile, ResourceServer, scopes,
    testing::TestIssuerBuilder,
};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn with_openid(issuer: TestIssuerBuilder) -> TestIssuerBuilder {
    issuer.public_client("app", [CALLBACK], scopes!["openid", "profile", "read"])
}

fn asking(scope: &str) -> Form {
    Form::authorization().set("scope", scope).add("nonce", "n-0S6_WzA2Mj")
}

/// What the token endpoint gives for a code.
async fn signed_in(scene: &Scene, asking: &Form) -> Value {
    let (status, content) = scene.token(&Form::token(&scene.code(asking).await), None).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    content
}

/// Header and claims, unverified.
fn read(token: &Value) -> [Value; 2] {
    let token = token.as_str().unwrap_or_else(|| panic!("{token}"));
    let mut parts = token
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()));
    [parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap()]
}

fn server(scene: &Scene, audience: &str, settings: impl Fn(Issuer) -> Issuer) -> ResourceServer {
    ResourceServer::builder(audience)
        .trust(settings(scene.issuer.trusted()))
        .http_client(scene.issuer.fetch())
        .clock(scene.clock.clone())
        .build()
        .unwrap()
}

async fn verdict(server: &ResourceServer, token: &str) -> Result<(), AuthErrorKind> {
    server.validate::<Claims>(&Presented::bearer(token)).await.map(drop).map_err(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn it_says_who_signed_in_when_and_for_which_request() {
    let scene = Scene::with(with_openid);
    let code = scene.code(&asking("openid read")).await;
    scene.clock.advance(Duration::from_secs(30));
    let (_, content) = scene.token(&Form::token(&code), None).await;
    let [header, claims] = read(&content["id_token"]);
    assert_eq!(header["typ"], "JWT");
    let hash = Sha256::digest(content["access_token"].as_str().unwrap());
    let exp = claims["exp"].as_i64().unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": authorization::URL,
            "sub": "test-user",
            "aud": "app",
            "iat": exp - 300,
            "exp": exp,
            "auth_time": exp - 330,
            "nonce": "n-0S6_WzA2Mj",
            "at_hash": URL_SAFE_NO_PAD.encode(&hash[..16]),
        })
    );
    assert_eq!(content["scope"], "openid read");
    scene.accepted(RESOURCE, &content).await;
}

#[tokio::test(start_paused = true)]
async fn clm_12_it_is_no_access_token() {
    let scene = Scene::with(with_openid);
    let content = signed_in(&scene, &asking("openid")).await;
    let id_token = content["id_token"].as_str().unwrap();
    // The API; one that would take any `typ`; one that takes the client's name for its own; one that takes any audience.
    for (audience, profile, any, expected) in [
        (RESOURCE, Profile::Rfc9068, false, AuthErrorKind::WrongAudience),
        (RESOURCE, Profile::Lenient, false, AuthErrorKind::WrongAudience),
        ("app", Profile::Lenient, false, AuthErrorKind::WrongType),
        (RESOURCE, Profile::Lenient, true, AuthErrorKind::WrongType),
    ] {
        let server = server(&scene, audience, |issuer| {
            let issuer = issuer.profile(profile);
            if any { issuer.dangerous().accept_any_audience() } else { issuer }
        });
        assert_eq!(verdict(&server, id_token).await, Err(expected), "{audience} {profile:?}");
    }
    // Its neighbour is one.
    let server = server(&scene, RESOURCE, |issuer| issuer);
    assert_eq!(verdict(&server, content["access_token"].as_str().unwrap()).await, Ok(()));
    let minted = scene.issuer.token().id_token("app").mint();
    assert_eq!(verdict(&server, &minted).await, Err(AuthErrorKind::WrongAudience));
    let taken_for_the_client = self::server(&scene, "app", |issuer| issuer);
    assert_eq!(verdict(&taken_for_the_client, &minted).await, Err(AuthErrorKind::WrongType));
}

#[tokio::test(start_paused = true)]
async fn it_is_there_where_openid_was_asked_for() {
    let scene = Scene::with(|issuer| {
        with_openid(issuer).client("machine", "secret", scopes!["openid", "read"]).scopes(scopes!["read"])
    });
    assert_eq!(signed_in(&scene, &asking("read")).await.get("id_token"), None);
    let content = signed_in(&scene, &asking("openid profile")).await;
    assert_eq!(read(&content["id_token"])[1]["name"], "test-user");
    // Without a nonce there is none in it.
    let content = signed_in(&scene, &asking("openid").without("nonce")).await;
    assert_eq!(read(&content["id_token"])[1].get("nonce"), None);
    // Nobody has signed in where a token is refreshed (OpenID Connect Core §12.2).
    let refresh = Form(vec![])
        .add("grant_type", "refresh_token")
        .add("client_id", "app")
        .add("refresh_token", content["refresh_token"].as_str().unwrap());
    let (status, refreshed) = scene.token(&refresh, None).await;
    assert_eq!((status, refreshed.get("id_token")), (StatusCode::OK, None));
    // Nobody is there whom it could name.
    let machine_asks = |scope: &str| {
        let form = Form(vec![]).add("grant_type", "client_credentials").add("client_id", "machine");
        form.add("resource", RESOURCE).add("scope", scope)
    };
    for form in [machine_asks("openid read").without("scope"), machine_asks("openid read read")] {
        let form = form.add("client_secret", "secret");
        let (status, granted) = scene.token(&form, None).await;
        assert_eq!((status, granted.get("id_token")), (StatusCode::OK, None));
        assert_eq!(granted["scope"], "read");
    }
    let machine = machine_asks("openid").add("client_secret", "secret");
    assert_eq!(scene.refused(&machine, None).await, "invalid_scope");
    // A scope like any other: who may not have it does not get it.
    let answer = scene.authorize(&asking("openid").set("client_id", "other")).await;
    assert_eq!(answer["error"], "invalid_scope");
}

#[tokio::test(start_paused = true)]
async fn a_device_gets_one_too() {
    let scene = Scene::with(with_openid);
    let form = Form(vec![]).add("client_id", "app").add("scope", "openid").add("resource", RESOURCE);
    let (_, codes) = scene.post("/device_authorization", PostContent::form(form.text()), None).await;
    let typed = Form(vec![]).add("user_code", codes["user_code"].as_str().unwrap());
    assert_eq!(scene.get("/device", &typed).await.status, StatusCode::OK);
    let poll = Form(vec![])
        .add("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
        .add("client_id", "app")
        .add("device_code", codes["device_code"].as_str().unwrap());
    let (_, content) = scene.token(&poll, None).await;
    let [_, claims] = read(&content["id_token"]);
    let hash = Sha256::digest(content["access_token"].as_str().unwrap());
    let exp = claims["exp"].as_i64().unwrap();
    // No request of a browser had a nonce, and nobody knows when the user was asked for more than the code.
    assert_eq!(
        claims,
        json!({
            "iss": authorization::URL,
            "sub": "test-user",
            "aud": "app",
            "iat": exp - 300,
            "exp": exp,
            "at_hash": URL_SAFE_NO_PAD.encode(&hash[..16]),
        })
    );
}

/// Users who are asked have names; and who may not be asked gets an error (OpenID Connect Core §3.1.2.6).
#[tokio::test(start_paused = true)]
async fn users_have_names_and_are_asked() {
    let scene = Scene::with(|issuer| with_openid(issuer).users(["ann", "ben"]).user_name("ben", "Ben Ali"));
    let decide = async |query: Form, user: &str| {
        let page = scene.get("/authorize", &query).await;
        let page = String::from_utf8(page.body).unwrap();
        let (_, handle) = page.split_once(r#"name="request" value=""#).unwrap();
        let form = Form(vec![]).add("request", handle.split('"').next().unwrap()).add("user", user);
        let form = form.add("decision", "allow");
        let request = bearergate::FetchRequest::get(
            format!("{}/consent", authorization::URL).parse().unwrap(),
            "*/*",
            4096,
        );
        let request = request.posting(PostContent::form(form.text()));
        let answer = bearergate::Fetch::fetch(&scene.issuer.fetch(), request).await.unwrap();
        let location: url::Url = answer.headers["location"].to_str().unwrap().parse().unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let (_, content) = scene.token(&Form::token(&code), None).await;
        read(&content["id_token"])[1].take()
    };
    let claims = decide(asking("openid profile"), "ben").await;
    assert_eq!((&claims["sub"], &claims["name"]), (&json!("ben"), &json!("Ben Ali")));
    assert_eq!(decide(asking("openid"), "ben").await.get("name"), None);
    for prompt in ["login", "consent", "select_account login"] {
        let page = scene.get("/authorize", &asking("openid").add("prompt", prompt)).await;
        assert_eq!(page.status, StatusCode::OK, "{prompt}");
    }
    let answer = scene.authorize(&asking("openid").add("prompt", "none")).await;
    assert_eq!((&*answer["error"], &*answer["state"]), ("login_required", "s t&=ä"));
    let answer = scene.authorize(&asking("openid").add("prompt", "none login")).await;
    assert_eq!(answer["error"], "invalid_request");
}

/// OpenID Connect Discovery §3.
#[tokio::test(start_paused = true)]
async fn the_metadata_says_so() {
    let scene = Scene::with(|issuer| issuer.algorithms([Algorithm::Ed25519]));
    let answer = scene.get("/.well-known/openid-configuration", &Form(vec![])).await;
    let metadata: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(metadata["subject_types_supported"], json!(["public"]));
    assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["Ed25519"]));
}

/// RFC 7662 §2.2: what the issuer says of its own JWTs.
#[tokio::test(start_paused = true)]
async fn a_jwt_is_active_until_it_expires_and_an_id_token_never() {
    let scene = Scene::with(|issuer| issuer.default_audience(RESOURCE));
    let ask = async |token: &str| {
        let form = Form(vec![]).add("token", token);
        scene.post("/introspect", PostContent::form(form.text()), Some(BASIC[0])).await.1
    };
    let token = scene.issuer.token().scope("read").subject("ann");
    let jwt = token.mint();
    let mut claims: Value = serde_json::from_str(&token.payload_json()).unwrap();
    claims["active"] = true.into();
    claims["token_type"] = "Bearer".into();
    assert_eq!(ask(&jwt).await, claims);
    let inactive = json!({"active": false});
    for bad in [
        token.clone().expired().mint(),
        token.clone().forged().mint(),
        token.clone().without("exp").mint(),
        token.clone().issuer("https://other.example").mint(),
        token.clone().header("typ", "JWT").mint(),
        token.clone().id_token("app").mint(),
        token.clone().header("crit", json!(["x"])).mint(),
        token.clone().claim("nbf", i64::from(u32::MAX)).mint(),
        format!("{jwt}.x"),
        format!("{jwt}x"),
    ] {
        assert_eq!(ask(&bad).await, inactive, "{bad}");
    }
    // What a test says of one goes before that.
    let other = scene.issuer.token().mint();
    scene.issuer.opaque_token().subject("ben").mint_as(&other);
    assert_eq!(ask(&other).await["sub"], "ben");
    for was_good in [true, false, false] {
        assert_eq!(scene.issuer.revoke(&other), was_good);
        assert_eq!(ask(&other).await, inactive);
    }
    // A client can end no JWT, be it over or not; what a test made of one it can.
    let end = async |token: &str| {
        let form = Form(vec![]).add("token", token).add("client_id", "app");
        scene.ask("/revoke", PostContent::form(form.text()), None).await.0
    };
    let (over, good) = (scene.issuer.token().client_id("app"), scene.issuer.token().client_id("app"));
    let (over, good) = (over.mint(), good.mint());
    assert!(scene.issuer.revoke(&over));
    assert_eq!((end(&over).await, end(&good).await), (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST));
    assert_eq!(ask(&good).await["active"], true);
    scene.issuer.opaque_token().client_id("app").mint_as(&good);
    assert_eq!(end(&good).await, StatusCode::OK);
    assert_eq!(ask(&good).await, inactive);
    scene.clock.advance(Duration::from_secs(299));
    assert_eq!(ask(&jwt).await["active"], true);
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&jwt).await, inactive);
    // As long as its key is published.
    let next = scene.issuer.token().mint();
    scene.issuer.rotate_gently();
    assert_eq!(ask(&next).await["active"], true);
    scene.issuer.rotate();
    assert_eq!(ask(&next).await, inactive);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_good_for_as_long_as_the_issuer_says() {
    let minute = Duration::from_secs(60);
    let scene = Scene::with(|issuer| with_openid(issuer).access_token_lifetime(minute));
    let content = signed_in(&scene, &asking("openid read")).await;
    assert_eq!(content["expires_in"], 60);
    for token in ["access_token", "id_token"] {
        let [_, claims] = read(&content[token]);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60, "{token}");
    }
    let server = server(&scene, RESOURCE, |issuer| issuer.leeway(Duration::ZERO));
    let token = content["access_token"].as_str().unwrap();
    scene.clock.advance(minute - Duration::from_secs(1));
    assert_eq!(verdict(&server, token).await, Ok(()));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(verdict(&server, token).await, Err(AuthErrorKind::Expired));
}

/// RFC 8707 §2, RFC 6749 §3.3: what a client credentials request may name.
#[tokio::test(start_paused = true)]
async fn a_machine_names_a_resource_and_each_scope_once() {
    let scene = Scene::new();
    let asks = |resource: &str, scope: &str| {
        let form = Form(vec![]).add("grant_type", "client_credentials").add("client_id", "machine");
        form.add("client_secret", "secret").add("resource", resource).add("scope", scope)
    };
    for bad in ["not a uri", "/relative", "https://api.example.com#part"] {
        assert_eq!(scene.refused(&asks(bad, "read"), None).await, "invalid_target", "{bad}");
    }
    let too_long = "read ".repeat(900) + "read";
    assert_eq!(scene.refused(&asks(RESOURCE, &too_long), None).await, "invalid_scope");
    for good in [RESOURCE, "urn:example:api"] {
        let (status, granted) = scene.token(&asks(good, "read read"), None).await;
        assert_eq!((status, &granted["scope"]), (StatusCode::OK, &json!("read")), "{good}");
    }
    // An empty parameter is none (RFC 6749 §3.1), and nothing stands twice.
    let code = scene.code(&Form::authorization().set("scope", "read write read")).await;
    let (status, granted) = scene.token(&Form::token(&code).set("resource", ""), None).await;
    assert_eq!((status, &granted["scope"]), (StatusCode::OK, &json!("read write")));
    let refresh = Form(vec![])
        .add("grant_type", "refresh_token")
        .add("client_id", "app")
        .add("refresh_token", granted["refresh_token"].as_str().unwrap())
        .add("scope", "write write");
    assert_eq!(scene.token(&refresh, None).await.1["scope"], "write");
    let ask = Form(vec![]).add("token", "x").add("token", "y");
    let (status, _) = scene.post("/introspect", PostContent::form(ask.text()), Some(BASIC[0])).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
