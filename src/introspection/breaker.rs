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

/// No question takes this long, its control question included. A probe that is older was lost with its runtime.
const PROBE_LEASE: Duration = Duration::from_secs(15);

/// For so long a control question that went well speaks for the endpoint and for our credentials.
const VOUCHED_FOR: Duration = Duration::from_secs(5);

/// Counts how calls end, and stops them where they only do harm.
///
/// Whoever sends tokens may be able to make the endpoint fail, or refuse, about one of them. So before calls are stopped for
/// everybody, and before a probe counts as failed, the endpoint is asked a control question: about a token of our own that
/// nobody chose. Only a connection that does not come about needs none, for no token has been sent then.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: State,
    /// Told apart by this: a call that began before the last change of state says nothing about the present one.
    epoch: u64,
    seconds: [Second; WINDOW],
    /// Since when a control question is on its way while calls go on.
    doubted: Option<(Duration, Doubt)>,
    vouched_until: Duration,
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

/// Why a control question is asked while calls go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doubt {
    /// One call was told that our credentials are bad. Only the same answer about a token of our own proves it.
    Credentials,
    /// Too many calls failed.
    Faults,
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
    /// Those of the faults that no token can have caused.
    unconnected: u32,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// In a way that tells of this very token alone.
    AboutTheToken,
    /// With a verdict.
    Answered,
    /// Our credentials are refused.
    CredentialsRefused,
    /// The endpoint is in trouble.
    Fault,
    /// It was given up, which says nothing.
    GivenUp,
    /// No connection came about.
    Unconnected,
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

/// What follows from the end of a call.
#[derive(Debug)]
pub(crate) enum After {
    Changed(Change),
    /// Ask about a token of our own, and tell by [`Breaker::controlled`] how that ended.
    Control(Ticket),
    Nothing,
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

    /// Whether a control question has lately shown that endpoint and credentials are good.
    pub(crate) fn is_vouched_for(&self, now: Duration) -> bool {
        matches!(self.state, State::Closed) && now < self.vouched_until
    }

    pub(crate) fn ended(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) -> After {
        if ticket.epoch != self.epoch {
            return After::Nothing;
        }
        match (self.state, outcome) {
            (State::Closed, Outcome::Answered | Outcome::Fault | Outcome::Unconnected) => {
                self.count(outcome, now);
                match self.failing(now) {
                    Some(Failing::Unconnected) => After::Changed(self.stop(Stop::Faults, now)),
                    Some(Failing::Perhaps) => self.doubt(ticket, Doubt::Faults, now),
                    None => After::Nothing,
                }
            }
            (State::Closed, Outcome::CredentialsRefused) if !self.is_vouched_for(now) => {
                self.doubt(ticket, Doubt::Credentials, now)
            }
            (State::Probing { .. }, Outcome::Answered) => After::Changed(self.resume()),
            (
                State::Probing { stopped, .. },
                Outcome::AboutTheToken | Outcome::CredentialsRefused | Outcome::Fault,
            ) => {
                self.state = State::Probing { since: now, stopped };
                After::Control(ticket)
            }
            (State::Probing { stopped, .. }, Outcome::Unconnected) => {
                self.enter(State::Open { until: now.saturating_add(PAUSE), stopped });
                After::Nothing
            }
            (State::Probing { stopped, .. }, Outcome::GivenUp) => {
                self.enter(State::Open { until: now, stopped });
                After::Nothing
            }
            (State::Closed, Outcome::AboutTheToken | Outcome::CredentialsRefused | Outcome::GivenUp)
            | (State::Open { .. }, _) => After::Nothing,
        }
    }

    /// A control question has ended.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket ends one call")]
    pub(crate) fn controlled(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) -> Option<Change> {
        if ticket.epoch != self.epoch {
            return None;
        }
        let doubt = self.doubted.take().map(|(_, doubt)| doubt);
        match (self.state, outcome) {
            (State::Open { .. }, _) | (State::Closed, Outcome::GivenUp) => None,
            // To refuse a text as no token of its own is as good an answer as any.
            (State::Closed, Outcome::AboutTheToken | Outcome::Answered) => {
                self.vouch(now);
                None
            }
            // It says nothing about our credentials, and is one failure among the others.
            (State::Closed, Outcome::Fault | Outcome::Unconnected) if doubt == Some(Doubt::Credentials) => {
                self.count(outcome, now);
                self.failing(now).map(|_| self.stop(Stop::Faults, now))
            }
            (State::Closed, Outcome::Fault | Outcome::Unconnected) => Some(self.stop(Stop::Faults, now)),
            (State::Closed, Outcome::CredentialsRefused) => Some(self.stop(Stop::Credentials(PAUSE), now)),
            (State::Probing { .. }, Outcome::AboutTheToken | Outcome::Answered) => {
                self.vouch(now);
                Some(self.resume())
            }
            (State::Probing { stopped, .. }, Outcome::CredentialsRefused) => {
                let pause = match stopped {
                    Stop::Credentials(pause) => pause.saturating_mul(2).min(LONGEST_PAUSE),
                    Stop::Faults => PAUSE,
                };
                Some(self.stop(Stop::Credentials(pause), now))
            }
            // A pause that credentials have earned grows on where it was, once they are refused again.
            (State::Probing { stopped, .. }, Outcome::Fault | Outcome::Unconnected) => {
                self.enter(State::Open { until: now.saturating_add(PAUSE), stopped });
                None
            }
            (State::Probing { stopped, .. }, Outcome::GivenUp) => {
                self.enter(State::Open { until: now, stopped });
                None
            }
        }
    }

    /// One control question at a time.
    fn doubt(&mut self, ticket: Ticket, doubt: Doubt, now: Duration) -> After {
        let is_asked = |(since, _)| now.saturating_sub(since) < PROBE_LEASE;
        if self.doubted.is_some_and(is_asked) {
            return After::Nothing;
        }
        self.doubted = Some((now, doubt));
        After::Control(ticket)
    }

    fn vouch(&mut self, now: Duration) {
        self.vouched_until = now.saturating_add(VOUCHED_FOR);
        self.seconds = Default::default();
    }

    fn resume(&mut self) -> Change {
        self.seconds = Default::default();
        self.enter(State::Closed);
        Change::Resumed
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
        self.doubted = None;
    }

    fn count(&mut self, outcome: Outcome, now: Duration) {
        let number = now.as_secs();
        let place = usize::try_from(number).unwrap_or_default().checked_rem(WINDOW).unwrap_or_default();
        let Some(second) = self.seconds.get_mut(place) else { return };
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second.calls = second.calls.saturating_add(1);
        second.faults = second.faults.saturating_add(u32::from(outcome != Outcome::Answered));
        second.unconnected = second.unconnected.saturating_add(u32::from(outcome == Outcome::Unconnected));
    }

    /// At least ten calls in the last ten seconds, half of them in vain.
    fn failing(&self, now: Duration) -> Option<Failing> {
        let recent = self.seconds.iter().filter(|second| {
            now.as_secs().saturating_sub(second.number) < u64::try_from(WINDOW).unwrap_or(u64::MAX)
        });
        let (mut calls, mut faults, mut unconnected) = (0_u32, 0_u32, 0_u32);
        for second in recent {
            calls = calls.saturating_add(second.calls);
            faults = faults.saturating_add(second.faults);
            unconnected = unconnected.saturating_add(second.unconnected);
        }
        let is_half = |count: u32| calls >= FEWEST_CALLS && count.saturating_mul(2) >= calls;
        if is_half(unconnected) {
            Some(Failing::Unconnected)
        } else {
            is_half(faults).then_some(Failing::Perhaps)
        }
    }
}

/// What the last ten seconds say.
enum Failing {
    /// Too many calls failed, and tokens may have caused it.
    Perhaps,
    /// Too many connections did not come about.
    Unconnected,
}

#[cfg(test)]
mod tests;
