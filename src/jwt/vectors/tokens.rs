//! Do the sample tokens and key sets of other implementations get the verdicts of the strict reading?

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{
    cookbook::one_key,
    judging::{
        Outcome, Trust, is_unsupported, judged, key_set, public_key_algorithms, refuse_unsupported, segments,
        signed, text,
    },
    tally::{Folder, Tally, Wanted},
};
use crate::{
    clock::UnixTime,
    error::AuthErrorKind::{
        self, AlgorithmNotAllowed, Expired, InvalidClaim, InvalidSignature, MalformedToken, UnknownIssuer,
        WrongAudience,
    },
    jwt::Check,
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        jwk::SkipReason,
        set::{JwksError, KeySet},
    },
    policy::{ClaimPolicy, IssuerId, Profile},
    token::claims::RegisteredClaims,
};

fn cases(folder: &Folder, file: &str) -> Vec<Value> {
    folder.json(file).as_array().unwrap().clone()
}

/// A second before the token expires.
fn before_expiry(token: &str) -> i64 {
    claims(token).and_then(|claims| claims["exp"].as_i64()).map_or(0, |exp| (exp - 1).max(0))
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Option<Value> {
    let [_, payload, _] = segments(token)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// google/jwt_verify_lib: malformed tokens, and some that only lack a signature.
pub(super) fn parse_cases(folder: &Folder, tally: &mut Tally) {
    // A key that fits each of them, so that none is refused for want of one.
    let mut key = cases(folder, "jwt_verify_lib/verify_cases.json").pop().unwrap()["jwks"]["keys"][0].clone();
    key["kid"] = "af06c19f8e5b3315216df010fd2b9a93bac135c8".into();
    let trust = Trust::in_anyone(key_set(&key));
    for case in cases(folder, "jwt_verify_lib/jwt_parse_cases.json") {
        let (name, token, status) =
            (text(&case, "name"), text(&case, "token"), text(&case, "upstream_status"));
        // Many lack `iss` or `exp` beside their own fault; these are supplied, and the fault decides alone.
        let completed = complete(token).unwrap_or_else(|| token.to_owned());
        let now = before_expiry(&completed);
        tally.ran(name, Wanted::Refuse, judged(token, &trust, now).is_accepted());
        let outcome = judged(&completed, &trust, now);
        let (check, kind) = stage(name, status);
        tally.expect(outcome == Outcome::Refused(check, kind), || format!("{name} ({status}): {outcome:?}"));
        if check == Check::Signature && status != "Ok" {
            let verdict = by_policy(&completed, now);
            tally
                .expect(verdict == Err(InvalidClaim), || format!("{name} ({status}): {verdict:?} by policy"));
        }
    }
}

/// Where we refuse what upstream gives this status.
fn stage(name: &str, status: &str) -> (Check, AuthErrorKind) {
    match status.trim_start_matches("Jwt") {
        "BadFormat" => (Check::Structure, MalformedToken),
        "HeaderParseErrorBadBase64" | "HeaderParseErrorBadJson" | "HeaderBadKid" => {
            (Check::Header, MalformedToken)
        }
        "HeaderBadAlg" | "HeaderNotImplementedAlg" => (Check::Header, AlgorithmNotAllowed),
        "PayloadParseErrorBadBase64" | "PayloadParseErrorBadJson" | "SignatureParseErrorBadBase64" => {
            (Check::Payload, MalformedToken)
        }
        "PayloadParseErrorIssNotString" => (Check::Issuer, InvalidClaim),
        "PayloadParseErrorAudNotString" => (Check::UnverifiedTimesAndAudience, InvalidClaim),
        status if status.ends_with("NotInteger") || status.ends_with("OutOfRange") => {
            (Check::UnverifiedTimesAndAudience, InvalidClaim)
        }
        // The signatures are dummies, and these claims are looked at behind them.
        "PayloadParseErrorSubNotString" | "PayloadParseErrorJtiNotString" => {
            (Check::Signature, InvalidSignature)
        }
        // Nothing is wrong with the fraction in its `iat`, but the token is for HS256.
        "Ok" if name == "TestParsePayloadIatDecimalsDrop" => (Check::Algorithm, AlgorithmNotAllowed),
        "Ok" => (Check::Signature, InvalidSignature),
        other => panic!("{name}: {other:?} has no stage"),
    }
}

/// The token with `iss` and `exp` in its claims, if it has claims; its header and signature stay.
fn complete(token: &str) -> Option<String> {
    let [header, _, signature] = segments(token)?;
    let mut claims = claims(token)?;
    let members = claims.as_object_mut()?;
    members.entry("iss").or_insert_with(|| "https://issuer.example".into());
    members.entry("exp").or_insert_with(|| 2_000_000_000.into());
    Some(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string())))
}

/// The verdict of the policy alone, as if the signature held.
fn by_policy(token: &str, now: i64) -> Result<(), AuthErrorKind> {
    let claims = claims(token).unwrap();
    let policy = ClaimPolicy {
        may_omit: crate::policy::MayOmit::default(),
        issuer: IssuerId::parse(text(&claims, "iss")).unwrap(),
        audiences: None,
        leeway: std::time::Duration::ZERO,
        profile: Profile::Lenient,
    };
    let claims = RegisteredClaims::scan(claims.to_string()).unwrap();
    policy
        .check_times_and_audience(&claims, UnixTime::from_secs(now))
        .expect("only the other claims are at fault");
    policy.check(&claims, UnixTime::from_secs(now))
}

/// google/jwt_verify_lib: key sets, good and bad.
pub(super) fn jwks_cases(folder: &Folder, tally: &mut Tally) {
    for case in cases(folder, "jwt_verify_lib/jwks_cases.json") {
        let (name, document) = (text(&case, "name"), text(&case, "jwks"));
        // One key, on P-521.
        if let Ok(set) = serde_json::from_str::<Value>(document)
            && name == "JwkECMissingAlg"
            && is_unsupported(&set["keys"][0])
        {
            refuse_unsupported(tally, name, None, &set["keys"][0]);
            continue;
        }
        let parsed = KeySet::parse(document.as_bytes(), &public_key_algorithms());
        let found = parsed.as_ref().map_err(|error| *error).map(|set| {
            let keys = serde_json::from_str::<Value>(document).unwrap()["keys"].as_array().unwrap().len();
            let skipped: Vec<_> = set.skipped().iter().map(|skipped| skipped.reason).collect();
            tally.expect(set.is_empty() == (keys == skipped.len()), || {
                format!("{name}: a key without a verdict")
            });
            (keys - skipped.len(), skipped)
        });
        let wanted = wanted_keys(name);
        let usable = |result: &Result<(usize, Vec<SkipReason>), JwksError>| matches!(result, Ok((1.., _)));
        let verdict = if usable(&wanted) { Wanted::Accept } else { Wanted::Refuse };
        tally.ran(name, verdict, usable(&found));
        tally.expect(found == wanted, || format!("{name} ({}): {found:?}", case["upstream_status"]));
    }
}

/// The number of usable keys and why the others are skipped, or why there is no set.
fn wanted_keys(name: &str) -> Result<(usize, Vec<SkipReason>), JwksError> {
    use SkipReason::{Malformed, Symmetric, Unsupported, Weak};
    Ok(match name {
        "JwkECMissingAlg" | "JwksECMatchAlgES256CrvP256" | "JwksECMatchAlgES384CrvP384" => (1, vec![]),
        "GoodJwks" => (2, vec![]),
        // Their Ed25519 key is no point of the curve; upstream only counts its octets.
        "GoodOKP" => (0, vec![Weak]),
        "JwksIgnoreUnsupportedKey" => (0, vec![Weak, Unsupported]),
        "JwksIgnoreUnsupportedKeyInMiddle" => (1, vec![Weak, Unsupported]),
        "JwksInvalidKty" | "JwksOKPKeyCrvUnsupported" => (0, vec![Unsupported]),
        "JwksECUnspecifiedCrv" => (0, vec![Malformed; 3]),
        // A mandatory member is missing. Upstream guesses `crv`; RFC 7518 §6.2.1 asks for it.
        "JwkECMissingCrv"
        | "JwksECMatchAlgES256WrongMissingY"
        | "JwksECMismatchAlgCrv3"
        | "JwksECMissingBothAlgCrvES256"
        | "JwksECMissingBothAlgES384"
        | "JwksECNoXY"
        | "JwksECWrongXY"
        | "JwksJwkMissingKty"
        | "JwksMismatchKty1"
        | "JwksOKPKeyBadAlg"
        | "JwksRSAKeyMissingE"
        | "JwksRSANoNE" => (0, vec![Malformed]),
        // Not canonical base64url, or no string.
        "JwksECMatchAlgES256WrongXType"
        | "JwksJwkBadKty"
        | "JwksOKPKeyBadCrv"
        | "JwksOKPKeyBadX"
        | "JwksOKPXBadBase64"
        | "JwksRSAKeyBadE"
        | "JwksRSAWrongNE" => (0, vec![Malformed]),
        "JwksOKPXWrongLength" => (0, vec![Weak]),
        "JwksJwkOctBadK" | "JwksJwkOctBadMissingK" => (0, vec![Symmetric]),
        // Certificates by name are no JWK Set.
        "JwksGoodX509" | "JwksX509WrongTypeBool" => return Err(JwksError::NotAKeySet),
        "EmptyJwks"
        | "JwksECNotSupportedAlg"
        | "JwksX509EmptyKid"
        | "JwksX509NotPrefix"
        | "JwksX509NotSuffixPrefix"
        | "JwksX509WrongPubkey"
        | "JwksX509WrongTypeArray" => return Err(JwksError::NotJson),
        other => panic!("{other:?} is new"),
    })
}

/// google/jwt_verify_lib: tokens whose signature is looked at, and nothing else.
pub(super) fn verify_cases(folder: &Folder, tally: &mut Tally) {
    for case in cases(folder, "jwt_verify_lib/verify_cases.json") {
        let (name, token) = (text(&case, "name"), text(&case, "token"));
        let outcome = signed(token, &key_set(&case["jwks"]));
        tally.ran(
            format_args!("{name} {outcome:?}"),
            Wanted::from_word(text(&case, "strict")),
            outcome.is_accepted(),
        );
        if text(&case, "signature") == "invalid" {
            tally.expect(!outcome.is_accepted(), || format!("{name}: no key of the set made the signature"));
        }
        let as_token = judged(token, &Trust::in_anyone(key_set(&case["jwks"])), before_expiry(token));
        if claims(token).unwrap().get("exp").is_some() {
            let agree = as_token.is_past_signature() == outcome.is_accepted();
            tally.expect(agree, || format!("{name}: {as_token:?} as a token, {outcome:?} by signature"));
        } else {
            tally.expect(!as_token.is_accepted(), || format!("{name}: accepted without exp"));
        }
    }
}

/// A trusted issuer as the `config` of a vector describes it.
fn trust(case: &Value) -> Trust<'_> {
    let config = &case["config"];
    let algorithms = config["algs"].as_array().unwrap().iter();
    let algorithm = |name: &Value| Algorithm::from_name(name.as_str().unwrap()).unwrap();
    let algorithms = AlgorithmSet::new(algorithms.map(algorithm));
    let keys = KeySet::parse(case["jwks"].to_string().as_bytes(), &algorithms).unwrap();
    Trust {
        issuer: Some(text(config, "issuer")),
        audience: config["audience"].as_str(),
        algorithms,
        profile: Profile::Lenient,
        keys: Arc::new(keys),
    }
}

/// envoyproxy/envoy: the tokens of its `jwt_authn` tests.
pub(super) fn envoy(folder: &Folder, tally: &mut Tally) {
    for case in cases(folder, "envoy/jwt_authn_tokens.json") {
        let (name, token) = (text(&case, "name"), text(&case, "token"));
        let outcome = judged(token, &trust(&case), case["config"]["now"].as_i64().unwrap());
        tally.ran(
            format_args!("{name} {outcome:?}"),
            Wanted::from_word(text(&case, "expect")),
            outcome.is_accepted(),
        );
        let wanted = match name {
            "NonExpiringToken" | "NotYetValidToken" => {
                Outcome::Refused(Check::UnverifiedTimesAndAudience, InvalidClaim) // neither has `exp`
            }
            "ExpiredToken" => Outcome::Refused(Check::UnverifiedTimesAndAudience, Expired),
            "InvalidAudToken" => Outcome::Refused(Check::UnverifiedTimesAndAudience, WrongAudience),
            "NonExistKidToken" => Outcome::Refused(Check::Signature, InvalidSignature),
            "OtherGoodToken" => Outcome::Refused(Check::Issuer, UnknownIssuer),
            "ES256WithoutIssToken" => Outcome::Refused(Check::Issuer, InvalidClaim),
            _ => Outcome::Accepted,
        };
        tally.expect(outcome == wanted, || format!("{name}: {outcome:?}"));
    }
}

/// istio/istio: the tokens of its documentation, which name no audience.
pub(super) fn istio(folder: &Folder, tally: &mut Tally) {
    for case in cases(folder, "istio/sample_tokens.json") {
        let (name, token) = (text(&case, "name"), text(&case, "token"));
        let now = case["config"]["now"].as_i64().unwrap();
        let signature = signed(token, &key_set(&case["jwks"]));
        tally.expect(signature.is_accepted(), || format!("{name}: {signature:?}"));
        for (audience, expectation) in
            [(Some("api"), "expect_with_required_audience"), (None, "expect_with_audience_check_off")]
        {
            let outcome = judged(token, &Trust { audience, ..trust(&case) }, now);
            let wanted = Wanted::from_word(text(&case, expectation));
            tally.ran(format_args!("{name} {expectation} {outcome:?}"), wanted, outcome.is_accepted());
        }
    }
}

/// jpadilla/pyjwt: keys, and sets of an authorization server that also publishes encryption keys.
pub(super) fn pyjwt_keys(folder: &Folder, tally: &mut Tally) {
    use Algorithm::{Ed25519, EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    for (file, wanted) in [
        ("jwk_ec_pub_P-256.json", Ok(vec![Es256])),
        ("jwk_ec_pub_P-384.json", Ok(vec![Es384])),
        ("jwk_ec_pub_P-521.json", Ok(vec![Es512])),
        ("jwk_ec_pub_secp256k1.json", Err(SkipReason::Unsupported)),
        ("jwk_okp_pub_Ed25519.json", Ok(vec![Ed25519, EdDsa])),
        ("jwk_okp_pub_Ed448.json", Err(SkipReason::Unsupported)),
        ("jwk_rsa_pub.json", Ok(vec![Ps256, Ps384, Ps512, Rs256, Rs384, Rs512])),
    ] {
        one_key(tally, file, &folder.json(&format!("pyjwt/{file}")), &wanted);
    }
    for (file, usable) in [("jwk_keyset_only_unknown_alg.json", 0), ("jwk_keyset_with_unknown_alg.json", 1)] {
        let set = key_set(&folder.json(&format!("pyjwt/{file}")));
        let wanted = if usable > 0 { Wanted::Accept } else { Wanted::Refuse };
        tally.ran(file, wanted, !set.is_empty());
        let skipped: Vec<_> = set.skipped().iter().map(|skipped| skipped.reason).collect();
        tally.expect(set.len() == usable, || format!("{file}: {} keys", set.len()));
        tally.expect(skipped == [SkipReason::NotForSignatures], || format!("{file}: {skipped:?}"));
    }
}

/// GHSA-ffqj-6fqr-9h24: a public key must not serve as a secret.
pub(super) fn pyjwt_advisory(folder: &Folder, tally: &mut Tally) {
    for case in cases(folder, "pyjwt/advisory_ffqj_6fqr_9h24.json") {
        let (name, token) = (text(&case, "name"), text(&case, "token"));
        let outcome = signed(token, &key_set(&case["jwks"]));
        let wanted = Wanted::from_word(text(&case, "signature"));
        tally.ran(format_args!("{name} {outcome:?}"), wanted, outcome.is_accepted());
        if wanted == Wanted::Refuse {
            let wanted = Outcome::Refused(Check::Algorithm, AlgorithmNotAllowed);
            tally.expect(outcome == wanted, || format!("{name}: {outcome:?}"));
        }
    }
}
