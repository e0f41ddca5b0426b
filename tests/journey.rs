//! The pictures in docs/journey are drawn of the texts beside them, stand alone, and docs/journey.md says the same in words.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use bearergate::Check;
use sha2::{Digest as _, Sha256};

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of docs/journey with this extension, by name.
fn files(extension: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/journey");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|it| it == extension));
    paths.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, octet| {
        write!(hex, "{octet:02x}").unwrap();
        hex
    })
}

/// The part of the page that shows this picture, and what stands for the picture where it cannot be seen.
fn part<'p>(page: &'p str, name: &str) -> (&'p str, &'p str) {
    let link = format!("](journey/{name}.svg)");
    let part = page.split("\n## ").find(|part| part.contains(&link));
    let part = part.unwrap_or_else(|| panic!("{name}.svg is not shown"));
    let (before, _) = part.split_once(&link).unwrap();
    (part, before.rsplit_once("![").unwrap().1)
}

/// The cells of each row of the tables, without their heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<_> = text.lines().collect();
    let is_rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("|---"));
    let rows = lines.iter().enumerate().filter(|(at, line)| {
        line.starts_with('|') && !is_rule(Some(*line)) && !is_rule(lines.get(at.saturating_add(1)))
    });
    rows.map(|(_, line)| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn each_picture_is_drawn_of_the_text_beside_it() {
    let (texts, pictures) = (files("mmd"), files("svg"));
    assert!(texts.keys().eq(pictures.keys()), "{:?}, {:?}", texts.keys(), pictures.keys());
    assert!(texts.len() >= 6, "{} flows", texts.len());
    for (name, text) in texts {
        let (head, _) = pictures[&name].split_once('>').unwrap();
        let hash = format!(" data-source-sha256=\"{}\"", sha256(&text));
        assert!(head.starts_with("<svg ") && head.contains(&hash), "{name}.svg is old: scripts/diagrams");
    }
}

#[test]
fn a_picture_stands_alone() {
    for (name, picture) in files("svg") {
        let rest = picture.replacen("xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
        for foreign in
            ["<script", "foreignObject", "href", "://", "url(", "@import", "<image", "<!", "<?", " on"]
        {
            // A space and `on` is also an English word: in the text of an element, not within a tag.
            let inside_tags = rest.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag);
            let found = match foreign {
                " on" => inside_tags.flat_map(str::split_whitespace).any(|word| word.starts_with("on")),
                _ => rest.contains(foreign),
            };
            assert!(!found, "{name}.svg: {foreign}");
        }
        for needed in ["<title id=\"t\">", "<desc id=\"d\">", "role=\"img\"", "fill:#fff;stroke:none"] {
            assert!(rest.contains(needed), "{name}.svg lacks {needed}");
        }
        assert!(picture.len() < 20_000, "{name}.svg has {} octets", picture.len());
    }
}

#[test]
fn the_page_shows_each_picture_and_says_what_is_in_it() {
    let page = read("docs/journey.md");
    let pictures = files("svg");
    assert_eq!(page.matches("![").count(), pictures.len());
    for name in pictures.keys() {
        let (_, in_words) = part(&page, name);
        assert!(in_words.len() > 60 && in_words.contains("arrow"), "{name}: {in_words:?}");
    }
}

/// What goes to the resource server or comes from it is in the table below the picture, under its number, and nothing else.
#[test]
fn the_page_has_a_row_for_each_arrow_of_the_resource_server() {
    let page = read("docs/journey.md");
    for (name, text) in files("mmd") {
        let arrows = text.lines().filter_map(|line| line.split_once(':')?.0.split_once("->"));
        let arrows = arrows.map(|(from, to)| (from.trim_end_matches('-'), to.trim_start_matches('>')));
        let concerned = arrows.enumerate().filter(|(_, (from, to))| *from == "RS" || *to == "RS");
        let concerned: BTreeSet<usize> = concerned.map(|(at, _)| at.saturating_add(1)).collect();
        let (part, _) = part(&page, &name);
        let told: BTreeSet<usize> = rows(part).iter().map(|row| row[0].parse().unwrap()).collect();
        assert_eq!(told, concerned, "{name}");
    }
}

#[test]
fn the_checks_stand_in_the_order_in_which_they_are_made() {
    let page = read("docs/journey.md");
    let (_, table) = page.split_once("| | `explain` |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let named: Vec<_> =
        rows(table).iter().map(|row| row[1].trim_matches('`')).filter(|it| !it.is_empty()).collect();
    let mut told: Vec<_> = named.clone();
    told.dedup();
    let on_routes = [Check::Scope, Check::ClaimValues, Check::Authentication];
    let made: Vec<_> = Check::ALL.iter().chain(&on_routes).map(|check| check.label()).collect();
    assert_eq!(told, made);
    let letters: String = rows(table).iter().map(|row| row[0]).collect();
    assert_eq!(letters, "abcdefghijklmno");
}

/// A number that changes in the code has to change here.
#[test]
fn the_defaults_are_those_of_the_code() {
    let page = read("docs/journey.md").replace(['\n', '`'], " ").replace("  ", " ").to_lowercase();
    let texts = files("mmd");
    for (said, source, code) in [
        ("give or take 60 s", "src/server/issuer.rs", "DEFAULT_LEEWAY: Duration = Duration::from_secs(60);"),
        ("at most 16 KiB", "src/server/builder.rs", "DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;"),
        ("at most 512 KiB", "src/fetch/mod.rs", "MAX_JWKS_BYTES: usize = 512 * 1024;"),
        ("256 keys", "src/keys/set.rs", "MAX_KEYS: usize = 256;"),
        ("5 min", "src/keys/refresh.rs", "fresh: Duration::from_secs(5 * 60),"),
        ("max-age within 60 s and 1 h", "src/keys/refresh.rs", "fresh_max: Duration::from_secs(60 * 60),"),
        ("1 h more", "src/keys/refresh.rs", "stale: Duration::from_secs(60 * 60),"),
        ("once in 30 s", "src/keys/refresh.rs", "cooldown: Duration::from_secs(30),"),
        ("at most 2 s", "src/server/settle.rs", "const WAIT: Duration = Duration::from_secs(2);"),
        (
            "for 60 s from the question on",
            "src/server/issuer.rs",
            "DEFAULT_CACHE_TIME: Duration = Duration::from_secs(60);",
        ),
        ("kept for 10 s", "src/introspection/cache.rs", "REFUSED_FOR: Duration = Duration::from_secs(10);"),
        ("within 3 s", "src/introspection/mod.rs", "CALL_TIMEOUT: Duration = Duration::from_secs(3);"),
        ("at most 1 MiB", "src/introspection/endpoint.rs", "MAX_ANSWER_BYTES: usize = 1024 * 1024;"),
        ("64 at once", "src/introspection/inquiry.rs", "AT_ONCE: usize = 64;"),
    ] {
        assert!(read(source).contains(code), "{source}: no longer `{code}`, and docs/journey says {said:?}");
        assert!(texts.values().any(|text| text.contains(said)), "no picture says {said:?}");
        assert!(page.contains(&said.to_lowercase()), "the page does not say {said:?}");
    }
}
