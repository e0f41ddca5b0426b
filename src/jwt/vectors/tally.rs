//! What came out of the vectors of one source?

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt, fs,
    io::Write as _,
    ops::AddAssign,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The folder of the vectors, and which of its files were read.
pub(super) struct Folder {
    root: PathBuf,
    read: RefCell<BTreeSet<String>>,
}

impl Folder {
    /// `None`, after one line that says so, when nobody told where the vectors are.
    pub(super) fn open(test: &str) -> Option<Self> {
        let root = std::env::var_os("BEARERGATE_VECTORS").filter(|root| !root.is_empty());
        let Some(root) = root else {
            let line =
                format!("{test}: left out, BEARERGATE_VECTORS does not name the folder of the vectors\n");
            let _shown = std::io::stderr().write_all(line.as_bytes());
            return None;
        };
        Some(Self { root: root.into(), read: RefCell::default() })
    }

    pub(super) fn text(&self, file: &str) -> String {
        self.read.borrow_mut().insert(file.to_owned());
        fs::read_to_string(self.root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(super) fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The JSON files of a folder, by name.
    pub(super) fn files(&self, folder: &str) -> Vec<String> {
        let mut files = Vec::new();
        self.collect(&self.root.join(folder), &mut files);
        files.sort_unstable();
        files
    }

    /// The files that nobody asked for.
    pub(super) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.files("").into_iter().filter(|file| !read.contains(file)).collect()
    }

    fn collect(&self, folder: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
}

/// The verdict that is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Accept,
    Refuse,
    /// Refusing is better, or a matter of taste; accepting is no fault. It counts as a difference.
    RatherRefuse,
}

impl Wanted {
    /// The words of the vectors. `acceptable` is not among them: the overrides must say what is meant.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "accept" | "valid" => Self::Accept,
            "reject" | "invalid" => Self::Refuse,
            "reject_preferred" | "either" => Self::RatherRefuse,
            other => panic!("no verdict is called {other:?}"),
        }
    }
}

/// The counts of one source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Row {
    accepted: usize,
    refused: usize,
    differs: usize,
    left_out: usize,
}

impl Row {
    pub(super) const HEADINGS: &str = "vectors      run accepted  refused  differs left out";

    pub(super) const fn new(accepted: usize, refused: usize) -> Self {
        Self { accepted, refused, differs: 0, left_out: 0 }
    }

    /// So many are accepted although refusing would be better.
    pub(super) const fn differs(self, differs: usize) -> Self {
        Self { differs, ..self }
    }

    pub(super) const fn left_out(self, left_out: usize) -> Self {
        Self { left_out, ..self }
    }

    fn run(self) -> usize {
        self.accepted + self.refused + self.differs
    }
}

impl AddAssign for Row {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.differs += other.differs;
        self.left_out += other.left_out;
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, refused, differs, left_out } = *self;
        let run = self.run();
        write!(f, "{:7}  {run:7}  {accepted:7}  {refused:7}  {differs:7}  {left_out:7}", run + left_out)
    }
}

/// The counts of a source while it runs, and what should have been otherwise.
#[derive(Default)]
pub(super) struct Tally {
    row: Row,
    wrong: Vec<String>,
}

impl Tally {
    pub(super) fn row(&self) -> Row {
        self.row
    }

    pub(super) fn wrong(&self) -> &[String] {
        &self.wrong
    }

    /// One vector, and whether it was accepted.
    pub(super) fn ran(&mut self, name: impl fmt::Display, wanted: Wanted, accepted: bool) {
        match (wanted, accepted) {
            (Wanted::RatherRefuse, true) => self.row.differs += 1,
            (_, true) => self.row.accepted += 1,
            (_, false) => self.row.refused += 1,
        }
        self.expect(
            (wanted, accepted) != (Wanted::Accept, false) && (wanted, accepted) != (Wanted::Refuse, true),
            || format!("{name}: wanted {wanted:?}, accepted: {accepted}"),
        );
    }

    /// A vector that says nothing about this crate.
    pub(super) fn left_out(&mut self) {
        self.row.left_out += 1;
    }

    /// A condition beside the verdict.
    pub(super) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

/// Counts the vectors of a file that is left out whole.
pub(super) fn leave_out(folder: &Folder, tally: &mut Tally, file: &str) {
    let content = folder.json(file);
    let array = |name: &str| content.get(name).and_then(Value::as_array);
    let count = if let Some(groups) = array("testGroups") {
        groups.iter().map(|group| group["tests"].as_array().unwrap().len()).sum()
    } else if let Some(list) = array("cases").or(array("proofs")).or(array("certificates")) {
        list.len()
    } else {
        content.get("output").and_then(Value::as_object).map_or(1, serde_json::Map::len)
    };
    for _ in 0..count {
        tally.left_out();
    }
}
