//! When are keys fetched, when do they serve, and who waits? Pure: every moment is a parameter, nothing is fetched here.

use std::time::Duration;

/// How long keys live and how often they may be fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Lifetime where the server names none.
    pub(crate) fresh: Duration,
    /// The bounds of a lifetime that the server names.
    pub(crate) fresh_min: Duration,
    pub(crate) fresh_max: Duration,
    /// How much longer keys serve while refreshes fail.
    pub(crate) stale: Duration,
    /// The time between two fetches that tokens cause.
    pub(crate) cooldown: Duration,
    /// The first and the longest delay after a failure.
    pub(crate) backoff_min: Duration,
    pub(crate) backoff_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(5 * 60),
            fresh_min: Duration::from_secs(60),
            fresh_max: Duration::from_secs(60 * 60),
            stale: Duration::from_secs(60 * 60),
            cooldown: Duration::from_secs(30),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// The lifetime in force, where the server names this one.
    pub(crate) fn lifetime(&self, named: Option<Duration>) -> Duration {
        named.map_or(self.fresh, |age| age.clamp(self.fresh_min, self.fresh_max))
    }
}

/// What started a fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// Boot, refresh ahead, back-off: outside the budget.
    Schedule,
    /// A token: takes from the budget.
    Token,
}

/// Names one fetch; a later one has a higher number.
pub(crate) type Sequence = u64;

/// Names the fetch of an earlier process: older than every one of this process.
pub(crate) const RESTORED: Sequence = 0;

/// What a request does about the keys in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// The keys are good.
    Serve,
    /// The keys are good; a refresh is due.
    ServeAndRefresh,
    /// There are no keys, and an attempt runs or is due.
    WaitForRefresh,
    /// There are no keys, and none will come before the next attempt.
    Unavailable,
}

/// What a request does whose token no key fits, or whose signature does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Demand {
    /// Wait for this fetch, then judge again.
    Wait(Sequence),
    /// The keys are as fresh as they can be: the verdict stands.
    Final,
    /// Newer keys than those that were looked at are in force: judge again.
    JudgeAgain,
    /// The issuer cannot be asked at the moment.
    Outage,
}

/// A fetch that is on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    sequence: Sequence,
    /// When it last got further.
    since: Duration,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Nobody carries it out yet.
    Wanted,
    /// It waits for its turn among the fetches of this process.
    Queued,
    Departed,
}

/// Keys that were adopted.
#[derive(Clone, Copy, Debug)]
struct Adopted {
    sequence: Sequence,
    at: Duration,
    fresh_until: Duration,
    stale_until: Duration,
}

/// The state of one issuer's keys. At most one flight at a time.
#[derive(Debug)]
pub(crate) struct Refresh {
    limits: Limits,
    adopted: Option<Adopted>,
    flight: Option<Flight>,
    last_sequence: Sequence,
    /// Failures since the last success.
    failures: u32,
    /// When the schedule wants the next fetch.
    due: Duration,
    /// When a token last emptied the bucket.
    bucket_emptied: Option<Duration>,
}

impl Refresh {
    /// Nothing is known; the first fetch is due at once.
    pub(crate) fn new(limits: Limits, now: Duration) -> Self {
        Self {
            limits,
            adopted: None,
            flight: None,
            last_sequence: 0,
            failures: 0,
            due: now,
            bucket_emptied: None,
        }
    }

    /// Keys that an earlier process fetched serve for the time that is `left` to them. They are stale, and older than
    /// those of every fetch; the first one is wanted from now on, by the schedule.
    pub(crate) fn restored(limits: Limits, now: Duration, left: Duration) -> Self {
        let stale_until = now.saturating_add(left);
        let adopted = Adopted { sequence: RESTORED, at: now, fresh_until: now, stale_until };
        let mut refresh = Self { adopted: Some(adopted), ..Self::new(limits, now) };
        refresh.begin(now, Cause::Schedule);
        refresh
    }

    pub(crate) fn next(&self, now: Duration) -> Next {
        let due = self.flight.is_some() || now >= self.due;
        match self.adopted {
            Some(adopted) if now < adopted.stale_until => {
                if due {
                    Next::ServeAndRefresh
                } else {
                    Next::Serve
                }
            }
            _ if due => Next::WaitForRefresh,
            _ => Next::Unavailable,
        }
    }

    /// No key fits a token, among the keys of the fetch `seen` (0: there were none).
    pub(crate) fn key_missing(&mut self, now: Duration, seen: Sequence) -> Demand {
        if self.is_newer(seen) {
            return Demand::JudgeAgain;
        }
        match self.next(now) {
            Next::Unavailable => return Demand::Outage,
            Next::WaitForRefresh => return Demand::Wait(self.begin(now, Cause::Schedule)),
            Next::Serve | Next::ServeAndRefresh => (),
        }
        if let Some(flight) = self.flight {
            Demand::Wait(flight.sequence)
        } else if self.failures > 0 {
            // The schedule is the back-off alone, until the issuer answers.
            if now >= self.due { Demand::Wait(self.begin(now, Cause::Schedule)) } else { Demand::Outage }
        } else if self.bucket_is_full(now) {
            Demand::Wait(self.begin(now, Cause::Token))
        } else {
            Demand::Final
        }
    }

    /// A held key did not make a signature: final, unless the key could have been replaced under its name.
    pub(crate) fn signature_failed(&mut self, now: Duration, seen: Sequence) -> Demand {
        if self.is_newer(seen) {
            return Demand::JudgeAgain;
        }
        if let Some(flight) = self.flight {
            return Demand::Wait(flight.sequence);
        }
        let old = self.adopted.is_some_and(|adopted| now.saturating_sub(adopted.at) > self.limits.cooldown);
        if old && self.failures == 0 && self.bucket_is_full(now) {
            Demand::Wait(self.begin(now, Cause::Token))
        } else {
            Demand::Final
        }
    }

    /// Starts a fetch, or joins the one that is on its way.
    pub(crate) fn begin(&mut self, now: Duration, cause: Cause) -> Sequence {
        if let Some(flight) = self.flight {
            return flight.sequence;
        }
        self.last_sequence = self.last_sequence.saturating_add(1);
        if cause == Cause::Token {
            self.bucket_emptied = Some(now);
        }
        self.flight = Some(Flight { sequence: self.last_sequence, since: now, stage: Stage::Wanted });
        self.last_sequence
    }

    /// What the driver does now: carry out this fetch, or sleep so long.
    pub(crate) fn drive(&mut self, now: Duration) -> Drive {
        if self.flight.is_none() && now >= self.due {
            self.begin(now, Cause::Schedule);
        }
        match &mut self.flight {
            Some(flight) if flight.stage == Stage::Wanted => {
                (flight.stage, flight.since) = (Stage::Queued, now);
                Drive::Fetch(flight.sequence)
            }
            Some(_) => Drive::Sleep(self.limits.backoff_max),
            None => Drive::Sleep(self.due.saturating_sub(now)),
        }
    }

    /// The fetch is still in the queue, and its driver alive.
    pub(crate) fn queued(&mut self, now: Duration, sequence: Sequence) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.sequence == sequence) {
            flight.since = now;
        }
    }

    /// The fetch has left the queue.
    pub(crate) fn departed(&mut self, now: Duration, sequence: Sequence) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.sequence == sequence) {
            (flight.stage, flight.since) = (Stage::Departed, now);
        }
    }

    /// New keys arrived. Returns whether they are the newest: an older answer never replaces a newer one.
    pub(crate) fn succeeded(
        &mut self,
        now: Duration,
        sequence: Sequence,
        lifetime: Option<Duration>,
        jitter: f64,
    ) -> bool {
        if self.flight.is_none_or(|flight| flight.sequence != sequence) {
            return false;
        }
        let fresh = self.limits.lifetime(lifetime);
        let fresh_until = now.saturating_add(fresh);
        self.flight = None;
        self.failures = 0;
        self.due = now.saturating_add(fresh.mul_f64(REFRESH_AHEAD * spread(jitter)));
        self.adopted = Some(Adopted {
            sequence,
            at: now,
            fresh_until,
            stale_until: fresh_until.saturating_add(self.limits.stale),
        });
        true
    }

    /// A fetch failed. The keys stay; the next attempt follows after a back-off with full jitter.
    pub(crate) fn failed(&mut self, now: Duration, sequence: Sequence, jitter: f64) {
        if self.flight.is_none_or(|flight| flight.sequence != sequence) {
            return;
        }
        self.flight = None;
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let ceiling = self.limits.backoff_min.saturating_mul(doubled).min(self.limits.backoff_max);
        self.failures = self.failures.saturating_add(1).min(31);
        self.due = now.saturating_add(ceiling.mul_f64(jitter.clamp(0.0, 1.0)).max(BACKOFF_FLOOR));
    }

    /// When the keys were fetched, if that was in this process.
    pub(crate) fn adopted_at(&self) -> Option<Duration> {
        self.adopted.filter(|adopted| adopted.sequence > RESTORED).map(|adopted| adopted.at)
    }

    /// When the schedule wants the next fetch.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// When the keys stop being served.
    pub(crate) fn stale_until(&self) -> Duration {
        self.adopted.map_or(Duration::ZERO, |adopted| adopted.stale_until)
    }

    /// When the keys stop being fresh.
    pub(crate) fn fresh_until(&self) -> Duration {
        self.adopted.map_or(Duration::ZERO, |adopted| adopted.fresh_until)
    }

    /// Whether a set was ever adopted.
    pub(crate) fn ever_adopted(&self) -> bool {
        self.adopted.is_some()
    }

    /// Whether the first attempt has ended, one way or the other.
    pub(crate) fn attempted(&self) -> bool {
        self.adopted.is_some_and(|adopted| adopted.sequence > RESTORED) || self.failures > 0
    }

    /// The fetch on its way, if any.
    pub(crate) fn in_flight(&self) -> Option<Sequence> {
        self.flight.map(|flight| flight.sequence)
    }

    /// The time until the next attempt can have ended.
    pub(crate) fn retry_after(&self, now: Duration) -> Duration {
        if self.flight.is_some() { RETRY_SOON } else { self.due.saturating_sub(now).max(RETRY_SOON) }
    }

    /// Whether something should have happened long ago: the driver stands still, in a runtime that nobody runs.
    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        match self.flight {
            Some(Flight { stage: Stage::Queued, since, .. }) => now.saturating_sub(since) > QUEUE_STANDSTILL,
            Some(Flight { since, .. }) => now.saturating_sub(since) > STANDSTILL,
            None => now.saturating_sub(self.due) > STANDSTILL,
        }
    }

    /// Whether keys that may serve came after the fetch `seen`.
    fn is_newer(&self, seen: Sequence) -> bool {
        self.adopted.is_some_and(|adopted| adopted.sequence > seen)
    }

    /// Failures in a row since the issuer last answered.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Another driver takes over: what is on its way, or overdue, begins anew. Those who wait for it go on waiting.
    pub(crate) fn take_over(&mut self, now: Duration) {
        self.begin(now, Cause::Schedule);
        if let Some(flight) = &mut self.flight {
            (flight.stage, flight.since) = (Stage::Wanted, now);
        }
    }

    fn bucket_is_full(&self, now: Duration) -> bool {
        self.bucket_emptied.is_none_or(|emptied| now.saturating_sub(emptied) >= self.limits.cooldown)
    }
}

/// See [`Refresh::drive`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drive {
    Fetch(Sequence),
    Sleep(Duration),
}

/// Fresh keys are fetched again when this part of their lifetime is over, so that nobody ever waits.
const REFRESH_AHEAD: f64 = 0.8;

/// ±10 %, so that many processes do not ask at once. `jitter` lies between 0 and 1.
fn spread(jitter: f64) -> f64 {
    0.9 + 0.2 * jitter.clamp(0.0, 1.0)
}

/// Full jitter may come out at nothing; this much is left between two attempts.
const BACKOFF_FLOOR: Duration = Duration::from_millis(100);

/// No attempt takes half of this.
const STANDSTILL: Duration = Duration::from_secs(15);

/// A driver in the queue reports more often than this.
const QUEUE_STANDSTILL: Duration = Duration::from_secs(40);

/// What `Retry-After` says at least.
const RETRY_SOON: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
