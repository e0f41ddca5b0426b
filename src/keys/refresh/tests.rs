#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;

use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Refresh {
    /// As a request asks that looked at the newest keys.
    fn missing(&mut self, now: Duration) -> Demand {
        self.key_missing(now, self.last_sequence)
    }

    fn failed_signature(&mut self, now: Duration) -> Demand {
        self.signature_failed(now, self.last_sequence)
    }
}

/// Keys adopted at 0, fresh until 300 s, refreshed at 240 s, stale until 3900 s.
fn warm() -> Refresh {
    let mut refresh = Refresh::new(Limits::default(), s(0));
    let sequence = refresh.begin(s(0), Cause::Schedule);
    assert!(refresh.succeeded(s(0), sequence, None, 0.5));
    refresh
}

fn flight(demand: Demand) -> Sequence {
    match demand {
        Demand::Wait(sequence) => sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn cold_requests_wait_for_the_first_attempt_and_then_for_the_back_off() {
    let mut refresh = Refresh::new(Limits::default(), s(0));
    assert_eq!(refresh.next(s(0)), Next::WaitForRefresh);
    let first = flight(refresh.missing(s(0)));
    assert_eq!(flight(refresh.missing(s(1))), first);
    refresh.failed(s(2), first, 1.0);
    // Full jitter, at its most: one second.
    assert_eq!(refresh.next(s(2)), Next::Unavailable);
    assert_eq!(refresh.missing(s(2)), Demand::Outage);
    assert_eq!(refresh.next(s(3)), Next::WaitForRefresh);
    assert_ne!(flight(refresh.missing(s(3))), first);
}

#[test]
fn back_off_doubles_up_to_a_minute() {
    let mut refresh = Refresh::new(Limits::default(), s(0));
    let mut now = s(0);
    for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let sequence = refresh.begin(now, Cause::Schedule);
        refresh.failed(now, sequence, 1.0);
        assert_eq!(refresh.drive(now), Drive::Sleep(s(expected)));
        now += s(expected);
    }
    for _ in 0..100 {
        let sequence = refresh.begin(now, Cause::Schedule);
        refresh.failed(now, sequence, 0.0);
        assert_eq!(refresh.drive(now), Drive::Sleep(BACKOFF_FLOOR));
        now += BACKOFF_FLOOR;
    }
}

#[test]
fn fresh_keys_are_refreshed_ahead_and_stale_ones_serve_for_an_hour() {
    let mut refresh = warm();
    assert_eq!(refresh.next(s(239)), Next::Serve);
    assert_eq!(refresh.drive(s(239)), Drive::Sleep(s(1)));
    assert_eq!(refresh.next(s(240)), Next::ServeAndRefresh);
    let mut now = s(240);
    while now < s(3900) {
        match refresh.drive(now) {
            Drive::Fetch(sequence) => refresh.failed(now, sequence, 1.0),
            Drive::Sleep(delay) => now += delay,
        }
        assert!(matches!(refresh.next(now.min(s(3899))), Next::Serve | Next::ServeAndRefresh), "{now:?}");
    }
    assert!(matches!(refresh.next(s(3900)), Next::Unavailable | Next::WaitForRefresh));
}

#[test]
fn jwk_16_a_lifetime_is_taken_within_bounds() {
    for (named, fresh) in
        [(None, 300), (Some(0), 60), (Some(120), 120), (Some(31_536_000), 3600), (Some(u64::MAX), 3600)]
    {
        let mut refresh = Refresh::new(Limits::default(), s(0));
        let sequence = refresh.begin(s(0), Cause::Schedule);
        refresh.succeeded(s(10), sequence, named.map(Duration::from_secs), 0.5);
        assert_eq!(refresh.fresh_until(), s(10 + fresh), "{named:?}");
        assert_eq!(refresh.stale_until(), s(10 + fresh + 3600), "{named:?}");
    }
}

#[test]
fn refresh_ahead_is_jittered_by_a_tenth() {
    for (jitter, due) in [(0.0, 216), (0.5, 240), (1.0, 264)] {
        let mut refresh = Refresh::new(Limits::default(), s(0));
        let sequence = refresh.begin(s(0), Cause::Schedule);
        refresh.succeeded(s(0), sequence, None, jitter);
        assert_eq!(refresh.drive(s(0)), Drive::Sleep(s(due)));
    }
}

#[test]
fn jwk_06_tokens_cause_one_fetch_per_cooldown() {
    let mut refresh = warm();
    let first = flight(refresh.missing(s(1)));
    assert_eq!(flight(refresh.missing(s(1))), first);
    refresh.succeeded(s(2), first, None, 0.5);
    // Stamped at its start: full again at 31 s.
    assert_eq!(refresh.missing(s(2)), Demand::Final);
    assert_eq!(refresh.missing(s(30)), Demand::Final);
    assert_ne!(flight(refresh.missing(s(31))), first);
}

#[test]
fn jwk_07_scheduled_fetches_leave_the_budget_alone() {
    // Right after boot.
    let mut refresh = warm();
    let first = flight(refresh.missing(s(0)));
    refresh.succeeded(s(0), first, None, 0.5);
    // A scheduled refresh neither fills the bucket nor empties it.
    let scheduled = refresh.begin(s(10), Cause::Schedule);
    refresh.succeeded(s(10), scheduled, None, 0.5);
    assert_eq!(refresh.missing(s(29)), Demand::Final);
    let scheduled = refresh.begin(s(29), Cause::Schedule);
    refresh.succeeded(s(29), scheduled, None, 0.5);
    flight(refresh.missing(s(30)));
}

#[test]
fn jwk_02_during_an_outage_tokens_start_nothing() {
    let mut refresh = warm();
    let first = flight(refresh.missing(s(100)));
    refresh.failed(s(101), first, 1.0);
    assert_eq!(refresh.missing(s(101)), Demand::Outage);
    // The bucket is full again long before the back-off ends.
    let mut now = s(102);
    for _ in 0..8 {
        let sequence = refresh.begin(now, Cause::Schedule);
        refresh.failed(now, sequence, 1.0);
        now += s(60);
    }
    now -= s(1);
    assert_eq!(refresh.missing(now), Demand::Outage);
    // Once the issuer answers again, a token may ask.
    let sequence = refresh.begin(now, Cause::Schedule);
    refresh.succeeded(now, sequence, None, 0.5);
    flight(refresh.missing(now));
}

#[test]
fn jwk_07_a_request_that_looked_at_older_keys_judges_again() {
    let mut refresh = warm();
    let first = flight(refresh.missing(s(1)));
    refresh.succeeded(s(2), first, None, 0.5);
    // The bucket is empty, but the answer that emptied it may hold the very key.
    assert_eq!(refresh.key_missing(s(2), first - 1), Demand::JudgeAgain);
    assert_eq!(refresh.signature_failed(s(2), first - 1), Demand::JudgeAgain);
    assert_eq!(refresh.key_missing(s(2), first), Demand::Final);
    // At a cold start nothing is seen yet.
    assert_eq!(refresh.key_missing(s(2), 0), Demand::JudgeAgain);
}

#[test]
fn ops_10_a_take_over_carries_the_same_flight_out_anew() {
    let mut refresh = Refresh::new(Limits::default(), s(0));
    let first = flight(refresh.missing(s(0)));
    assert_eq!(refresh.drive(s(0)), Drive::Fetch(first));
    refresh.departed(s(0), first);
    assert!(!refresh.is_overdue(s(15)));
    assert!(refresh.is_overdue(s(16)));
    refresh.take_over(s(16));
    // Those who wait for it go on waiting, and it is no failure.
    assert_eq!(refresh.in_flight(), Some(first));
    assert_eq!((refresh.failures(), refresh.is_overdue(s(16))), (0, false));
    assert_eq!(refresh.drive(s(16)), Drive::Fetch(first));
    // In the queue, its driver reports that it lives.
    refresh.queued(s(50), first);
    assert!(!refresh.is_overdue(s(90)));
    assert!(refresh.is_overdue(s(91)));
    // An idle driver that misses its moment is noticed as well, and by one request only.
    let mut refresh = warm();
    assert!(!refresh.is_overdue(s(255)));
    assert!(refresh.is_overdue(s(256)));
    refresh.take_over(s(256));
    assert!(!refresh.is_overdue(s(256)));
}

#[test]
fn jwk_19_a_bad_signature_may_ask_only_for_old_keys() {
    let mut refresh = warm();
    assert_eq!(refresh.failed_signature(s(30)), Demand::Final);
    let first = flight(refresh.failed_signature(s(31)));
    // Those that fail meanwhile wait for the same fetch.
    assert_eq!(flight(refresh.failed_signature(s(32))), first);
    refresh.failed(s(33), first, 1.0);
    // During an outage it stays what it is: bad.
    assert_eq!(refresh.failed_signature(s(70)), Demand::Final);
}

#[test]
fn jwk_11_an_older_answer_never_replaces_a_newer_one() {
    let mut refresh = warm();
    let old = flight(refresh.missing(s(1)));
    refresh.failed(s(6), old, 0.0);
    let new = refresh.begin(s(7), Cause::Schedule);
    assert!(!refresh.succeeded(s(8), old, None, 0.5));
    assert!(refresh.succeeded(s(9), new, None, 0.5));
    assert!(!refresh.succeeded(s(10), new, None, 0.5));
}

#[test]
fn restored_keys_serve_as_stale_ones_until_the_first_fetch() {
    let mut refresh = Refresh::restored(Limits::default(), s(1000), s(90));
    // They are there, and nobody was asked for them.
    assert!(refresh.ever_adopted());
    assert!(!refresh.attempted());
    assert_eq!((refresh.fresh_until(), refresh.stale_until()), (s(1000), s(1090)));
    assert_eq!(refresh.next(s(1000)), Next::ServeAndRefresh);
    assert!(matches!(refresh.next(s(1090)), Next::WaitForRefresh | Next::Unavailable));
    // Whatever they do not decide waits for the first fetch, which is the schedule's.
    let first = refresh.in_flight().unwrap();
    assert_eq!(flight(refresh.key_missing(s(1000), RESTORED)), first);
    assert_eq!(flight(refresh.signature_failed(s(1000), RESTORED)), first);
    assert_eq!(refresh.drive(s(1000)), Drive::Fetch(first));
    assert!(refresh.succeeded(s(1001), first, None, 0.5));
    assert!(refresh.attempted());
    assert_eq!(refresh.key_missing(s(1001), RESTORED), Demand::JudgeAgain);
    // The bucket is still full.
    assert_ne!(flight(refresh.missing(s(1001))), first);
}

#[test]
fn restored_keys_in_an_outage_are_as_held_ones() {
    let mut refresh = Refresh::restored(Limits::default(), s(0), s(90));
    let first = refresh.in_flight().unwrap();
    refresh.failed(s(1), first, 1.0);
    assert!(refresh.attempted());
    assert_eq!(refresh.missing(s(1)), Demand::Outage);
    assert_eq!(refresh.failed_signature(s(1)), Demand::Final);
    assert_eq!(refresh.next(s(1)), Next::Serve);
    // A failure gives them no more time.
    assert_eq!(refresh.stale_until(), s(90));
}

/// What may happen to an issuer's keys.
#[derive(Clone, Debug)]
enum Event {
    BadSignature,
    Fail(f64),
    Pass(u64),
    Succeed(Option<u64>, f64),
    Tick,
    UnknownKey,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::BadSignature),
        (0.0..1.0).prop_map(Event::Fail),
        (0_u64..400_000).prop_map(Event::Pass),
        (0_u64..4_000).prop_map(Event::Pass),
        (proptest::option::of(0_u64..10_000), 0.0..1.0).prop_map(|(age, jitter)| Event::Succeed(age, jitter)),
        Just(Event::Tick),
        Just(Event::UnknownKey),
    ]
}

proptest! {
    // The many where the compiler optimises, as in the second run of `scripts/test`.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 2_000 } else { 200_000 }))]

    #[test]
    fn whatever_happens_the_invariants_hold(
        restored in proptest::option::of(1_u64..8_000_000),
        events in proptest::collection::vec(event(), 1..200),
    ) {
        let limits = Limits::default();
        let left = restored.map(Duration::from_millis);
        let mut refresh = match left {
            Some(left) => Refresh::restored(limits, s(0), left),
            None => Refresh::new(limits, s(0)),
        };
        let mut now = s(0);
        let mut underway: Option<Sequence> = None;
        let mut by_tokens: Vec<Duration> = Vec::new();
        let mut adopted: Option<(Duration, Duration)> = None; // when, fresh for
        let mut failing = false;
        for event in events {
            let before = refresh.in_flight();
            match event {
                Event::Pass(millis) => now += Duration::from_millis(millis),
                Event::Tick => {
                    if let Drive::Fetch(sequence) = refresh.drive(now) {
                        // At most one flight.
                        prop_assert_eq!(underway, None);
                        underway = Some(sequence);
                    }
                }
                Event::UnknownKey | Event::BadSignature => {
                    let serves = matches!(refresh.next(now), Next::Serve | Next::ServeAndRefresh);
                    let demand = match event {
                        Event::UnknownKey => refresh.missing(now),
                        _ => refresh.failed_signature(now),
                    };
                    if let (Demand::Wait(sequence), None) = (demand, before) {
                        prop_assert_eq!(refresh.in_flight(), Some(sequence));
                        if serves && !failing {
                            by_tokens.push(now);
                        }
                    }
                    // Final means: asked within the cooldown, or only a signature.
                    if matches!(event, Event::UnknownKey) && demand == Demand::Final {
                        prop_assert!(by_tokens.last().is_some_and(|last| now - *last < limits.cooldown));
                    }
                    prop_assert!(!failing || before.is_some() || demand != Demand::Final || !matches!(event, Event::UnknownKey));
                }
                Event::Succeed(age, jitter) => {
                    if let Some(sequence) = underway.take() {
                        let lifetime = age.map(Duration::from_secs);
                        prop_assert!(refresh.succeeded(now, sequence, lifetime, jitter));
                        let fresh = lifetime.unwrap_or(limits.fresh);
                        adopted = Some((now, if age.is_some() { fresh.clamp(limits.fresh_min, limits.fresh_max) } else { fresh }));
                        failing = false;
                    }
                }
                Event::Fail(jitter) => {
                    if let Some(sequence) = underway.take() {
                        refresh.failed(now, sequence, jitter);
                        failing = true;
                    }
                }
            }
            // Keys serve exactly until their stale bound.
            let serves = matches!(refresh.next(now), Next::Serve | Next::ServeAndRefresh);
            let expected = match adopted {
                Some((at, fresh)) => now < at + fresh + limits.stale,
                None => left.is_some_and(|left| now < left),
            };
            prop_assert_eq!(serves, expected);
            // Keys of an earlier process are no attempt of this one.
            prop_assert_eq!(refresh.attempted(), adopted.is_some() || failing);
        }
        // One bucket: two fetches that tokens caused lie a cooldown apart.
        for pair in by_tokens.windows(2) {
            prop_assert!(pair[1] - pair[0] >= limits.cooldown, "{:?}", pair);
        }
    }
}
