#![allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn admit(breaker: &mut Breaker, now: Duration) -> Ticket {
    breaker.admit(now).unwrap()
}

/// What follows from a call; a control question, where one is called for, ends like `control`.
fn call(breaker: &mut Breaker, outcome: Outcome, control: Outcome, now: Duration) -> Option<Change> {
    let ticket = admit(breaker, now);
    match breaker.ended(ticket, outcome, now) {
        After::Changed(change) => Some(change),
        After::Control(ticket) => breaker.controlled(ticket, control, now),
        After::Nothing => None,
    }
}

/// A call that calls for nothing.
fn quiet(breaker: &mut Breaker, outcome: Outcome, now: Duration) {
    let ticket = admit(breaker, now);
    let after = breaker.ended(ticket, outcome, now);
    assert!(matches!(after, After::Nothing), "{after:?}");
}

#[test]
fn int_05_it_opens_at_half_of_ten_calls_within_ten_seconds() {
    for fault in [Outcome::Fault, Outcome::Unconnected] {
        let mut breaker = Breaker::default();
        for number in 0..9 {
            quiet(&mut breaker, if number < 4 { Outcome::Answered } else { fault }, seconds(100));
        }
        let change = call(&mut breaker, Outcome::Answered, Outcome::Fault, seconds(109));
        assert_eq!(change, Some(Change::Stopped(Stop::Faults)));
        let stopped = breaker.admit(seconds(113)).unwrap_err();
        assert_eq!((stopped.why, stopped.retry_after), (Stop::Faults, seconds(1)));

        let probe = admit(&mut breaker, seconds(114));
        assert!(breaker.admit(seconds(114)).is_err(), "one probe at a time");
        let after = breaker.ended(probe, Outcome::Answered, seconds(115));
        assert!(matches!(after, After::Changed(Change::Resumed)), "{after:?}");
        quiet(&mut breaker, fault, seconds(115));
    }
}

#[test]
fn int_05_what_is_long_ago_or_about_a_token_does_not_count() {
    let mut breaker = Breaker::default();
    for second in 0..100 {
        quiet(&mut breaker, Outcome::Fault, seconds(second * 2));
    }
    let mut breaker = Breaker::default();
    for _ in 0..1000 {
        quiet(&mut breaker, Outcome::AboutTheToken, seconds(1));
        quiet(&mut breaker, Outcome::GivenUp, seconds(1));
    }
}

#[test]
fn int_05_tokens_that_make_the_endpoint_fail_stop_nobody() {
    let mut breaker = Breaker::default();
    let mut controls = 0;
    for _ in 0..1000 {
        let ticket = admit(&mut breaker, seconds(1));
        if let After::Control(ticket) = breaker.ended(ticket, Outcome::Fault, seconds(1)) {
            controls += 1;
            assert_eq!(breaker.controlled(ticket, Outcome::Answered, seconds(1)), None);
        }
    }
    assert_eq!(controls, 100, "one in ten calls");
    assert!(breaker.admit(seconds(1)).is_ok());
}

#[test]
fn int_05_connections_that_do_not_come_about_need_no_control_question() {
    let mut breaker = Breaker::default();
    for _ in 0..5 {
        quiet(&mut breaker, Outcome::Fault, seconds(1));
    }
    for number in 0..5 {
        let ticket = admit(&mut breaker, seconds(1));
        let after = breaker.ended(ticket, Outcome::Unconnected, seconds(1));
        match number {
            4 => assert!(matches!(after, After::Changed(Change::Stopped(Stop::Faults))), "{after:?}"),
            _ => assert!(matches!(after, After::Nothing), "{after:?}"),
        }
    }
    // No token can have caused those.
    let probe = admit(&mut breaker, seconds(6));
    assert!(matches!(breaker.ended(probe, Outcome::Unconnected, seconds(6)), After::Nothing));
    assert!(breaker.admit(seconds(10)).is_err());
}

#[test]
fn int_05_a_probe_that_fails_by_its_token_does_not_keep_calls_stopped() {
    for outcome in [Outcome::AboutTheToken, Outcome::CredentialsRefused, Outcome::Fault] {
        for (control, resumed) in [
            (Outcome::Answered, true),
            (Outcome::AboutTheToken, true),
            (Outcome::Fault, false),
            (Outcome::CredentialsRefused, false),
        ] {
            let mut breaker = Breaker::default();
            for _ in 0..9 {
                quiet(&mut breaker, Outcome::Unconnected, seconds(0));
            }
            call(&mut breaker, Outcome::Unconnected, Outcome::GivenUp, seconds(0));
            call(&mut breaker, outcome, control, seconds(5));
            assert_eq!(breaker.admit(seconds(6)).is_ok(), resumed, "{outcome:?} {control:?}");
        }
    }
}

#[test]
fn int_06_refused_credentials_stop_calls_for_five_seconds_doubling_to_sixty() {
    let mut breaker = Breaker::default();
    let mut now = seconds(7);
    let refused = Outcome::CredentialsRefused;
    for pause in [5, 10, 20, 40, 60, 60] {
        let change = call(&mut breaker, refused, refused, now);
        assert_eq!(change, Some(Change::Stopped(Stop::Credentials(seconds(pause)))));
        let almost = now + seconds(pause) - Duration::from_millis(1);
        assert!(breaker.admit(almost).is_err());
        now += seconds(pause);
    }
    assert_eq!(call(&mut breaker, Outcome::Answered, refused, now), Some(Change::Resumed));
    let change = call(&mut breaker, refused, refused, now);
    assert_eq!(change, Some(Change::Stopped(Stop::Credentials(seconds(5)))), "it begins anew");
}

#[test]
fn int_06_a_token_that_is_answered_403_stops_nobody() {
    let mut breaker = Breaker::default();
    let mut controls = 0;
    for number in 0..1000 {
        let now = Duration::from_millis(number * 20);
        let ticket = admit(&mut breaker, now);
        if let After::Control(ticket) = breaker.ended(ticket, Outcome::CredentialsRefused, now) {
            controls += 1;
            assert_eq!(breaker.controlled(ticket, Outcome::Answered, now), None);
            assert!(breaker.is_vouched_for(now));
        }
    }
    assert_eq!(controls, 4, "one in five seconds");
}

#[test]
fn int_06_one_token_answered_403_and_one_control_question_that_fails_stop_nobody() {
    for control in [Outcome::Fault, Outcome::Unconnected] {
        let mut breaker = Breaker::default();
        assert_eq!(call(&mut breaker, Outcome::CredentialsRefused, control, seconds(1)), None);
        for _ in 0..100 {
            quiet(&mut breaker, Outcome::Answered, seconds(2));
        }
        assert_eq!(call(&mut breaker, Outcome::CredentialsRefused, control, seconds(3)), None);
        assert!(breaker.admit(seconds(3)).is_ok());
    }
    // Ten of them are an endpoint in trouble.
    let mut breaker = Breaker::default();
    let changes =
        (0..10).filter_map(|_| call(&mut breaker, Outcome::CredentialsRefused, Outcome::Fault, seconds(1)));
    assert_eq!(changes.collect::<Vec<_>>(), [Change::Stopped(Stop::Faults)]);
}

#[test]
fn int_06_calls_that_run_meanwhile_are_one_step() {
    let mut breaker = Breaker::default();
    let calls: Vec<_> = (0..20).map(|_| admit(&mut breaker, seconds(1))).collect();
    let mut controls: Vec<_> = calls
        .into_iter()
        .filter_map(|call| match breaker.ended(call, Outcome::CredentialsRefused, seconds(2)) {
            After::Control(ticket) => Some(ticket),
            After::Changed(_) | After::Nothing => None,
        })
        .collect();
    assert_eq!(controls.len(), 1, "one control question at a time");
    let change = breaker.controlled(controls.remove(0), Outcome::CredentialsRefused, seconds(2));
    assert_eq!(change, Some(Change::Stopped(Stop::Credentials(seconds(5)))));
    assert!(breaker.admit(seconds(7)).is_ok());
}

#[test]
fn a_lost_probe_blocks_nobody_for_ever() {
    let mut breaker = Breaker::default();
    call(&mut breaker, Outcome::CredentialsRefused, Outcome::CredentialsRefused, seconds(0));
    let lost = admit(&mut breaker, seconds(5));
    assert!(breaker.admit(seconds(19)).is_err());
    assert!(breaker.admit(seconds(20)).is_ok());
    assert!(matches!(breaker.ended(lost, Outcome::Answered, seconds(20)), After::Nothing), "too late");
}

#[test]
fn a_lost_control_question_blocks_none_for_ever() {
    let mut breaker = Breaker::default();
    let ticket = admit(&mut breaker, seconds(0));
    let lost = breaker.ended(ticket, Outcome::CredentialsRefused, seconds(0));
    assert!(matches!(lost, After::Control(_)));
    quiet(&mut breaker, Outcome::CredentialsRefused, seconds(14));
    let ticket = admit(&mut breaker, seconds(15));
    assert!(matches!(breaker.ended(ticket, Outcome::CredentialsRefused, seconds(15)), After::Control(_)));
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::AboutTheToken),
        Just(Outcome::Answered),
        Just(Outcome::CredentialsRefused),
        Just(Outcome::Fault),
        Just(Outcome::GivenUp),
        Just(Outcome::Unconnected),
    ]
}

proptest! {
    /// Whatever happens: it stops only for a reason that a control question, or half of the connections, has shown; never for
    /// longer than a minute; and lets one probe through.
    #[test]
    fn it_stops_for_a_reason_and_never_for_ever(
        steps in prop::collection::vec((0_u64..3000, outcomes(), outcomes()), 1..200)
    ) {
        let mut breaker = Breaker::default();
        let mut now = Duration::ZERO;
        let mut calls: Vec<(u64, Outcome)> = Vec::new();
        for (pass, outcome, control) in steps {
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
            if !was_probe && matches!(outcome, Outcome::Answered | Outcome::Fault | Outcome::Unconnected) {
                calls.push((now.as_secs(), outcome));
            }
            let (asked, change) = match breaker.ended(ticket, outcome, now) {
                After::Changed(change) => (false, Some(change)),
                After::Control(ticket) => (true, breaker.controlled(ticket, control, now)),
                After::Nothing => (false, None),
            };
            // A control question that fails after a 403 is one failure among the others.
            let after_refusal = asked && !was_probe && outcome == Outcome::CredentialsRefused;
            if after_refusal && matches!(control, Outcome::Fault | Outcome::Unconnected) {
                calls.push((now.as_secs(), control));
            }
            let recent: Vec<_> = calls.iter().filter(|(at, _)| now.as_secs() - at < 10).collect();
            let count = |wanted: &[Outcome]| recent.iter().filter(|(_, outcome)| wanted.contains(outcome)).count();
            let is_half = |count: usize| recent.len() >= 10 && count * 2 >= recent.len();
            let half_failed = is_half(count(&[Outcome::Fault, Outcome::Unconnected]));
            let answers = matches!(control, Outcome::Answered | Outcome::AboutTheToken);
            match change {
                Some(Change::Stopped(Stop::Faults)) if asked => {
                    prop_assert!(matches!(control, Outcome::Fault | Outcome::Unconnected));
                    prop_assert!(!after_refusal || half_failed);
                }
                Some(Change::Stopped(Stop::Faults)) => prop_assert!(is_half(count(&[Outcome::Unconnected]))),
                Some(Change::Stopped(Stop::Credentials(_))) => {
                    prop_assert!(asked && control == Outcome::CredentialsRefused);
                }
                Some(Change::Resumed) => {
                    prop_assert!(was_probe && (asked && answers || outcome == Outcome::Answered));
                }
                None => (),
            }
            if change == Some(Change::Resumed) || (asked && answers) {
                calls.clear();
            }
        }
    }
}
