//! What is counted, and how it is shown?

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::client::Answer;

/// Answers so far.
#[derive(Debug, Default)]
pub struct Tally {
    good: AtomicU64,
    refused: AtomicU64,
    unauthorized: AtomicU64,
    unavailable: AtomicU64,
    odd: AtomicU64,
}

impl Tally {
    /// The answer to a good token that has to pass. Tells whether it did.
    pub fn good(&self, answer: Answer) -> bool {
        self.good.fetch_add(1, Relaxed);
        let passed = answer.status == 200;
        self.refused.fetch_add(u64::from(!passed), Relaxed);
        passed
    }

    /// The answer to anything else, of which nothing passes.
    pub fn other(&self, answer: Answer) {
        let counter = match answer.status {
            401 => &self.unauthorized,
            503 if answer.retry_after.is_some() => &self.unavailable,
            _ => &self.odd,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    pub fn unauthorized(&self) -> u64 {
        self.unauthorized.load(Relaxed)
    }

    pub fn unavailable(&self) -> u64 {
        self.unavailable.load(Relaxed)
    }

    pub fn row(&self, name: impl Into<String>, fetches: u64) -> Row {
        let counts = [&self.good, &self.refused, &self.unauthorized, &self.unavailable, &self.odd];
        let [good, refused, unauthorized, unavailable, odd] = counts.map(|count| count.load(Relaxed));
        Row {
            name: name.into(),
            requests: good + unauthorized + unavailable + odd,
            refused,
            unauthorized,
            unavailable,
            fetches,
            bound: String::new(),
            held: odd == 0,
            only_strict: false,
        }
    }
}

/// One scenario.
#[derive(Debug)]
pub struct Row {
    name: String,
    requests: u64,
    refused: u64,
    unauthorized: u64,
    unavailable: u64,
    fetches: u64,
    bound: String,
    held: bool,
    only_strict: bool,
}

impl Row {
    /// What had to hold, in words, and whether it did.
    pub fn bound(mut self, held: bool, bound: impl Into<String>) -> Self {
        self.held &= held;
        self.bound = bound.into();
        self
    }

    /// Broken or not, it is judged with `--strict` only.
    pub fn only_strict(mut self, held: bool) -> Self {
        self.only_strict = self.held && !held;
        self
    }

    /// Prints the row. Tells whether it counts as held.
    pub fn show(&self, strict: bool) -> bool {
        let held = self.held && !(strict && self.only_strict);
        let verdict = match (held, self.only_strict) {
            (true, false) => "holds",
            (true, true) => "missed",
            (false, _) => "BROKEN",
        };
        println!(
            "{:<44} {:>9} {:>8} {:>9} {:>9} {:>8}  {:<7} {}",
            self.name,
            self.requests,
            self.refused,
            self.unauthorized,
            self.unavailable,
            self.fetches,
            verdict,
            self.bound
        );
        held
    }
}

pub fn head() {
    println!(
        "{:<44} {:>9} {:>8} {:>9} {:>9} {:>8}  {:<7} bound",
        "scenario", "requests", "good", "other", "other", "JWKS", "verdict"
    );
    println!("{:<44} {:>9} {:>8} {:>9} {:>9} {:>8}", "", "", "refused", "401", "503", "fetches");
}
