//! The house stands as ARCHITECTURE.md draws it: imports point down, and features only add.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What each module at the root of `src` may import from the crate, besides itself.
const PICTURE: &[(&str, &[&str])] = &[
    // ground
    ("clock", &[]),
    ("error", &[]),
    ("token", &["clock", "error"]),
    ("fetch", &["clock", "error", "token"]),
    ("telemetry", &["clock", "error"]),
    // rules
    ("policy", &["clock", "error", "token"]),
    ("validate", &["clock", "error", "token"]),
    ("keys", &["clock", "error", "fetch", "token"]),
    // wings, which do not know each other
    ("jwt", &["clock", "error", "keys", "policy", "token", "validate"]),
    ("introspection", &["clock", "error", "fetch", "keys", "policy", "token", "validate"]),
    ("middleware", &["clock", "error", "telemetry", "token", "validate"]),
    // roof
    (
        "server",
        &[
            "clock",
            "error",
            "fetch",
            "introspection",
            "jwt",
            "keys",
            "middleware",
            "policy",
            "telemetry",
            "token",
            "validate",
        ],
    ),
    ("extract", &["clock", "error", "middleware", "server", "token"]),
    ("testing", &["clock", "error", "fetch", "introspection", "keys", "server", "token"]),
    // documentation alone
    ("guide", &[]),
    ("fuzzing", &["clock", "error", "introspection", "jwt", "keys", "middleware", "policy", "token"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module at the root of `src` that a file belongs to.
fn root_module(file: &Path) -> String {
    let relative = file.strip_prefix(source()).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The first path segments behind every `crate::` in code: `use crate::a::b`, `use crate::{a, b::c}`, `crate::a::f()`.
fn crate_imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (_, rest) in code.match_indices("crate::").map(|(at, matched)| (at, &code[at + matched.len()..])) {
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(identifier(rest));
            continue;
        };
        let mut depth = 0;
        let mut expect_name = true;
        for (at, char) in list.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => expect_name = true,
                _ if depth == 0 && expect_name && (char.is_alphanumeric() || char == '_') => {
                    found.insert(identifier(&list[at..]));
                    expect_name = false;
                }
                _ => (),
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

#[test]
fn imports_point_down() {
    let picture: BTreeMap<&str, &[&str]> = PICTURE.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&source()) {
        let module = root_module(&file);
        if module == "lib" {
            continue;
        }
        let Some(allowed) = picture.get(module.as_str()) else {
            wrong.push(format!("{} is not in the picture", file.display()));
            continue;
        };
        seen.insert(module.clone());
        for import in crate_imports(&fs::read_to_string(&file).unwrap()) {
            // Macros and names that `lib.rs` re-exports are not modules; only modules have a floor.
            if picture.contains_key(import.as_str())
                && import != module
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{}: `{module}` must not import `{import}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), PICTURE.len(), "the picture shows a module that is gone");
}

#[test]
fn the_picture_has_no_circle() {
    // Each module stands below those that are listed after it.
    for (place, (module, imports)) in PICTURE.iter().enumerate() {
        for import in *imports {
            let below = PICTURE.iter().position(|(name, _)| name == import).unwrap();
            assert!(below < place, "`{module}` imports `{import}`, which stands above it");
        }
    }
}

#[test]
fn the_parser_of_imports_sees_what_is_there() {
    let text = "use crate::{\n    error::{A, B},\n    clock::Clock, token,\n};\n// crate::comment\nfn f() { crate::jwt::judge(); }";
    let found: Vec<_> = crate_imports(text).into_iter().collect();
    assert_eq!(found, ["clock", "error", "jwt", "token"]);
}

#[test]
fn only_the_fetch_client_names_reqwest() {
    for file in rust_files(&source()) {
        let names_it = fs::read_to_string(&file).unwrap().contains("use reqwest");
        assert_eq!(names_it, file.ends_with("fetch/client.rs"), "{}", file.display());
    }
}

#[test]
fn only_the_backends_name_signature_libraries() {
    let libraries = ["aws_lc_rs::", "ed25519_dalek::", "p256::", "p384::", "rsa::"];
    let mut doors = 0;
    // Foreign vectors are judged with a digest of one of them: a test.
    for file in rust_files(&source()).iter().filter(|file| !file.ends_with("jwt/vectors/json.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let is_door =
            ["keys/backend", "keys/signing"].iter().any(|door| file.parent().unwrap().ends_with(door));
        let names_one = libraries.iter().any(|library| text.contains(library));
        assert!(!names_one || is_door, "{}", file.display());
        doors += u32::from(names_one);
    }
    assert_eq!(doors, 4, "two verify and two sign");
}

#[test]
fn hashes_enter_by_their_doors() {
    // The seal of snapshots, the name of a token in a cache, a client's assertion by a shared secret, what a code is asked for with,
    // which access token an ID token goes with.
    let doors = [
        "keys/snapshot/seal.rs",
        "token/digest.rs",
        "introspection/assertion.rs",
        "testing/authorization/at_hash.rs",
        "testing/authorization/pkce.rs",
    ];
    for file in rust_files(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        let names_one = text.contains("use hmac") || text.contains("use sha2");
        assert_eq!(names_one, doors.iter().any(|door| file.ends_with(door)), "{}", file.display());
    }
}

#[test]
fn only_the_cache_of_tokens_names_its_library() {
    for file in rust_files(&source()) {
        let names_it = fs::read_to_string(&file).unwrap().contains("quick_cache");
        assert_eq!(names_it, file.ends_with("token/cache.rs"), "{}", file.display());
    }
}

#[test]
fn of_all_keys_only_the_folder_of_snapshots_touches_files() {
    for file in rust_files(&source().join("keys")) {
        let text = fs::read_to_string(&file).unwrap();
        let touches = text.contains("fs::") || text.contains("std::fs");
        assert_eq!(touches, file.ends_with("keys/snapshot/folder.rs"), "{}", file.display());
    }
}

/// What lets anybody in can be reached by code of the feature `testing` alone: by no configuration, and by no other feature.
#[test]
fn made_up_tokens_are_for_tests_alone() {
    for file in rust_files(&source()).iter().filter(|file| root_module(file) != "testing") {
        let names_it = fs::read_to_string(file).unwrap().contains("MockAuth");
        assert!(!names_it, "{}", file.display());
    }
    let root = fs::read_to_string(source().join("lib.rs")).unwrap();
    assert!(root.contains("#[cfg(feature = \"testing\")]\npub mod testing;"));
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for (feature, enables) in manifest["features"].as_table().unwrap() {
        let enables = enables.as_array().unwrap();
        assert!(!enables.iter().any(|enabled| enabled.as_str() == Some("testing")), "{feature}");
    }
}

#[test]
fn only_middleware_and_its_users_know_status_codes() {
    for file in rust_files(&source()) {
        let below =
            ["clock", "error", "token", "policy", "validate", "jwt"].contains(&root_module(&file).as_str());
        let knows = fs::read_to_string(&file).unwrap().contains("StatusCode");
        assert!(!(below && knows), "{} names a status code", file.display());
    }
}

#[test]
fn no_feature_of_ours_names_a_feature_of_jsonwebtoken() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let dependency = &manifest["dependencies"]["jsonwebtoken"];
    assert_eq!(dependency["default-features"].as_bool(), Some(false));
    assert!(dependency.get("features").is_none());
    for (feature, enables) in manifest["features"].as_table().unwrap() {
        for enabled in enables.as_array().unwrap() {
            let enabled = enabled.as_str().unwrap();
            assert!(!enabled.starts_with("jsonwebtoken"), "feature `{feature}` enables `{enabled}`");
        }
    }
}
