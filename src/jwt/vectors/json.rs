//! Is a JSON text that is refused alone refused wherever it stands in a token?

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::{
    judging::{MAX_TOKEN_BYTES, Outcome, Trust, judged, key_set, text},
    tally::{Folder, Tally, Wanted},
};
use crate::{
    error::AuthErrorKind::{AlgorithmNotAllowed, InvalidClaim, MalformedToken, TokenTooLong},
    jwt::Check,
    keys::set::KeySet,
};

/// Signs what no issuer would.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    /// Its public key as the set of an issuer.
    pub(super) fn keys(&self, kid: &str) -> KeySet {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        key_set(&json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }))
    }

    /// A token of these octets, which need not be text.
    pub(super) fn token(&self, header: &[u8], payload: &[u8]) -> String {
        let signing_input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signing_input.as_bytes()));
        format!("{signing_input}.{signature}")
    }
}

const HEADER: &[u8] = br#"{"alg":"EdDSA"}"#;
const CLAIMS: &[u8] = br#"{"iss":"https://issuer.example","exp":2000000000}"#;
const NOW: i64 = 1_800_000_000;

struct Case {
    name: String,
    octets: Vec<u8>,
    strict: Wanted,
}

impl Case {
    fn is_good_object(&self) -> bool {
        self.strict == Wanted::Accept && self.octets.trim_ascii_start().first() == Some(&b'{')
    }
}

fn cases(folder: &Folder) -> Vec<Case> {
    let suite = folder.json("json-parsing/json_test_suite.json");
    let case = |case: &serde_json::Value| Case {
        name: text(case, "name").to_owned(),
        octets: STANDARD.decode(text(case, "bytes_b64")).unwrap(),
        strict: Wanted::from_word(text(case, "strict")),
    };
    suite.as_array().unwrap().iter().map(case).collect()
}

/// Every text is refused, the few good objects only because they name no algorithm.
pub(super) fn as_header(folder: &Folder, tally: &mut Tally) {
    let signer = Signer::new();
    let trust = Trust::in_anyone(signer.keys("k"));
    for case in cases(folder) {
        let token = signer.token(&case.octets, CLAIMS);
        let wanted = match &case {
            case if case.is_good_object() => Outcome::Refused(Check::Header, AlgorithmNotAllowed),
            case if case.octets.is_empty() => Outcome::Refused(Check::Structure, MalformedToken),
            _ => Outcome::Refused(Check::Header, MalformedToken),
        };
        refused(tally, &case, &token, wanted, judged(&token, &trust, NOW));
    }
}

/// Every text is refused, the few good objects only because they name no issuer.
pub(super) fn as_payload(folder: &Folder, tally: &mut Tally) {
    let signer = Signer::new();
    let trust = Trust::in_anyone(signer.keys("k"));
    for case in cases(folder) {
        let token = signer.token(HEADER, &case.octets);
        let wanted = match &case {
            case if case.is_good_object() => Outcome::Refused(Check::Issuer, InvalidClaim),
            case if case.octets.is_empty() => Outcome::Refused(Check::Structure, MalformedToken),
            _ => Outcome::Refused(Check::Payload, MalformedToken),
        };
        refused(tally, &case, &token, wanted, judged(&token, &trust, NOW));
    }
}

fn refused(tally: &mut Tally, case: &Case, token: &str, wanted: Outcome, outcome: Outcome) {
    let name = &case.name;
    tally.ran(name, Wanted::Refuse, outcome.is_accepted());
    let too_long = Outcome::Refused(Check::Structure, TokenTooLong);
    let wanted = if token.len() > MAX_TOKEN_BYTES { too_long } else { wanted };
    tally.expect(outcome == wanted, || format!("{name}: {outcome:?}"));
}

/// A claim that nobody reads decides nothing as long as the whole is good JSON. Nor does a header parameter.
pub(super) fn as_claim(folder: &Folder, tally: &mut Tally) {
    let signer = Signer::new();
    let trust = Trust::in_anyone(signer.keys("k"));
    for case in cases(folder) {
        let first = |object: &[u8]| [b"{\"private\":", case.octets.as_slice(), b",", &object[1..]].concat();
        let last = |object: &[u8]| {
            [&object[..object.len() - 1], b",\"private\":", case.octets.as_slice(), b"}"].concat()
        };
        let judged = |header: &[u8], payload: &[u8]| judged(signer.token(header, payload), &trust, NOW);
        let name = &case.name;
        let outcome = judged(HEADER, &last(CLAIMS));
        tally.ran(format_args!("{name} {outcome:?}"), case.strict, outcome.is_accepted());
        let places = [
            (outcome, Check::Payload),
            (judged(HEADER, &first(CLAIMS)), Check::Payload),
            (judged(&last(HEADER), CLAIMS), Check::Header),
            (judged(&first(HEADER), CLAIMS), Check::Header),
        ];
        for (outcome, check) in places {
            let wanted = match case.strict {
                Wanted::Accept => Outcome::Accepted,
                _ if case.octets.len() > MAX_TOKEN_BYTES => Outcome::Refused(Check::Structure, TokenTooLong),
                _ => Outcome::Refused(check, MalformedToken),
            };
            tally.expect(outcome == wanted, || format!("{name} in {check:?}: {outcome:?}"));
        }
    }
}
