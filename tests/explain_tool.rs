//! The example `explain` is a tool: what it prints as JSON, what for people, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    reason = "helpers of tests, and the times of files"
)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use bearergate::{Algorithm, testing::TestIssuer};
use common::{ISSUER, NOW, RESOURCE, issuer, issuer_at, set};
use serde_json::{Value, json};
use tool::{explain, file};

/// An issuer, and the argument that trusts it.
fn scene() -> (TestIssuer, String) {
    let issuer = issuer([Algorithm::Es256]);
    let trust = format!("{ISSUER}={}", file(&issuer.jwks()));
    (issuer, trust)
}

const NOW_TEXT: &str = "1800000000";

/// What the tool says about tokens, with these arguments besides the usual ones.
fn judged(trust: &str, more: &[&str], tokens: &[String]) -> Vec<Value> {
    let usual = ["--audience", RESOURCE, "--trust", trust, "--now", NOW_TEXT, "--json"];
    let input: String = tokens.iter().map(|token| format!("{token}\n")).collect();
    let ended = explain(&[&usual[..], more].concat(), &input);
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    let objects = ended.objects();
    assert_eq!(objects.len(), tokens.len());
    objects
}

/// The checks that the tool lists: those before `stop` passed, `stop` failed, the others skipped.
fn checks(stop: &str) -> Value {
    let mut outcome = if stop == "none" { "skipped" } else { "passed" };
    let all = [
        "structure",
        "header",
        "payload",
        "issuer",
        "unverified_times_and_audience",
        "algorithm",
        "type",
        "key",
        "signature",
        "claims",
        "binding",
    ];
    let mut list = Vec::new();
    for check in all {
        let failed = check == stop;
        list.push(json!({"check": check, "outcome": if failed { "failed" } else { outcome }}));
        if failed {
            outcome = "skipped";
        }
    }
    list.into()
}

#[test]
fn json_has_one_object_a_line() {
    assert_eq!(NOW.to_string(), NOW_TEXT);
    let (issuer, trust) = scene();
    let good = || issuer.token();
    let rejected = |reason: &str, stop: &str| json!({"verdict": "rejected", "status": 401, "error": "invalid_token", "reason": reason, "checks": checks(stop)});
    let accepted =
        json!({"verdict": "accepted", "status": 200, "error": null, "reason": null, "checks": checks("")});
    let empty = json!({
        "verdict": "rejected", "status": 400, "error": "invalid_request", "reason": "empty_token", "checks": checks("none")
    });
    let late = "unverified_times_and_audience";
    let table = [
        (good().mint(), accepted.clone()),
        (String::new(), empty.clone()),
        ("  ".to_owned(), empty),
        ("garbage".to_owned(), rejected("malformed_token", "structure")),
        ("gar\u{1}bage\u{7f}".to_owned(), rejected("malformed_token", "structure")),
        ("ä.ö.ü".to_owned(), rejected("malformed_token", "header")),
        (good().expired().mint(), rejected("expired", late)),
        (good().audience("https://other.example").mint(), rejected("wrong_audience", late)),
        (good().issuer("https://other.example").mint(), rejected("unknown_issuer", "issuer")),
        (good().forged().mint(), rejected("invalid_signature", "signature")),
        (good().header("kid", "other").mint(), rejected("unknown_key", "key")),
        (good().claim("cnf", json!({"jkt": "x"})).mint(), rejected("binding_not_proven", "binding")),
        ("a".repeat(16 * 1024 + 1), rejected("token_too_long", "structure")),
        // The end of a line may be that of Windows.
        (format!("{}\r", good().mint()), accepted),
    ];
    let (tokens, expected): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    assert_eq!(judged(&trust, &[], &tokens), expected);
}

#[test]
fn json_members_stand_in_one_order() {
    let (issuer, trust) = scene();
    let arguments = ["--audience", RESOURCE, "--trust", &trust, "--now", NOW_TEXT, "--json"];
    // The last line needs no end, and no lines are no objects.
    let ended = explain(&arguments, &issuer.token().expired().mint());
    let start = r#"{"verdict":"rejected","status":401,"error":"invalid_token","reason":"expired","checks":[{"check":"structure","outcome":"passed"},{"#;
    assert!(ended.out.starts_with(start), "{}", ended.out);
    assert_eq!(ended.out.lines().count(), 1);
    assert_eq!(explain(&arguments, "").out, "");
}

#[test]
fn scopes_are_asked_for() {
    let (issuer, trust) = scene();
    let tokens = [
        issuer.token().scope("write read").mint(),
        issuer.token().scope("read").mint(),
        issuer.token().scope("read").expired().mint(),
    ];
    let more = ["--require-scope", "read", "--require-scope", "write"];
    let objects = judged(&trust, &more, &tokens);
    let last = |object: &Value| object["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(objects[0]["verdict"], "accepted");
    assert_eq!(last(&objects[0]), json!({"check": "scope", "outcome": "passed"}));
    for (member, value) in [
        ("verdict", json!("rejected")),
        ("status", json!(403)),
        ("error", json!("insufficient_scope")),
        ("reason", json!("insufficient_scope")),
    ] {
        assert_eq!(objects[1][member], value);
    }
    assert_eq!(last(&objects[1]), json!({"check": "scope", "outcome": "failed"}));
    assert_eq!(objects[2]["reason"], "expired");
    assert_eq!(last(&objects[2]), json!({"check": "scope", "outcome": "skipped"}));
}

#[test]
fn the_time_is_an_argument() {
    let (issuer, trust) = scene();
    let tokens = [issuer.token().mint()];
    let verdict = |now: i64, more: &[&str]| {
        let now = now.to_string();
        let usual = ["--audience", RESOURCE, "--trust", &trust, "--json", "--now", &now];
        let object = explain(&[&usual[..], more].concat(), &tokens[0]).objects().remove(0);
        (object["verdict"].as_str().unwrap().to_owned(), object["status"].clone(), object["reason"].clone())
    };
    let accepted = || ("accepted".to_owned(), json!(200), Value::Null);
    let late = || ("rejected".to_owned(), json!(401), json!("expired"));
    // The token lives for 300 s, and the leeway is 60 s.
    assert_eq!(verdict(NOW + 359, &[]), accepted());
    assert_eq!(verdict(NOW + 360, &[]), late());
    assert_eq!(verdict(NOW + 360, &["--leeway", "61"]), accepted());
    assert_eq!(verdict(NOW + 300, &["--leeway", "0"]), late());
    assert_eq!(verdict(NOW - 61, &[]).2, "issued_in_future");
    // A clock that cannot be trusted.
    let undecidable = ("undecidable".to_owned(), json!(503), json!("clock_unavailable"));
    assert_eq!(verdict(-1, &[]), undecidable);
    // Without an argument it is now, and the tokens of these tests are of another time.
    let object =
        explain(&["--audience", RESOURCE, "--trust", &trust, "--json"], &tokens[0]).objects().remove(0);
    assert_eq!(object["verdict"], "rejected");
}

#[test]
fn an_entry_has_rules_of_its_own() {
    let issuer = issuer_at("https://issuer.example/?a=b", [Algorithm::Es256, Algorithm::Rs256]);
    let trust = format!("{}={}", issuer.url(), file(&issuer.jwks()));
    let of = |algorithm| issuer.token_by(algorithm);
    let tokens = [
        of(Algorithm::Es256).mint(),
        of(Algorithm::Rs256).mint(),
        of(Algorithm::Es256).audience("own").mint(),
        of(Algorithm::Es256).audience("own=2").mint(),
    ];
    for (rules, more, reasons) in [
        ("", &[][..], [None, None, Some("wrong_audience"), Some("wrong_audience")]),
        (
            ";algorithms=ES256",
            &[],
            [None, Some("algorithm_not_allowed"), Some("wrong_audience"), Some("wrong_audience")],
        ),
        (";audience=own;audience=own=2", &[], [Some("wrong_audience"), Some("wrong_audience"), None, None]),
        (
            ";audience=own;algorithms=RS256,PS256",
            &[],
            [
                Some("wrong_audience"),
                Some("wrong_audience"),
                Some("algorithm_not_allowed"),
                Some("wrong_audience"),
            ],
        ),
        // Those of the entry go before those for all.
        (
            "",
            &["--algorithms", "RS256"],
            [Some("algorithm_not_allowed"), None, Some("wrong_audience"), Some("wrong_audience")],
        ),
        (
            ";algorithms=ES256,RS256",
            &["--algorithms", "RS256"],
            [None, None, Some("wrong_audience"), Some("wrong_audience")],
        ),
    ] {
        let objects = judged(&format!("{trust}{rules}"), more, &tokens);
        let found: Vec<_> = objects.iter().map(|object| object["reason"].as_str()).collect();
        assert_eq!(found, reasons, "{rules} {more:?}");
    }
}

#[test]
fn issuers_are_not_mixed() {
    let (one, trust) = scene();
    let two = issuer_at("https://other.example", [Algorithm::Es256]);
    let other = format!("https://other.example={}", file(&two.jwks()));
    let tokens = [one.token().mint(), two.token().mint(), two.token().issuer(ISSUER).mint()];
    let objects = judged(&trust, &["--trust", &other], &tokens);
    let reasons: Vec<_> = objects.iter().map(|object| object["reason"].as_str()).collect();
    assert_eq!(reasons, [None, None, Some("invalid_signature")]);
}

#[test]
fn the_profile_is_an_argument() {
    let (issuer, trust) = scene();
    let tokens = [
        issuer.token().mint(),
        issuer.token().header("typ", "JWT").mint(),
        issuer.token().without("jti").mint(),
    ];
    for (more, reasons) in [
        (&[][..], [None, None, None]),
        (&["--profile", "compat"], [None, None, None]),
        (&["--profile", "rfc9068"], [None, Some("wrong_type"), Some("invalid_claim")]),
    ] {
        let objects = judged(&trust, more, &tokens);
        let found: Vec<_> = objects.iter().map(|object| object["reason"].as_str()).collect();
        assert_eq!(found, reasons, "{more:?}");
    }
}

#[test]
fn the_limit_is_an_argument() {
    let (issuer, trust) = scene();
    let short = issuer.token().mint();
    let long = issuer.token().claim("x", "x".repeat(20_000)).mint();
    let reasons = |limit: usize| {
        let tokens = [short.clone(), long.clone()];
        let objects = judged(&trust, &["--max-token-bytes", &limit.to_string()], &tokens);
        objects.iter().map(|object| object["reason"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let too_long = || Some("token_too_long".to_owned());
    assert_eq!(reasons(short.len() - 1), [too_long(), too_long()]);
    assert_eq!(reasons(short.len()), [None, too_long()]);
    assert_eq!(reasons(long.len()), [None, None]);
}

#[test]
fn a_configuration_that_cannot_work_is_one_object() {
    let (issuer, trust) = scene();
    let usual = ["--audience", RESOURCE, "--json", "--trust"];
    let of = |rules: &str| format!("{trust}{rules}");
    let (text, missing) = (format!("{ISSUER}={}", file("text")), format!("{ISSUER}=/nowhere/jwks.json"));
    for (trust, more, message) in [
        (of(";algorithms=HS256"), &[][..], "HS256"),
        (of(";algorithms="), &[], "no signature algorithm"),
        (of(";algorithms=none"), &[], "`none` is not the name"),
        (of(";audience="), &[], "audience is empty"),
        (of(""), &["--algorithms", "rs256"], "`rs256` is not the name"),
        (of(""), &["--leeway", "301"], "leeway"),
        (of(""), &["--max-token-bytes", "65537"], "65536"),
        (of(""), &["--max-token-bytes", "0"], "65536"),
        (of(""), &["--require-scope", "ä"], "scope"),
        (of(""), &["--trust", &trust], "twice"),
        (format!("={}", file(&issuer.jwks())), &[], "issuer identifier is empty"),
        (text, &[], "cannot be used"),
        (missing, &[], "cannot be read: No such file"),
    ] {
        let mut arguments = usual.to_vec();
        arguments.push(&trust);
        arguments.extend(more);
        let ended = explain(&arguments, &format!("{}\n", issuer.token().mint()));
        assert_eq!(ended.status, Some(2), "{trust} {more:?}: {}", ended.err);
        let [object] = ended.objects().try_into().unwrap();
        let found = object["message"].as_str().unwrap();
        assert!(found.contains(message), "{found}");
        let expected = json!({
            "verdict": "misconfigured", "status": null, "error": null, "reason": "configuration", "checks": [], "message": found
        });
        assert_eq!(object, expected);
    }
    // Nobody is trusted.
    let ended = explain(&["--audience", RESOURCE, "--json"], "");
    assert_eq!((ended.status, ended.objects()[0]["verdict"].as_str()), (Some(2), Some("misconfigured")));
    // For people it is a message, where messages are.
    let ended = explain(&["--audience", RESOURCE], "");
    assert_eq!((ended.status, ended.out.as_str()), (Some(2), ""));
    assert!(ended.err.starts_with("explain: misconfigured: no issuer is trusted"), "{}", ended.err);
}

#[test]
fn a_set_without_a_usable_key_refuses_every_token() {
    let (issuer, _) = scene();
    let trust = format!("{ISSUER}={}", file(&set([])));
    let arguments = ["--audience", RESOURCE, "--trust", &trust, "--now", NOW_TEXT, "--json"];
    let ended = explain(&arguments, &issuer.token().mint());
    assert_eq!(ended.objects()[0]["reason"], "unknown_key");
    assert!(ended.err.contains("no fixed key can be used"), "{}", ended.err);
}

#[test]
fn wrong_usage_is_a_message() {
    for (arguments, message) in [
        (&[][..], "--audience is missing"),
        (&["--audience"], "--audience needs a value"),
        (&["--audience", "a", "--audience", "b"], "--audience is given twice"),
        (&["--audience", "a", "--colour"], "`--colour` is not an option"),
        (&["--audience", "a", "token"], "`token` is not an option"),
        (&["--audience", "a", "--trust", "issuer"], "ISS=JWKS_FILE"),
        (&["--audience", "a", "--trust", "issuer;a=b"], "ISS=JWKS_FILE"),
        (&["--audience", "a", "--trust", "issuer=file;leeway=5"], "`leeway=5` is no rule"),
        (&["--audience", "a", "--trust", "i=f;algorithms=ES256;algorithms=RS256"], "twice"),
        (&["--audience", "a", "--trust", "issuer=file;"], "`` is no rule"),
        (&["--audience", "a", "--now", "noon"], "--now takes a whole number"),
        (&["--audience", "a", "--leeway", "-1"], "--leeway takes a whole number"),
        (&["--audience", "a", "--max-token-bytes", "16k"], "--max-token-bytes takes a whole number"),
        (&["--audience", "a", "--profile", "strict"], "not `strict`"),
    ] {
        let ended = explain(arguments, "");
        assert_eq!(ended.status, Some(2), "{arguments:?}");
        assert_eq!(ended.out, "", "{arguments:?}");
        assert!(
            ended.err.starts_with("explain: ") && ended.err.contains(message),
            "{arguments:?}: {}",
            ended.err
        );
        assert!(ended.err.contains("usage: explain"), "{arguments:?}");
    }
    let ended = explain(&["--help"], "");
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.starts_with("usage: explain"));
}

#[test]
fn people_get_the_list_of_checks() {
    let (issuer, trust) = scene();
    let secret = "marked-by-this-test";
    let tokens =
        [issuer.token().subject(secret).mint(), issuer.token().audience(secret).mint(), String::new()];
    let ended = explain(&["--audience", RESOURCE, "--trust", &trust, "--now", NOW_TEXT], &tokens.join("\n"));
    // The empty line at the end has no end of its own, and so is none.
    let expected = "\
line 1: accepted
  passed   structure
  passed   header
  passed   payload
  passed   issuer
  passed   unverified_times_and_audience
  passed   algorithm
  passed   type
  passed   key
  passed   signature
  passed   claims
  passed   binding
line 2: rejected, 401 invalid_token: the token is meant for another audience (wrong_audience)
  passed   structure
  passed   header
  passed   payload
  passed   issuer
  failed   unverified_times_and_audience
           expected: at 1800000000, give or take 60 s, `exp` lies ahead, `nbf` and `iat` do not; `aud` names `https://api.example.com`
  skipped  algorithm
  skipped  type
  skipped  key
  skipped  signature
  skipped  claims
  skipped  binding
";
    assert_eq!(ended.out, expected);
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""));
}
