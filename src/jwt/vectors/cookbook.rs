//! Do the examples that the RFCs publish come out as they say?

use std::slice;

use serde_json::Value;

use super::{
    json::Signer,
    judging::{
        Outcome, Trust, imported, is_unsupported, judged, key_set, public_part, refuse_hmac,
        refuse_unsupported, segments, signed, text,
    },
    tally::{Folder, Tally, Wanted, leave_out},
};
use crate::{
    error::AuthErrorKind::{CriticalExtension, MalformedToken},
    jwt::Check,
    keys::{algorithm::Algorithm, jwk::SkipReason, set::KeySet},
    policy::Profile,
};

/// RFC 7520 §4: each figure in each of its serializations. Only the compact one can be a token.
pub(super) fn jws(folder: &Folder, tally: &mut Tally) {
    for file in folder.files("jose-cookbook/jws") {
        figure(tally, &file, &folder.json(&file));
    }
}

/// RFC 8037 appendix A.
pub(super) fn curve25519(folder: &Folder, tally: &mut Tally) {
    let file = "jose-cookbook/curve25519/jws.json";
    figure(tally, file, &folder.json(file));
    leave_out(folder, tally, "jose-cookbook/curve25519/ecdh-es.json");
}

fn figure(tally: &mut Tally, file: &str, figure: &Value) {
    let key = &figure["input"]["key"];
    let outputs = figure["output"].as_object().unwrap();
    for (serialization, output) in outputs {
        let name = format!("{file} {serialization}");
        let Some(token) = output.as_str() else {
            refused_as_token(tally, &name, &output.to_string(), Check::Structure);
            continue;
        };
        let [_, payload, _] = segments(token).unwrap();
        if payload.is_empty() {
            refused_as_token(tally, &name, token, Check::Structure); // detached
        } else if key["kty"] == "oct" {
            refuse_hmac(tally, &name, token, slice::from_ref(key));
        } else {
            // The key is published with its private half, which must not make it a key of ours.
            tally.expect(imported(key) == Err(SkipReason::Private), || {
                format!("{name}: a private key is taken")
            });
            prose(tally, &name, token, &public_part(key));
        }
    }
}

/// A token whose signature holds and whose payload is prose.
fn prose(tally: &mut Tally, name: &str, token: &str, key: &Value) {
    if is_unsupported(key) {
        refuse_unsupported(tally, name, Some(token), key);
        return;
    }
    let outcome = signed(token, &key_set(key));
    tally.ran(format_args!("{name} {outcome:?}"), Wanted::Accept, outcome.is_accepted());
    let outcome = judged(token, &Trust::in_anyone(key_set(key)), 0);
    let wanted = Outcome::Refused(Check::Payload, MalformedToken);
    tally.expect(outcome == wanted, || format!("{name}: {outcome:?} as a token"));
}

/// Malformed for us, whatever the keys.
fn refused_as_token(tally: &mut Tally, name: &str, token: &str, check: Check) {
    let outcome = judged(token, &Trust::in_anyone(KeySet::none()), 0);
    tally.ran(format_args!("{name} {outcome:?}"), Wanted::Refuse, outcome.is_accepted());
    let wanted = Outcome::Refused(check, MalformedToken);
    tally.expect(outcome == wanted, || format!("{name}: {outcome:?}"));
}

/// RFC 7520 §3: public keys are taken; private keys and shared secrets never are.
pub(super) fn jwk(folder: &Folder, tally: &mut Tally) {
    use Algorithm::{Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    for (file, wanted) in [
        ("3_1.ec_public_key.json", Ok(vec![Es512])),
        ("3_2.ec_private_key.json", Err(SkipReason::Private)),
        ("3_3.rsa_public_key.json", Ok(vec![Ps256, Ps384, Ps512, Rs256, Rs384, Rs512])),
        ("3_4.rsa_private_key.json", Err(SkipReason::Private)),
        ("3_5.symmetric_key_mac_computation.json", Err(SkipReason::Symmetric)),
        ("3_6.symmetric_key_encryption.json", Err(SkipReason::Symmetric)),
    ] {
        one_key(tally, file, &folder.json(&format!("jose-cookbook/jwk/{file}")), &wanted);
    }
}

/// One JWK, with the algorithms that it verifies or why it is skipped.
pub(super) fn one_key(
    tally: &mut Tally,
    name: &str,
    jwk: &Value,
    wanted: &Result<Vec<Algorithm>, SkipReason>,
) {
    if wanted.is_ok() && is_unsupported(jwk) {
        refuse_unsupported(tally, name, None, jwk);
        return;
    }
    let found = imported(jwk);
    let verdict = if wanted.is_ok() { Wanted::Accept } else { Wanted::Refuse };
    tally.ran(name, verdict, found.is_ok());
    tally.expect(found == *wanted, || format!("{name}: {found:?}"));
}

/// RFC 7797: the payload is not encoded, which `b64` says. We understand no such extension.
pub(super) fn rfc7797(folder: &Folder, tally: &mut Tally) {
    for file in folder.files("jose-cookbook/rfc7797") {
        for (serialization, output) in folder.json(&file)["output"].as_object().unwrap() {
            let name = format!("{file} {serialization}");
            let Some(token) = output.as_str() else {
                refused_as_token(tally, &name, &output.to_string(), Check::Structure);
                continue;
            };
            let outcome = judged(token, &Trust::in_anyone(KeySet::none()), 0);
            tally.ran(&name, Wanted::Refuse, outcome.is_accepted());
            let wanted = Outcome::Refused(Check::Header, CriticalExtension);
            tally.expect(outcome == wanted, || format!("{name}: {outcome:?}"));
        }
    }
}

/// RFC 7520 §5 and §6.
pub(super) fn jwe(folder: &Folder, tally: &mut Tally) {
    for file in folder.files("jose-cookbook/jwe") {
        leave_out(folder, tally, &file);
    }
    leave_out(folder, tally, "jose-cookbook/6.nesting_signatures_and_encryption.json");
}

/// RFC 7515 appendices A and E.
pub(super) fn rfc7515(folder: &Folder, tally: &mut Tally) {
    /// `exp` of the claims that the examples share, less a second.
    const BEFORE_EXPIRY: i64 = 1_300_819_379;
    for case in folder.json("rfc/rfc7515_jws.json")["cases"].as_array().unwrap() {
        let name = text(case, "id");
        let key = &case["jwk"];
        let Some(token) = case["compact"].as_str() else {
            refused_as_token(tally, name, &case["json"].to_string(), Check::Structure);
            continue;
        };
        let trust = || Trust::in_anyone(key_set(key));
        match name {
            "A.1" => refuse_hmac(tally, name, token, slice::from_ref(key)),
            "A.4" => prose(tally, name, token, key),
            "A.2" | "A.3" => {
                let outcome = signed(token, &key_set(key));
                tally.ran(name, Wanted::from_word(text(case, "signature")), outcome.is_accepted());
                // These two have claims, and could be access tokens of an issuer "joe" that names no audience.
                let outcome = judged(token, &Trust { issuer: Some("joe"), ..trust() }, BEFORE_EXPIRY);
                tally.expect(outcome.is_accepted(), || format!("{name}: {outcome:?} in time"));
                let outcome = judged(token, &trust(), BEFORE_EXPIRY + 1);
                tally.expect(!outcome.is_accepted(), || format!("{name}: accepted too late"));
            }
            _ => {
                let outcome = judged(token, &trust(), BEFORE_EXPIRY);
                tally.ran(name, Wanted::from_word(text(case, "signature")), outcome.is_accepted());
                let at_header = matches!(outcome, Outcome::Refused(Check::Header, _));
                tally.expect(at_header, || format!("{name}: {outcome:?}"));
            }
        }
    }
}

/// RFC 8037 appendix A.4.
pub(super) fn rfc8037(folder: &Folder, tally: &mut Tally) {
    for case in folder.json("rfc/rfc8037_ed25519.json")["cases"].as_array().unwrap() {
        prose(tally, text(case, "id"), text(case, "compact"), &case["jwk"]);
    }
}

/// The keys whose thumbprints RFC 7638 and its neighbours publish.
pub(super) fn thumbprint_keys(folder: &Folder, tally: &mut Tally) {
    for case in folder.json("rfc/jwk_thumbprints.json")["cases"].as_array().unwrap() {
        let name = text(case, "name");
        let wanted = match name {
            "RFC 7638 3.1" => Ok(vec![Algorithm::Rs256]),
            // It says `use: enc`.
            "RFC 7517 A.1 EC key (value from a public test suite)" => Err(SkipReason::NotForSignatures),
            "RFC 8037 A.3" => Ok(vec![Algorithm::Ed25519, Algorithm::EdDsa]),
            _ => Ok(vec![Algorithm::Es256]),
        };
        one_key(tally, name, &case["jwk"], &wanted);
    }
}

/// RFC 9068 §3, signed by a key of our own: only its `alg` is not as published.
pub(super) fn rfc9068(folder: &Folder, tally: &mut Tally) {
    let example = folder.json("rfc/rfc9068_access_token.json");
    let signer = Signer::new();
    let (mut header, claims) = (example["header"].clone(), &example["claims"]);
    header["alg"] = "EdDSA".into();
    let token = signer.token(header.to_string().as_bytes(), claims.to_string().as_bytes());
    let trust = Trust {
        issuer: Some(text(claims, "iss")),
        audience: Some(text(claims, "aud")),
        profile: Profile::Rfc9068,
        ..Trust::in_anyone(signer.keys(text(&header, "kid")))
    };
    let outcome = judged(&token, &trust, claims["iat"].as_i64().unwrap());
    tally.ran(format_args!("figure 2 {outcome:?}"), Wanted::Accept, outcome.is_accepted());
}
