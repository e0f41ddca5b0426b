//! Are the edge cases of Ed25519 refused?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    judging::{octets, text},
    tally::{Folder, Tally, Wanted},
};
use crate::keys::{
    algorithm::{Algorithm, AlgorithmSet},
    jwk::import,
};

/// What became of a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    KeySkipped,
    Refused,
    Accepted,
}

/// The key goes through the import of a JWK Set, as in life.
fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Found {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key) });
    let names = AlgorithmSet::new([Algorithm::EdDsa, Algorithm::Ed25519]);
    let Ok(keys) = import(&jwk.to_string(), 0, &names) else { return Found::KeySkipped };
    let [one, other] = [0, 1].map(|place: usize| keys[place].verify(message, signature));
    assert_eq!(one, other, "one algorithm under two names");
    if one { Found::Accepted } else { Found::Refused }
}

/// C2SP/CCTV: combinations of small-order and non-canonical points.
pub(super) fn cctv(folder: &Folder, tally: &mut Tally) {
    let cases = folder.json("ed25519-edge/cctv_ed25519vectors.json");
    for case in cases.as_array().unwrap() {
        let (name, wanted) = (format!("{} {}", case["number"], case["flags"]), text(case, "strict"));
        let found = verify(&octets(&case["key"]), text(case, "msg").as_bytes(), &octets(&case["sig"]));
        tally.ran(&name, Wanted::from_word(wanted), found == Found::Accepted);
        let flagged = |flag: &str| case["flags"].as_array().is_some_and(|flags| flags.contains(&flag.into()));
        // What the arithmetic takes must stop at the key.
        if wanted == "reject" && text(case, "openssl") == "accept" {
            tally.expect(found == Found::KeySkipped, || format!("{name}: {found:?}, not by its key"));
        }
        // Nothing else is tolerated.
        if wanted == "reject_preferred" {
            tally.expect(flagged("low_order_R") && !flagged("low_order_A"), || {
                format!("{name}: another kind")
            });
        }
    }
}

/// novifinancial/ed25519-speccheck.
pub(super) fn speccheck(folder: &Folder, tally: &mut Tally) {
    let cases = folder.json("ed25519-edge/speccheck_cases.json");
    for case in cases.as_array().unwrap() {
        let name = format!("{} {}", case["number"], case["what"]);
        let message = octets(&case["message"]);
        let found = verify(&octets(&case["pub_key"]), &message, &octets(&case["signature"]));
        tally.ran(name, Wanted::from_word(text(case, "strict")), found == Found::Accepted);
    }
}
