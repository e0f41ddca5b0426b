//! The table in SECURITY.md names the tests of every row of the catalogue of inputs and faults, and no other.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const SECTIONS: [&str; 14] =
    ["hdr", "sig", "key", "enc", "jsn", "clm", "scp", "iss", "bnd", "htp", "jwk", "dsc", "int", "ops"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "oidc-provider" {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Row id → the files that hold tests named after it, with their number.
fn tests_by_row() -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut rows: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for folder in ["src", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            let text = fs::read_to_string(&file).unwrap();
            for line in text.lines().map(str::trim_start) {
                let line = line.strip_prefix("async ").unwrap_or(line);
                let Some(function) = line.strip_prefix("fn ") else { continue };
                for row in row_ids(function) {
                    *rows.entry(row).or_default().entry(name.clone()).or_default() += 1;
                }
            }
        }
    }
    rows
}

/// `hdr_03_…` → HDR-03; `key_02_and_03_…` → KEY-02 and KEY-03.
fn row_ids(function: &str) -> Vec<String> {
    let mut words = function.split('_');
    let Some(section) = words.next().filter(|word| SECTIONS.contains(word)) else { return Vec::new() };
    let is_number = |word: &&str| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = words.take_while(|word| is_number(word) || *word == "and").filter(is_number);
    numbers.map(|number| format!("{}-{number}", section.to_uppercase())).collect()
}

fn table() -> String {
    let mut table = String::from("| Row | Tests |\n|---|---|\n");
    for (row, files) in tests_by_row() {
        let files: Vec<_> = files.iter().map(|(file, count)| format!("`{file}` ({count})")).collect();
        table.push_str(&format!("| {row} | {} |\n", files.join(", ")));
    }
    table
}

#[test]
fn security_md_holds_the_table() {
    let document = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let expected = table();
    if std::env::var_os("BEARERGATE_WRITE_TABLE").is_some() {
        let start = document.find("| Row | Tests |").unwrap();
        let end = start + document[start..].find("\n\n").map_or(document[start..].len(), |end| end + 1);
        let new = format!("{}{expected}{}", &document[..start], &document[end..]);
        fs::write(root().join("SECURITY.md"), new).unwrap();
        return;
    }
    assert!(
        document.contains(&expected),
        "the table in SECURITY.md is old: BEARERGATE_WRITE_TABLE=1 cargo test --test threat_table"
    );
}

/// Rows without a test, each with its reason. A row that gets one must leave this list.
const WITHOUT: [(&str, &str); 2] =
    [("KEY-16", "timing is the signature library's"), ("OPS-08", "dependencies are checked by `.ci/run`")];

#[test]
fn every_row_that_exists_has_a_test_or_a_reason() {
    let last = [
        ("HDR", 16),
        ("SIG", 6),
        ("KEY", 16),
        ("ENC", 6),
        ("JSN", 7),
        ("CLM", 15),
        ("SCP", 5),
        ("ISS", 5),
        ("BND", 4),
        ("HTP", 11),
        ("JWK", 19),
        ("DSC", 3),
        ("INT", 14),
        ("OPS", 10),
    ];
    let tested: BTreeSet<String> = tests_by_row().into_keys().collect();
    let rows = last
        .iter()
        .flat_map(|(section, last)| (1..=*last).map(move |number| format!("{section}-{number:02}")));
    let missing: Vec<_> =
        rows.filter(|row| !tested.contains(row) && !WITHOUT.iter().any(|(known, _)| known == row)).collect();
    assert!(missing.is_empty(), "without test and reason: {missing:?}");
    for (row, _) in WITHOUT {
        assert!(!tested.contains(row), "{row} has a test now");
    }
}
