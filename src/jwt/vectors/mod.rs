//! Do the test vectors of others get the verdicts that they should?
//!
//! The vectors are not in the repository: `BEARERGATE_VECTORS` names their folder, whose `README.md` says which verdict
//! is wanted and why. Without it these tests print one line each and are left out.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod cookbook;
mod ed25519;
mod json;
mod judging;
mod tally;
mod tokens;
mod wycheproof;

use std::io::Write as _;

use self::tally::{Folder, Row, Tally, leave_out};

/// One row of the table.
struct Source {
    name: &'static str,
    run: fn(&Folder, &mut Tally),
    by_aws_lc: Row,
    note_for_aws_lc: &'static str,
}

impl Source {
    /// A suite that shrinks, or a verdict that changes, shows here.
    fn expected(&self) -> Row {
        self.by_rust_crypto().map_or(self.by_aws_lc, |(_, row, _)| *row)
    }

    /// Why vectors are left out, or differ.
    fn note(&self) -> &'static str {
        self.by_rust_crypto().map_or(self.note_for_aws_lc, |(_, _, note)| note)
    }

    fn by_rust_crypto(&self) -> Option<&'static Different> {
        let different = BY_RUST_CRYPTO.iter().find(|(name, ..)| *name == self.name);
        different.filter(|_| !cfg!(feature = "aws-lc-rs"))
    }

    fn tally(&self, folder: &Folder) -> Tally {
        let mut tally = Tally::default();
        (self.run)(folder, &mut tally);
        tally
    }

    #[track_caller]
    fn check(&self, folder: &Folder) {
        let tally = self.tally(folder);
        assert!(tally.wrong().is_empty(), "{}:\n{}", self.name, tally.wrong().join("\n"));
        assert_eq!(tally.row(), self.expected(), "{}", self.name);
    }
}

/// The rows of the table, and one test for each.
macro_rules! sources {
    ($($test:ident: $name:literal, $run:expr, $expected:expr, $note:expr;)*) => {
        const SOURCES: &[Source] = &[$(
            Source { name: $name, run: $run, by_aws_lc: $expected, note_for_aws_lc: $note },
        )*];

        $(
            #[test]
            fn $test() {
                let Some(folder) = Folder::open(stringify!($test)) else { return };
                SOURCES.iter().find(|source| source.name == $name).unwrap().check(&folder);
            }
        )*
    };
}

const BOUND: &str = "left out: sender-constrained tokens are for later";
const ENCRYPTED: &str = "left out: encrypted tokens are for later";
const HMAC: &str = "left out: HMAC, the crate takes no shared secrets; each is refused as a token";
const ROCA: &str = "left out: HMAC, refused as tokens; differs: a ROCA key is taken (optional)";

sources! {
    wycheproof_json_web_signature: "wycheproof json_web_signature",
        wycheproof::json_web_signature, Row::new(22, 304).left_out(40), HMAC;
    wycheproof_json_web_key: "wycheproof json_web_key",
        wycheproof::json_web_key, Row::new(1, 10).differs(1).left_out(14), ROCA;
    wycheproof_es256: "wycheproof ecdsa P-256", wycheproof::es256, Row::new(173, 89), "";
    wycheproof_es512: "wycheproof ecdsa P-521", wycheproof::es512, Row::new(231, 87), "";
    wycheproof_ed25519: "wycheproof ed25519", wycheproof::ed25519, Row::new(88, 63), "";
    wycheproof_rs256: "wycheproof rsa pkcs1 sha256", wycheproof::rs256, Row::new(9, 250), "";
    wycheproof_rs384: "wycheproof rsa pkcs1 sha384", wycheproof::rs384, Row::new(7, 251), "";
    wycheproof_rs512: "wycheproof rsa pkcs1 sha512", wycheproof::rs512, Row::new(8, 251), "";
    wycheproof_ps256: "wycheproof rsa pss sha256", wycheproof::ps256, Row::new(63, 45), "";
    wycheproof_ps384: "wycheproof rsa pss sha384", wycheproof::ps384, Row::new(95, 46), "";
    wycheproof_json_web_encryption: "wycheproof json_web_encryption",
        |folder, tally| leave_out(folder, tally, "wycheproof/json_web_encryption_test.json"),
        Row::new(0, 0).left_out(100), ENCRYPTED;
    ed25519_cctv: "ed25519-edge cctv", ed25519::cctv, Row::new(43, 871), "";
    ed25519_speccheck: "ed25519-edge speccheck", ed25519::speccheck, Row::new(1, 11), "";
    cookbook_jws: "jose-cookbook jws", cookbook::jws, Row::new(3, 16).left_out(1), HMAC;
    cookbook_jwk: "jose-cookbook jwk", cookbook::jwk, Row::new(2, 4), "";
    cookbook_curve25519: "jose-cookbook curve25519",
        cookbook::curve25519, Row::new(1, 2).left_out(3), ENCRYPTED;
    cookbook_rfc7797: "jose-cookbook rfc7797", cookbook::rfc7797, Row::new(0, 5), "";
    cookbook_jwe: "jose-cookbook jwe, nesting", cookbook::jwe, Row::new(0, 0).left_out(13), ENCRYPTED;
    rfc7515: "rfc7515_jws", cookbook::rfc7515, Row::new(3, 4).left_out(1), HMAC;
    rfc8037: "rfc8037_ed25519", cookbook::rfc8037, Row::new(1, 0), "";
    jwk_thumbprints: "jwk_thumbprints", cookbook::thumbprint_keys, Row::new(3, 1), "only the import of the keys";
    rfc9068: "rfc9068_access_token", cookbook::rfc9068, Row::new(1, 0), "signed here: no signature is published";
    rfc9449: "rfc9449_dpop", |folder, tally| leave_out(folder, tally, "rfc/rfc9449_dpop.json"),
        Row::new(0, 0).left_out(3), BOUND;
    rfc8705: "rfc8705_mtls", |folder, tally| leave_out(folder, tally, "rfc/rfc8705_mtls.json"),
        Row::new(0, 0).left_out(4), BOUND;
    rfc3986: "rfc3986_htu_equivalence",
        |folder, tally| leave_out(folder, tally, "rfc/rfc3986_htu_equivalence.json"),
        Row::new(0, 0).left_out(12), BOUND;
    rfc7662: "rfc7662_introspection",
        |folder, tally| leave_out(folder, tally, "rfc/rfc7662_introspection.json"),
        Row::new(0, 0).left_out(1), "left out: introspection is for later";
    rfc6750: "rfc6750_challenges", |folder, tally| leave_out(folder, tally, "rfc/rfc6750_challenges.json"),
        Row::new(0, 0).left_out(6), "left out: no tokens; tests/http_surface.rs holds the challenges";
    jwt_verify_lib_parse: "jwt_verify_lib parse", tokens::parse_cases, Row::new(0, 33), "";
    jwt_verify_lib_jwks: "jwt_verify_lib jwks", tokens::jwks_cases, Row::new(5, 36), "accepted: some key is usable; two sets hold nothing but an Ed25519 key that is no point";
    jwt_verify_lib_verify: "jwt_verify_lib verify", tokens::verify_cases, Row::new(8, 9), "";
    envoy: "envoy jwt_authn", tokens::envoy, Row::new(3, 7), "";
    istio: "istio sample tokens", tokens::istio, Row::new(2, 2), "each with an audience required, and without";
    pyjwt_keys: "pyjwt keys and sets", tokens::pyjwt_keys, Row::new(6, 3), "";
    pyjwt_advisory: "pyjwt advisory", tokens::pyjwt_advisory, Row::new(2, 2), "";
    json_as_header: "json-parsing as header", json::as_header, Row::new(0, 283), "";
    json_as_payload: "json-parsing as payload", json::as_payload, Row::new(0, 283), "";
    json_as_claim: "json-parsing as private claim", json::as_claim, Row::new(93, 190), "";
}

/// A source, what becomes of it, and why.
type Different = (&'static str, Row, &'static str);

/// Every row that the other backend gives otherwise. No other verdict differs.
const BY_RUST_CRYPTO: &[Different] = &[
    ("wycheproof ecdsa P-521", Row::new(0, 0).left_out(318), ES512),
    ("jose-cookbook jws", Row::new(2, 16).left_out(2), HMAC_AND_ES512),
    ("jose-cookbook jwk", Row::new(1, 4).left_out(1), ES512),
    ("rfc7515_jws", Row::new(2, 4).left_out(2), HMAC_AND_ES512),
    ("jwt_verify_lib jwks", Row::new(4, 36).left_out(1), ES512),
    ("pyjwt keys and sets", Row::new(5, 3).left_out(1), ES512),
];

const ES512: &str = "left out: ES512, which rust-crypto has not; its keys are skipped";
const HMAC_AND_ES512: &str = "left out: HMAC; ES512, which rust-crypto has not; each is refused as a token";

#[test]
fn what_differs_by_backend_is_a_source_and_differs() {
    for (name, row, _) in BY_RUST_CRYPTO {
        let source = SOURCES.iter().find(|source| source.name == *name).unwrap();
        assert_ne!(source.by_aws_lc, *row, "{name}");
    }
}

/// Runs every source once more, for the reader: the table goes past the capture of output.
#[test]
fn foreign_vectors_table() {
    let Some(folder) = Folder::open("foreign_vectors_table") else { return };
    let mut table = format!("\n{:32}{}  note\n", "source", Row::HEADINGS);
    let mut total = Row::default();
    let mut wrong = Vec::new();
    for source in SOURCES {
        let tally = source.tally(&folder);
        let row = tally.row();
        table += &format!("{:32}{row}  {}\n", source.name, source.note());
        total += row;
        if row != source.expected() {
            wrong.push(format!("{:32}{}  was expected", source.name, source.expected()));
        }
        wrong.extend(tally.wrong().iter().map(|line| format!("{}: {line}", source.name)));
    }
    table += &format!("{:32}{total}\n", "total");
    let _shown = std::io::stderr().write_all(table.as_bytes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(folder.unread(), Vec::<String>::new(), "files that no source reads");
}
