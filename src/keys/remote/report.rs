//! What of an issuer's keys reaches the log?

use std::{error::Error as _, fmt, sync::Arc};

use tracing::{debug, warn};

use crate::{
    fetch::FetchError,
    keys::{jwk::SkipReason, set::Skipped},
};

/// What is told about an issuer's keys.
#[derive(Default)]
pub(crate) struct Notes {
    last_error: Option<Arc<FetchError>>,
    /// As last reported.
    skipped: Vec<Skipped>,
}

impl Notes {
    /// Why the last attempt failed, if it did.
    pub(super) fn last_error(&self) -> Option<Arc<FetchError>> {
        self.last_error.clone()
    }

    pub(super) fn adopted(&mut self, usable: usize, skipped: Vec<Skipped>) -> Event {
        let recovered = self.last_error.take().is_some();
        let changed = self.skipped != skipped;
        self.skipped.clone_from(&skipped);
        Event::Adopted { usable, recovered, skipped: changed.then_some(skipped) }
    }

    pub(super) fn failed(&mut self, error: FetchError) -> Event {
        let error = Arc::new(error);
        let first = self.last_error.replace(Arc::clone(&error)).is_none();
        Event::Failed { error, first }
    }
}

/// What is worth a log line.
pub(super) enum Event {
    Adopted {
        usable: usize,
        recovered: bool,
        /// Where it changed.
        skipped: Option<Vec<Skipped>>,
    },
    Failed {
        error: Arc<FetchError>,
        first: bool,
    },
}

impl Event {
    pub(super) fn log(&self, issuer: &str) {
        match self {
            Self::Adopted { usable, recovered, skipped } => {
                if *recovered {
                    warn!(issuer, "keys are refreshed again");
                }
                if let Some(skipped) = skipped {
                    report(issuer, skipped);
                }
                debug!(issuer, usable, "keys adopted");
            }
            Self::Failed { error, first: true } => {
                warn!(issuer, error = %Chain(error), "keys cannot be refreshed");
            }
            Self::Failed { error, first: false } => {
                debug!(issuer, error = %Chain(error), "keys cannot be refreshed");
            }
        }
    }
}

/// Keys that are not used are their owner's business, unless they give a secret away.
fn report(issuer: &str, skipped: &[Skipped]) {
    for jwk in skipped {
        let (index, reason) = (jwk.index, jwk.reason);
        match reason {
            SkipReason::Private | SkipReason::Symmetric => {
                warn!(issuer, index, %reason, "the issuer publishes a secret: tell its operator");
            }
            _ => debug!(issuer, index, %reason, "a key is not used"),
        }
    }
}

/// Prints an error with its causes.
struct Chain<'e>(&'e FetchError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
