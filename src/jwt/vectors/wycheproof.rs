//! Do Wycheproof's tokens, keys and signatures get the verdicts of the strict reading?

use std::{collections::BTreeMap, slice};

use serde_json::Value;

use super::{
    judging::{
        Outcome, Trust, is_unsupported, judged, key_set, octets, refuse_hmac, refuse_unsupported, signed,
        text,
    },
    tally::{Folder, Tally, Wanted},
};
use crate::{
    error::AuthErrorKind::MalformedToken,
    jwt::Check,
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        jwk::import,
    },
};

/// A file with the verdicts of `strict_overrides.json` in place of upstream's.
struct Suite {
    name: String,
    content: Value,
    overrides: BTreeMap<u64, String>,
}

struct Test<'s> {
    name: String,
    number: u64,
    group: &'s Value,
    vector: &'s Value,
    wanted: &'s str,
}

impl Suite {
    fn read(folder: &Folder, name: &str) -> Self {
        let overrides = folder.json("wycheproof/strict_overrides.json");
        let overrides = overrides[name].as_object().into_iter().flatten();
        let overrides =
            overrides.map(|(id, verdict)| (id.parse().unwrap(), text(verdict, "strict").to_owned()));
        let content = folder.json(&format!("wycheproof/{name}"));
        Self { name: name.to_owned(), content, overrides: overrides.collect() }
    }

    fn tests(&self) -> impl Iterator<Item = Test<'_>> {
        let groups = self.content["testGroups"].as_array().unwrap().iter();
        let tests =
            groups.flat_map(|group| group["tests"].as_array().unwrap().iter().map(move |test| (group, test)));
        tests.map(|(group, vector)| {
            let number = vector["tcId"].as_u64().unwrap();
            let wanted = self.overrides.get(&number).map_or_else(|| text(vector, "result"), String::as_str);
            let name = format!("{} {number} {:?}", self.name, text(vector, "comment"));
            Test { name, number, group, vector, wanted }
        })
    }

    /// Every correction must meet its vector.
    fn finish(&self, tally: &mut Tally) {
        for number in self.overrides.keys() {
            let met = self.tests().any(|test| test.number == *number);
            tally.expect(met, || format!("{} {number}: an override without a vector", self.name));
        }
        let (announced, found) = (self.content["numberOfTests"].as_u64().unwrap(), self.tests().count());
        tally.expect(found as u64 == announced, || format!("{}: {found} tests, not {announced}", self.name));
    }
}

/// Whole tokens. Their payloads are no claims, so that as access tokens all of them are refused.
pub(super) fn json_web_signature(folder: &Folder, tally: &mut Tally) {
    let suite = Suite::read(folder, "json_web_signature_test.json");
    for Test { name, number, group, vector, wanted } in suite.tests() {
        let token = text(vector, "jws");
        let Some(public) = group.get("public") else {
            refuse_hmac(tally, &name, token, slice::from_ref(&group["private"]));
            continue;
        };
        let outcome = signed(token, &key_set(public));
        tally.ran(format_args!("{name} {outcome:?}"), Wanted::from_word(wanted), outcome.is_accepted());
        as_access_token(tally, &name, token, public, outcome);
        // Only the `alg` of the key is wrong in these two.
        if matches!(number, 346 | 347) {
            let mut without_alg = public.clone();
            without_alg.as_object_mut().unwrap().remove("alg").unwrap();
            let outcome = signed(token, &key_set(&without_alg));
            tally.expect(outcome.is_accepted() != is_unsupported(public), || {
                format!("{name} without the key's alg: {outcome:?}")
            });
        }
    }
    suite.finish(tally);
}

/// Keys and sets, good and bad, each with a token.
pub(super) fn json_web_key(folder: &Folder, tally: &mut Tally) {
    let suite = Suite::read(folder, "json_web_key_test.json");
    for Test { name, group, vector, wanted, .. } in suite.tests() {
        let token = text(vector, "jws");
        let keys = group.get("public").unwrap_or(&group["private"]);
        let list = keys["keys"].as_array().unwrap();
        if list.iter().all(|key| key["kty"] == "oct") {
            refuse_hmac(tally, &name, token, list);
            continue;
        }
        let outcome = signed(token, &key_set(keys));
        tally.ran(format_args!("{name} {outcome:?}"), Wanted::from_word(wanted), outcome.is_accepted());
        as_access_token(tally, &name, token, keys, outcome);
    }
    suite.finish(tally);
}

fn as_access_token(tally: &mut Tally, name: &str, token: &str, keys: &Value, signed: Outcome) {
    let outcome = judged(token, &Trust::in_anyone(key_set(keys)), 0);
    let wanted = match signed {
        // An empty payload is a fault of structure for us; any other that is no object is one of content.
        Outcome::Accepted if token.contains("..") => Outcome::Refused(Check::Structure, MalformedToken),
        Outcome::Accepted => Outcome::Refused(Check::Payload, MalformedToken),
        Outcome::Refused(..) => {
            tally.expect(!outcome.is_accepted(), || format!("{name}: accepted as a token"));
            return;
        }
    };
    tally.expect(outcome == wanted, || format!("{name}: {outcome:?} as a token"));
}

pub(super) fn es256(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "ecdsa_secp256r1_sha256_p1363_test.json", &[Algorithm::Es256]);
}

pub(super) fn es512(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "ecdsa_secp521r1_sha512_p1363_test.json", &[Algorithm::Es512]);
}

pub(super) fn ed25519(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "ed25519_test.json", &[Algorithm::EdDsa, Algorithm::Ed25519]);
}

pub(super) fn rs256(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "rsa_signature_2048_sha256_test.json", &[Algorithm::Rs256]);
}

pub(super) fn rs384(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "rsa_signature_2048_sha384_test.json", &[Algorithm::Rs384]);
}

pub(super) fn rs512(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "rsa_signature_2048_sha512_test.json", &[Algorithm::Rs512]);
}

pub(super) fn ps256(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "rsa_pss_2048_sha256_mgf1_32_test.json", &[Algorithm::Ps256]);
}

pub(super) fn ps384(folder: &Folder, tally: &mut Tally) {
    signatures(folder, tally, "rsa_pss_2048_sha384_mgf1_48_test.json", &[Algorithm::Ps384]);
}

/// A message, a signature and a key. With several names of one algorithm, all must agree.
fn signatures(folder: &Folder, tally: &mut Tally, file: &str, algorithms: &[Algorithm]) {
    let suite = Suite::read(folder, file);
    let allowed = AlgorithmSet::new(algorithms.iter().copied());
    for Test { name, group, vector, wanted, .. } in suite.tests() {
        let key = &group["publicKeyJwk"];
        if is_unsupported(key) {
            refuse_unsupported(tally, &name, None, key);
            continue;
        }
        let (message, signature) = (octets(&vector["msg"]), octets(&vector["sig"]));
        let keys = import(&key.to_string(), 0, &allowed).unwrap_or_default();
        tally.expect(keys.len() == algorithms.len(), || format!("{name}: the key is not taken"));
        let accepted = keys.iter().filter(|key| key.verify(&message, &signature)).count();
        tally.expect(accepted == 0 || accepted == keys.len(), || format!("{name}: the names disagree"));
        tally.ran(&name, Wanted::from_word(wanted), accepted > 0);
    }
    suite.finish(tally);
}
