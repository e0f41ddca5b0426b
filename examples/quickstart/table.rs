//! How answers are shown: aligned, at most 100 columns wide, and in colours where they are wanted.

use std::{
    env,
    io::{self, IsTerminal as _},
};

pub(crate) struct Table {
    colours: bool,
}

impl Table {
    /// Prints the headings.
    pub(crate) fn begin() -> Self {
        println!("{:TOKEN$} {:PATH$} HTTP challenge", "token", "path");
        Self { colours: are_colours_wanted() }
    }

    pub(crate) fn row(&self, token: &str, path: &str, status: u16, challenge: &str) {
        let mut lines = wrapped(challenge);
        let status = self.painted(colour(status), &format!("{status:<4}"));
        println!("{}", format!("{token:TOKEN$} {path:PATH$} {status} {}", lines.remove(0)).trim_end());
        for line in lines {
            println!("{:BEFORE_CHALLENGE$}{line}", "");
        }
    }

    pub(crate) fn wrong(&self, expected: &str) {
        println!("{}", self.painted(RED, &format!("^ WRONG, expected: {expected}")));
    }

    pub(crate) fn end(&self, all_right: bool) {
        let verdict = match all_right {
            true => self.painted(GREEN, "every answer is as it should be"),
            false => self.painted(RED, "SOME ANSWERS ARE WRONG"),
        };
        println!("\n{verdict}");
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }
}

/// By the class of a status.
fn colour(status: u16) -> &'static str {
    match status {
        200..=299 => GREEN,
        400..=499 => YELLOW,
        _ => RED,
    }
}

/// <https://no-color.org> and <https://bixense.com/clicolors>.
fn are_colours_wanted() -> bool {
    let value = |name| env::var(name).ok().filter(|value| !value.is_empty());
    if value("NO_COLOR").is_some() {
        return false;
    }
    let is_forced = value("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let is_off = value("CLICOLOR").is_some_and(|value| value == "0")
        || value("TERM").is_some_and(|value| value == "dumb");
    is_forced || (io::stdout().is_terminal() && !is_off)
}

/// The parameters of a challenge, as many a line as fit; one line at least.
fn wrapped(challenge: &str) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for parameter in challenge.split_inclusive(", ") {
        let both = format!("{line}{parameter}");
        if line.is_empty() || both.trim_end().len() <= CHALLENGE {
            line = both;
        } else {
            lines.push(line.trim_end().to_owned());
            parameter.clone_into(&mut line);
        }
    }
    lines.push(line);
    lines
}

// In columns.
const TOKEN: usize = 23;
const PATH: usize = 7;
const BEFORE_CHALLENGE: usize = TOKEN + 1 + PATH + 1 + 4 + 1;
const CHALLENGE: usize = 100 - BEFORE_CHALLENGE;

// Escape codes (ECMA-48 §8.3.117).
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";
