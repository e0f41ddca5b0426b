//! Which checks does a token pass, and which one stops it? For an operator, never for a client.

use std::fmt;

use crate::{
    error::AuthErrorKind,
    jwt::{Check, Judgement, Observer, judge},
    server::{ResourceServer, entries::View},
};

/// The outcome of every check for one token. It says nothing that the token says.
#[derive(Clone, Debug)]
pub struct Explanation {
    steps: Vec<(Check, CheckOutcome)>,
}

/// The outcome of one check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CheckOutcome {
    /// The check stopped the token.
    Failed(AuthErrorKind),
    /// The check holds.
    Passed,
    /// An earlier check stopped the token.
    Skipped,
}

impl ResourceServer {
    /// Runs the checks of [`validate`](Self::validate) on a token and says how each one comes out at this moment. It never
    /// waits and never fetches.
    pub fn explain(&self, token: &str) -> Explanation {
        let entries = self.inner.entries.load();
        let clock = &self.inner.shared.clock;
        let view = View { entries: &entries, monotonic: clock.monotonic() };
        let mut recorder = Recorder(Vec::with_capacity(Check::ALL.len()));
        let judgement = judge(token.as_bytes(), &view, clock.wall(), &mut recorder);
        let mut steps = recorder.0;
        if steps.is_empty()
            && let Judgement::Rejected(error) = judgement
        {
            // The clock itself cannot be trusted: no check was begun.
            steps.push((Check::Structure, CheckOutcome::Failed(error.kind())));
        }
        let skipped = Check::ALL.iter().skip(steps.len()).map(|check| (*check, CheckOutcome::Skipped));
        steps.extend(skipped);
        Explanation { steps }
    }
}

impl Explanation {
    /// Every check in order, with its outcome.
    pub fn steps(&self) -> &[(Check, CheckOutcome)] {
        &self.steps
    }

    /// Whether the token would be accepted.
    pub fn is_accepted(&self) -> bool {
        self.steps.iter().all(|(_, outcome)| *outcome == CheckOutcome::Passed)
    }

    /// What stops the token, if anything does.
    pub fn failure(&self) -> Option<AuthErrorKind> {
        self.steps.iter().find_map(|(_, outcome)| match outcome {
            CheckOutcome::Failed(kind) => Some(*kind),
            CheckOutcome::Passed | CheckOutcome::Skipped => None,
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, outcome) in &self.steps {
            match outcome {
                CheckOutcome::Failed(kind) => writeln!(f, "FAIL {check:?}: {kind}")?,
                CheckOutcome::Passed => writeln!(f, "pass {check:?}")?,
                CheckOutcome::Skipped => writeln!(f, "skip {check:?}")?,
            }
        }
        Ok(())
    }
}

struct Recorder(Vec<(Check, CheckOutcome)>);

impl Observer for Recorder {
    fn passed(&mut self, check: Check) {
        self.0.push((check, CheckOutcome::Passed));
    }

    fn failed(&mut self, check: Check, kind: AuthErrorKind) {
        self.0.push((check, CheckOutcome::Failed(kind)));
    }
}
