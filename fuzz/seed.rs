//! Writes inputs for every target, those of the embedded issuer and past findings, into `fuzz/corpus` or the folder that is named.

use std::{fs, io, path::Path};

use bearergate::{Algorithm, testing::TestIssuer};

fn main() -> io::Result<()> {
    let corpus = std::env::args().nth(1).unwrap_or_else(|| "fuzz/corpus".to_owned());
    let corpus = Path::new(&corpus);
    let write = |target: &str, name: &str, content: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), content)
    };
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::MlDsa44];
    let issuer = TestIssuer::builder()
        .algorithms(algorithms)
        .default_audience("https://api.example.com")
        .offline("https://as.example");
    write("jwks", "all", issuer.jwks().as_bytes())?;
    for algorithm in algorithms {
        let single = TestIssuer::builder().algorithms([algorithm]).offline("https://as.example").jwks();
        let jwk = single.trim_start_matches("{\"keys\":[").trim_end_matches("]}").to_owned();
        write("jwk", algorithm.name(), jwk.as_bytes())?;
        write("jwks", algorithm.name(), single.as_bytes())?;
        let token = issuer
            .token_by(algorithm)
            .scope("read write")
            .claim("aud", ["https://api.example.com", "b\u{e9}\n"])
            .claim("nested", serde_like());
        write("compact", algorithm.name(), token.mint().as_bytes())?;
        write("header", algorithm.name(), token.header_json().as_bytes())?;
        write("claims", algorithm.name(), token.payload_json().as_bytes())?;
        write("authorization", algorithm.name(), format!("Bearer {}", token.mint()).as_bytes())?;
    }
    // What fuzzing has found is an input from then on.
    write("claims", "found-raw-value", b"{\"$serde_json::private::RawValue\":1\n}\n")?;
    write("authorization", "basic", b"Basic eDp5")?;
    for (name, answer) in [
        (
            "good",
            r#"{"active":true,"iss":"https://as.example","sub":"ada","exp":1800000300,"scope":"read","token_type":"Bearer"}"#,
        ),
        ("inactive", r#"{"active":false}"#),
        ("twice", r#"{"active":false,"\u0061ctive":true}"#),
        ("bound", r#"{"active":true,"cnf":{"jkt":"x"}}"#),
    ] {
        write("introspection", name, answer.as_bytes())?;
    }
    write("challenge", "realm", b"https://api.example.com")?;
    write("challenge", "quotes", b"a\"b\\c")?;
    for first in 0..14_u8 {
        write("pipeline", &format!("token-{first}"), &[first])?;
        write("pipeline", &format!("edit-{first}"), &[first, 0, 0, 90, b'A', 1, 1, 0, b'.', 4, 1, 40, 3])?;
    }
    Ok(())
}

/// A value with depth, escapes and odd numbers.
fn serde_like() -> Vec<std::collections::BTreeMap<String, Option<f64>>> {
    vec![[("k\u{1}".to_owned(), Some(1e-7)), ("\u{1F600}".to_owned(), None)].into()]
}
