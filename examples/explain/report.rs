//! What is said about one token: for people, or as a JSON object.

use std::io::{self, Write};

use bearergate::{AuthErrorKind, Check, CheckOutcome, Decision, Explanation, ResourceServer};
use serde::Serialize;

/// One line of output with `--json`.
#[derive(Serialize)]
pub(crate) struct Report {
    verdict: &'static str,
    /// What the layer would answer with.
    status: Option<u16>,
    /// The `error` of the challenge.
    error: Option<&'static str>,
    /// [`AuthErrorKind::label`], or `configuration`.
    reason: Option<&'static str>,
    checks: Vec<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What stopped the token, and what was expected instead.
    #[serde(skip)]
    failure: Option<(AuthErrorKind, Option<String>)>,
}

#[derive(Serialize)]
struct Outcome {
    check: &'static str,
    outcome: &'static str,
}

impl Report {
    /// A token that was judged.
    pub(crate) fn judged(server: &ResourceServer, explanation: &Explanation) -> Self {
        let failed =
            explanation.steps().iter().find(|(_, outcome)| matches!(outcome, CheckOutcome::Failed(_)));
        let expected = failed.and_then(|(check, _)| explanation.expectation(*check));
        let failure = explanation.failure().map(|kind| (kind, expected.map(str::to_owned)));
        Self::new(server, explanation.steps(), failure)
    }

    /// A credential that is no token: no check was begun.
    pub(crate) fn no_token(server: &ResourceServer, kind: AuthErrorKind) -> Self {
        let steps: Vec<_> = Check::ALL.iter().map(|check| (*check, CheckOutcome::Skipped)).collect();
        Self::new(server, &steps, Some((kind, None)))
    }

    /// A configuration that cannot work.
    pub(crate) fn misconfigured(message: String) -> Self {
        let (verdict, reason) = ("misconfigured", Some("configuration"));
        let (checks, message) = (Vec::new(), Some(message));
        Self { verdict, status: None, error: None, reason, checks, message, failure: None }
    }

    fn new(
        server: &ResourceServer,
        steps: &[(Check, CheckOutcome)],
        failure: Option<(AuthErrorKind, Option<String>)>,
    ) -> Self {
        let kind = failure.as_ref().map(|(kind, _)| *kind);
        let refusal = kind.map(|kind| server.refuse(kind.into()));
        Self {
            verdict: match kind.map(AuthErrorKind::decision) {
                None => "accepted",
                Some(Decision::Rejected) => "rejected",
                Some(Decision::Undecidable) => "undecidable",
                Some(_) => "misconfigured",
            },
            status: Some(refusal.as_ref().map_or(200, |refusal| refusal.status().as_u16())),
            error: refusal.and_then(|refusal| refusal.error_code()).map(|code| code.as_str()),
            reason: kind.map(AuthErrorKind::label),
            checks: steps
                .iter()
                .map(|(check, outcome)| Outcome { check: check.label(), outcome: outcome.label() })
                .collect(),
            message: None,
            failure,
        }
    }

    pub(crate) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// The verdict on the token of this line, and one line for each check.
    pub(crate) fn write_text(&self, out: &mut impl Write, line: usize, colours: bool) -> io::Result<()> {
        let paint = |colour: &str, text: &str| {
            if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let colour = match self.verdict {
            "accepted" => GREEN,
            "rejected" => RED,
            _ => YELLOW,
        };
        write!(out, "line {line}: {}", paint(colour, self.verdict))?;
        if let (Some(status), Some((kind, _))) = (self.status, &self.failure) {
            let error = self.error.map_or_else(String::new, |error| format!(" {error}"));
            write!(out, ", {status}{error}: {kind} ({})", kind.label())?;
        }
        writeln!(out)?;
        for Outcome { check, outcome } in &self.checks {
            let colour = match *outcome {
                "passed" => GREEN,
                "failed" => RED,
                _ => GREY,
            };
            writeln!(out, "  {}  {check}", paint(colour, &format!("{outcome:<7}")))?;
            if let ("failed", Some((_, Some(expected)))) = (*outcome, &self.failure) {
                writeln!(out, "           expected: {expected}")?;
            }
        }
        Ok(())
    }
}

const GREEN: &str = "32";
const GREY: &str = "90";
const RED: &str = "31";
const YELLOW: &str = "33";
