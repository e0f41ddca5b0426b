//! May the endpoint be asked now? Pure: every moment is a parameter.

use std::time::Duration;

/// One second of calls, and one place for each of the last ten.
const WINDOW: usize = 10;

/// Fewer calls say nothing about the endpoint.
const FEWEST_CALLS: u32 = 10;

/// After this, one call finds out how the endpoint is; also the first pause when our credentials are refused.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest pause when our credentials are refused time and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// No call takes this long. A probe that is older was lost with its runtime.
const PROBE_LEASE: Duration = Duration::from_secs(10);

/// Counts how calls end, and stops them where they only do harm.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: State,
    /// Told apart by this: a call that began before the last change of state says nothing about the present one.
    epoch: u64,
    seconds: [Second; WINDOW],
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Duration,
        stopped: Stop,
    },
    Probing {
        since: Duration,
        stopped: Stop,
    },
}

/// Why calls are stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// Our credentials are refused; this is the pause in force.
    Credentials(Duration),
    /// Too many calls failed.
    Faults,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    calls: u32,
    faults: u32,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// With a verdict.
    Answered,
    /// Our credentials are refused.
    CredentialsRefused,
    /// The endpoint is in trouble.
    Fault,
    /// In a way that says nothing about the endpoint.
    NoMatter,
}

/// The right to make one call.
#[derive(Debug)]
#[must_use = "a call has to end"]
pub(crate) struct Ticket {
    epoch: u64,
}

/// No call may be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stopped {
    pub(crate) why: Stop,
    pub(crate) retry_after: Duration,
}

/// A change of state, worth a line in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Resumed,
    Stopped(Stop),
}

impl Breaker {
    pub(crate) fn admit(&mut self, now: Duration) -> Result<Ticket, Stopped> {
        if let Some(stopped) = self.stopped(now) {
            return Err(stopped);
        }
        if let State::Open { stopped, .. } | State::Probing { stopped, .. } = self.state {
            self.enter(State::Probing { since: now, stopped });
        }
        Ok(Ticket { epoch: self.epoch })
    }

    /// Whether a call would be refused now.
    pub(crate) fn stopped(&self, now: Duration) -> Option<Stopped> {
        let (until, why) = match self.state {
            State::Closed => return None,
            State::Open { until, stopped } => (until, stopped),
            State::Probing { since, stopped } => (since.saturating_add(PROBE_LEASE), stopped),
        };
        let left = until.checked_sub(now).filter(|left| !left.is_zero())?;
        let retry_after = match self.state {
            // It ends sooner than its lease.
            State::Probing { .. } => left.min(Duration::from_secs(1)),
            State::Closed | State::Open { .. } => left,
        };
        Some(Stopped { why, retry_after })
    }

    #[expect(clippy::needless_pass_by_value, reason = "a ticket ends one call")]
    pub(crate) fn ended(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) -> Option<Change> {
        if ticket.epoch != self.epoch {
            return None;
        }
        match (self.state, outcome) {
            (State::Closed, Outcome::Answered | Outcome::Fault) => {
                self.count(outcome == Outcome::Fault, now);
                self.is_failing(now).then(|| self.stop(Stop::Faults, now))
            }
            (State::Closed, Outcome::CredentialsRefused) => Some(self.stop(Stop::Credentials(PAUSE), now)),
            (State::Probing { .. }, Outcome::Answered) => {
                self.seconds = Default::default();
                self.enter(State::Closed);
                Some(Change::Resumed)
            }
            (State::Probing { stopped, .. }, Outcome::CredentialsRefused) => {
                let pause = match stopped {
                    Stop::Credentials(pause) => pause.saturating_mul(2).min(LONGEST_PAUSE),
                    Stop::Faults => PAUSE,
                };
                Some(self.stop(Stop::Credentials(pause), now))
            }
            // A pause that credentials have earned grows on where it was, once they are refused again.
            (State::Probing { stopped, .. }, Outcome::Fault) => {
                self.enter(State::Open { until: now.saturating_add(PAUSE), stopped });
                None
            }
            (State::Probing { stopped, .. }, Outcome::NoMatter) => {
                self.enter(State::Open { until: now, stopped });
                None
            }
            (State::Closed, Outcome::NoMatter) | (State::Open { .. }, _) => None,
        }
    }

    fn stop(&mut self, why: Stop, now: Duration) -> Change {
        let pause = match why {
            Stop::Credentials(pause) => pause,
            Stop::Faults => PAUSE,
        };
        self.enter(State::Open { until: now.saturating_add(pause), stopped: why });
        Change::Stopped(why)
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
    }

    fn count(&mut self, fault: bool, now: Duration) {
        let number = now.as_secs();
        let place = usize::try_from(number).unwrap_or_default().checked_rem(WINDOW).unwrap_or_default();
        let Some(second) = self.seconds.get_mut(place) else { return };
        if second.number != number {
            *second = Second { number, calls: 0, faults: 0 };
        }
        second.calls = second.calls.saturating_add(1);
        second.faults = second.faults.saturating_add(u32::from(fault));
    }

    /// At least ten calls in the last ten seconds, half of them in vain.
    fn is_failing(&self, now: Duration) -> bool {
        let recent = self.seconds.iter().filter(|second| {
            now.as_secs().saturating_sub(second.number) < u64::try_from(WINDOW).unwrap_or(u64::MAX)
        });
        let (calls, faults) = recent.fold((0_u32, 0_u32), |(calls, faults), second| {
            (calls.saturating_add(second.calls), faults.saturating_add(second.faults))
        });
        calls >= FEWEST_CALLS && faults.saturating_mul(2) >= calls
    }
}

#[cfg(test)]
mod tests;
