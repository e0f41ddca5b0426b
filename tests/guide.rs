//! The guide shows nothing that nobody compiles, and its links lead somewhere, in the documentation and in the repository.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of the guide by name, and the README.
fn documents() -> BTreeMap<String, String> {
    let mut documents = BTreeMap::from([("README".to_owned(), read("README.md"))]);
    for entry in fs::read_dir(root().join("docs/guide")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "links" {
            documents.insert(name, read(path));
        }
    }
    documents
}

/// The fences of a document: what they are, and what is in them.
fn fences(document: &str) -> Vec<(&str, String)> {
    let mut fences = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let content = lines.by_ref().take_while(|line| *line != "```");
            fences.push((kind, content.map(|line| format!("{line}\n")).collect()));
        }
    }
    fences
}

/// `[label]: destination`
fn definitions(document: &str) -> BTreeMap<&str, &str> {
    document.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ")).collect()
}

#[test]
fn every_snippet_of_rust_is_compiled() {
    for (name, document) in documents() {
        for (kind, _) in fences(&document) {
            let known = ["console", "json", "rust", "rust,no_run", "sh", "text", "toml"];
            assert!(known.contains(&kind), "{name}: a snippet is `{kind}`");
        }
    }
}

#[test]
fn what_is_shown_of_the_examples_stands_there() {
    let mut shown = 0;
    for (name, document) in documents() {
        let mut example: Option<PathBuf> = None;
        let parts: Vec<_> = document.split("```").collect();
        for part in parts.chunks(2) {
            let text = part.first().unwrap().replace('\n', " ");
            if let Some((_, rest)) = text.rsplit_once("From `examples/") {
                example = Some(Path::new("examples").join(rest.split_once('`').unwrap().0));
            }
            let Some(excerpt) = part.get(1).and_then(|fence| fence.strip_prefix("text\n")) else { continue };
            let example = example.as_ref().unwrap_or_else(|| panic!("{name}: an excerpt of what?"));
            assert!(read(example).contains(excerpt), "{name}: not in {}:\n{excerpt}", example.display());
            shown += 1;
        }
    }
    assert!(shown >= 8, "{shown} excerpts are there");
}

#[test]
fn each_page_is_in_the_documentation_and_in_both_tables() {
    let (module, links, front) = (read("src/guide.rs"), read("docs/guide/links.md"), read("docs/front.md"));
    let (links, front) = (definitions(&links), definitions(&front));
    let documents = documents();
    let pages: Vec<_> =
        documents.keys().filter(|name| !["README", "index"].contains(&name.as_str())).collect();
    assert_eq!(pages.len(), links.len());
    for name in pages {
        assert!(module.contains(&format!("docs/guide/{name}.md\")]\npub mod {name} {{}}")), "{name}");
        let in_guide = format!("crate::guide::{name}");
        let (label, _) = links.iter().find(|(_, it)| **it == in_guide).unwrap();
        assert_eq!(front.get(label), Some(&&*format!("guide::{name}")));
        for table in ["README", "index"] {
            assert!(documents[table].contains(&format!("| [{label}] |")), "{table}: {name}");
        }
    }
}

#[test]
fn links_between_pages_lead_to_the_same_page_in_the_repository() {
    let links = read("docs/guide/links.md");
    let links = definitions(&links);
    for (name, document) in documents() {
        let here = definitions(&document);
        for (label, module) in &links {
            let page = module.strip_prefix("crate::guide::").unwrap();
            let folder = if name == "README" { "docs/guide/" } else { "" };
            let expected = document.contains(&format!("[{label}]")).then(|| format!("{folder}{page}.md"));
            assert_eq!(here.get(label).copied(), expected.as_deref(), "{name}: [{label}]");
        }
    }
}

/// Pages of the documentation have no files beside them, so the chart is in its link.
#[test]
fn the_first_page_holds_the_chart() {
    let mut link = String::from("[chart]: data:image/svg+xml,");
    for octet in read("docs/figures/peers.svg").bytes() {
        match octet {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'/' | b':' | b'=' => {
                link.push(octet.into());
            }
            _ => write!(link, "%{octet:02X}").unwrap(),
        }
    }
    let front = read("docs/front.md");
    if std::env::var_os("BEARERGATE_WRITE_FRONT").is_some() {
        let (_, rest) = front.split_once('\n').unwrap();
        fs::write(root().join("docs/front.md"), format!("{link}\n{rest}")).unwrap();
        return;
    }
    let message = "the chart in docs/front.md is old: BEARERGATE_WRITE_FRONT=1 cargo test --test guide";
    assert!(front.lines().next() == Some(&link), "{message}");
}
