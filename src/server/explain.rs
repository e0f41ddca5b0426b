//! Which checks does a token pass, and which one stops it? For an operator, never for a client.

use std::{fmt, sync::Arc};

use crate::{
    error::AuthErrorKind,
    jwt::{Check, Judgement, Observer, judge},
    server::{
        ResourceServer,
        entries::{Entry, View, outage_kind},
        expectation::Configured,
        means::Means,
    },
    token::{
        presented::{Presented, Shape},
        requirement::Requirement,
    },
};

/// The outcome of every check for one token, and what the configuration asks for. It says nothing that the token says.
#[derive(Clone, Debug)]
pub struct Explanation {
    steps: Vec<(Check, CheckOutcome)>,
    expectations: Vec<(Check, String)>,
}

/// The outcome of one check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CheckOutcome {
    /// The check stopped the token.
    Failed(AuthErrorKind),
    /// Only the issuer knows, and it was not asked.
    NotAsked,
    /// The check holds.
    Passed,
    /// An earlier check stopped the token.
    Skipped,
}

impl CheckOutcome {
    /// A fixed label for logs and tools.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::NotAsked => "not_asked",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
        }
    }
}

impl ResourceServer {
    /// Runs the checks of [`validate`](Self::validate) on a token and says how each one comes out at this moment. It never
    /// waits and never fetches: of a token that its issuer is asked about, it says only what can be said without asking.
    pub fn explain(&self, presented: &Presented<'_>) -> Explanation {
        self.explain_for(presented, &Requirement::default())
    }

    /// Explains a token as [`explain`](Self::explain) does, and goes on to what [`require`](Self::require) checks:
    /// [`Check::Scope`], [`Check::ClaimValues`] and [`Check::Authentication`], as far as the requirement asks for them.
    ///
    /// ```
    /// # fn f(api: &bearergate::ResourceServer, token: &str) {
    /// use bearergate::{Presented, scopes};
    /// println!("{}", api.explain_for(&Presented::bearer(token), &scopes!["read:orders"].into()));
    /// # }
    /// ```
    pub fn explain_for(&self, presented: &Presented<'_>, requirement: &Requirement) -> Explanation {
        let entries = self.inner.entries.load();
        let shared = &self.inner.shared;
        let now = shared.clock.wall();
        let mut recorder = Recorder { steps: Vec::new(), entry: None };
        let token = presented.token();
        let is_opaque = !entries.introspected().is_empty() && Shape::of(token) == Shape::Opaque;
        let judgement = match is_opaque {
            true => {
                match (self.inner.refused_unasked(token), entries.of_opaque(presented, &shared.selection)) {
                    _ if !now.is_readable() => Judgement::Rejected(AuthErrorKind::ClockUnavailable.into()),
                    (Some(kind), _) => Judgement::Rejected(kind.into()),
                    (None, [entry, ..]) => {
                        recorder.entry = Some(entry);
                        recorder.passed(Check::Structure);
                        Judgement::NotByKeys(entry)
                    }
                    (None, []) => {
                        recorder.passed(Check::Structure);
                        recorder.failed(Check::Introspection, AuthErrorKind::UnknownIssuer);
                        Judgement::Rejected(AuthErrorKind::UnknownIssuer.into())
                    }
                }
            }
            false => judge(token, &View::onlooking(&entries, shared), now, &mut recorder),
        };
        if let Judgement::MissingKey(entry) = &judgement
            && let Means::Remote(remote) = &entry.means
            && remote.is_failing()
        {
            recorder.failed_rather(outage_kind(entry.issuer.unknown_key_during_outage, true));
        }

        let mut checks = Check::ALL.to_vec();
        if let Judgement::NotByKeys(_) = &judgement {
            checks = recorder.steps.iter().map(|(check, _)| *check).collect();
            checks.extend([Check::Introspection, Check::Claims, Check::Binding]);
            recorder.steps.push((Check::Introspection, CheckOutcome::NotAsked));
        } else if is_opaque {
            checks = vec![Check::Structure, Check::Introspection, Check::Claims, Check::Binding];
        }
        if let Judgement::Accepted(entry, _) = &judgement
            && entry.asked_about_jwts().is_some()
        {
            checks.push(Check::Introspection);
            recorder.steps.push((Check::Introspection, CheckOutcome::NotAsked));
        }
        checks.extend(requirement.asks_for_scopes().then_some(Check::Scope));
        checks.extend((!requirement.wanted_claims().is_empty()).then_some(Check::ClaimValues));
        checks.extend(requirement.asks_for_authentication().then_some(Check::Authentication));
        if let Judgement::Accepted(_, core) = &judgement {
            let results = [
                (Check::Scope, requirement.check_scopes(core, &self.inner.responder.hierarchy)),
                (Check::ClaimValues, requirement.check_claims(core)),
                (Check::Authentication, requirement.check_authentication(core, now)),
            ];
            for (check, result) in results.into_iter().filter(|(check, _)| checks.contains(check)) {
                match result {
                    Ok(()) => recorder.passed(check),
                    Err(kind) => {
                        recorder.failed(check, kind);
                        break;
                    }
                }
            }
        } else if let Judgement::Rejected(error) = &judgement
            && recorder.steps.is_empty()
        {
            // The clock itself cannot be trusted, or nothing but the length of an opaque token was looked at.
            recorder.failed(Check::Structure, error.kind());
        }

        let configured = Configured {
            max_token_bytes: shared.max_token_bytes,
            is_opaque,
            issuers: entries.len(),
            rules: recorder.entry.map(|entry| &entry.rules),
            requirement,
            now,
        };
        let expectations = checks.iter().filter_map(|check| Some((*check, configured.expectation(*check)?)));
        let expectations = expectations.collect();
        let mut steps = recorder.steps;
        let skipped = checks.into_iter().skip(steps.len()).map(|check| (check, CheckOutcome::Skipped));
        steps.extend(skipped);
        Explanation { steps, expectations }
    }
}

impl Explanation {
    /// Every check in order, with its outcome.
    pub fn steps(&self) -> &[(Check, CheckOutcome)] {
        &self.steps
    }

    /// What the configuration asks for at a check: for the audience, those that the issuer's entry expects. `None` where
    /// that depends on the issuer, and the token names none that is trusted.
    pub fn expectation(&self, check: Check) -> Option<&str> {
        let found = self.expectations.iter().find(|(known, _)| *known == check);
        found.map(|(_, expectation)| expectation.as_str())
    }

    /// Whether the token would be accepted.
    pub fn is_accepted(&self) -> bool {
        self.steps.iter().all(|(_, outcome)| *outcome == CheckOutcome::Passed)
    }

    /// What stops the token, if anything does.
    pub fn failure(&self) -> Option<AuthErrorKind> {
        self.steps.iter().find_map(|(_, outcome)| match outcome {
            CheckOutcome::Failed(kind) => Some(*kind),
            CheckOutcome::NotAsked | CheckOutcome::Passed | CheckOutcome::Skipped => None,
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, outcome) in &self.steps {
            match outcome {
                CheckOutcome::Failed(kind) => {
                    write!(f, "FAIL {check:?}: {kind}")?;
                    match self.expectation(*check) {
                        Some(expectation) => writeln!(f, " (expected: {expectation})")?,
                        None => writeln!(f)?,
                    }
                }
                CheckOutcome::NotAsked => writeln!(f, "ask  {check:?}")?,
                CheckOutcome::Passed => writeln!(f, "pass {check:?}")?,
                CheckOutcome::Skipped => writeln!(f, "skip {check:?}")?,
            }
        }
        Ok(())
    }
}

/// Keeps what `judge` tells.
struct Recorder<'e> {
    steps: Vec<(Check, CheckOutcome)>,
    entry: Option<&'e Entry>,
}

impl Recorder<'_> {
    /// The last check failed, for another reason than `judge` could know.
    fn failed_rather(&mut self, kind: AuthErrorKind) {
        if let Some((_, outcome)) = self.steps.last_mut() {
            *outcome = CheckOutcome::Failed(kind);
        }
    }
}

impl<'e> Observer<&'e Arc<Entry>> for Recorder<'e> {
    fn passed(&mut self, check: Check) {
        self.steps.push((check, CheckOutcome::Passed));
    }

    fn failed(&mut self, check: Check, kind: AuthErrorKind) {
        self.steps.push((check, CheckOutcome::Failed(kind)));
    }

    fn selected(&mut self, entry: &&'e Arc<Entry>) {
        self.entry = Some(*entry);
    }
}
