#![allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn call(breaker: &mut Breaker, outcome: Outcome, now: Duration) -> Option<Change> {
    let ticket = breaker.admit(now).unwrap();
    breaker.ended(ticket, outcome, now)
}

#[test]
fn int_05_it_opens_at_half_of_ten_calls_within_ten_seconds() {
    let mut breaker = Breaker::default();
    for number in 0..9 {
        let outcome = if number < 4 { Outcome::Answered } else { Outcome::Fault };
        assert_eq!(call(&mut breaker, outcome, seconds(100)), None, "nine calls say nothing");
    }
    let change = call(&mut breaker, Outcome::Answered, seconds(109));
    assert_eq!(change, Some(Change::Stopped(Stop::Faults)));
    let stopped = breaker.admit(seconds(113)).unwrap_err();
    assert_eq!((stopped.why, stopped.retry_after), (Stop::Faults, seconds(1)));

    let probe = breaker.admit(seconds(114)).unwrap();
    assert!(breaker.admit(seconds(114)).is_err(), "one probe at a time");
    assert_eq!(breaker.ended(probe, Outcome::Answered, seconds(115)), Some(Change::Resumed));
    assert_eq!(call(&mut breaker, Outcome::Fault, seconds(115)), None, "the past is forgotten");
}

#[test]
fn int_05_what_is_long_ago_or_no_matter_does_not_count() {
    let mut breaker = Breaker::default();
    for second in 0..100 {
        assert_eq!(call(&mut breaker, Outcome::Fault, seconds(second * 2)), None, "five in ten seconds");
    }
    let mut breaker = Breaker::default();
    for _ in 0..1000 {
        assert_eq!(call(&mut breaker, Outcome::NoMatter, seconds(1)), None);
    }
}

#[test]
fn int_06_refused_credentials_stop_calls_for_five_seconds_doubling_to_sixty() {
    let mut breaker = Breaker::default();
    let mut now = seconds(7);
    for pause in [5, 10, 20, 40, 60, 60] {
        let change = call(&mut breaker, Outcome::CredentialsRefused, now);
        assert_eq!(change, Some(Change::Stopped(Stop::Credentials(seconds(pause)))));
        let almost = now + seconds(pause) - Duration::from_millis(1);
        assert!(breaker.admit(almost).is_err());
        now += seconds(pause);
    }
    assert_eq!(call(&mut breaker, Outcome::Answered, now), Some(Change::Resumed));
    let change = call(&mut breaker, Outcome::CredentialsRefused, now);
    assert_eq!(change, Some(Change::Stopped(Stop::Credentials(seconds(5)))), "it begins anew");
}

#[test]
fn int_06_calls_that_run_meanwhile_are_one_step() {
    let mut breaker = Breaker::default();
    let calls: Vec<_> = (0..20).map(|_| breaker.admit(seconds(1)).unwrap()).collect();
    let changes =
        calls.into_iter().filter_map(|call| breaker.ended(call, Outcome::CredentialsRefused, seconds(2)));
    assert_eq!(changes.count(), 1);
    assert!(breaker.admit(seconds(7)).is_ok());
}

#[test]
fn a_lost_probe_blocks_nobody_for_ever() {
    let mut breaker = Breaker::default();
    call(&mut breaker, Outcome::CredentialsRefused, seconds(0));
    let lost = breaker.admit(seconds(5)).unwrap();
    assert!(breaker.admit(seconds(14)).is_err());
    assert!(breaker.admit(seconds(15)).is_ok());
    assert_eq!(breaker.ended(lost, Outcome::Answered, seconds(15)), None, "its word comes too late");
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Answered),
        Just(Outcome::CredentialsRefused),
        Just(Outcome::Fault),
        Just(Outcome::NoMatter)
    ]
}

proptest! {
    /// Whatever happens: it stops only for a reason, never for longer than a minute, and lets one probe through.
    #[test]
    fn it_stops_for_a_reason_and_never_for_ever(
        steps in prop::collection::vec((0_u64..3000, outcomes()), 1..200)
    ) {
        let mut breaker = Breaker::default();
        let mut now = Duration::ZERO;
        let mut calls: Vec<(u64, bool)> = Vec::new();
        for (pass, outcome) in steps {
            now += Duration::from_millis(pass);
            let ticket = match breaker.admit(now) {
                Ok(ticket) => ticket,
                Err(stopped) => {
                    prop_assert!(stopped.retry_after <= LONGEST_PAUSE && !stopped.retry_after.is_zero());
                    now += stopped.retry_after;
                    breaker.admit(now).expect("the pause is over")
                }
            };
            let was_probe = matches!(breaker.state, State::Probing { .. });
            prop_assert_eq!(breaker.admit(now).is_err(), was_probe);
            match outcome {
                Outcome::Answered | Outcome::Fault if !was_probe => {
                    calls.push((now.as_secs(), outcome == Outcome::Fault));
                }
                _ => (),
            }
            let change = breaker.ended(ticket, outcome, now);
            let recent = || calls.iter().filter(|(at, _)| now.as_secs() - at < 10);
            let failing = recent().count() >= 10 && recent().filter(|(_, fault)| *fault).count() * 2 >= recent().count();
            match change {
                Some(Change::Stopped(Stop::Faults)) => prop_assert!(failing),
                Some(Change::Stopped(Stop::Credentials(_))) => prop_assert_eq!(outcome, Outcome::CredentialsRefused),
                Some(Change::Resumed) => {
                    prop_assert!(was_probe && outcome == Outcome::Answered);
                    calls.clear();
                }
                None => prop_assert!(was_probe || !failing || outcome == Outcome::NoMatter),
            }
        }
    }
}
