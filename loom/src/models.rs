//! Small scenes of two or three threads, each run under every order of their steps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use loom::{future::block_on, sync::atomic::AtomicBool, thread};

use crate::keys::{
    refresh::{Drive, Limits, Refresh, Sequence},
    shell::{Charge, Need, Outcome, Shell, Wanted},
};

/// Keys are numbers here, and what is noted is how many fetches ended.
type Keys = Shell<u64, usize>;

const NOW: Duration = Duration::from_secs(1000);

pub(crate) fn explore_all() {
    explore("one fetch answers all who wait", one_fetch_answers_all);
    explore("a dropped wait harms nobody", a_dropped_wait_harms_nobody);
    explore("a driver that dies answers all who wait", a_dying_driver_answers_all);
    explore("a closed shell answers all who wait", closing_answers_all);
    explore("keys never grow older under a reader", keys_never_grow_older);
    explore("a driver that was replaced changes nothing", a_late_driver_changes_nothing);
    explore("two requests start one driver", two_requests_start_one_driver);
}

fn explore(name: &str, scene: fn()) {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    RUNS.store(0, Ordering::Relaxed);
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    // Orders with more than this many involuntary switches are left out, where it is set.
    builder.preemption_bound = Some(3);
    builder.check(move || {
        RUNS.fetch_add(1, Ordering::Relaxed);
        scene();
    });
    println!("{name}: {} orders, at most 3 preemptions each", RUNS.load(Ordering::Relaxed));
}

fn shell() -> Arc<Keys> {
    Arc::new(Shell::new(Refresh::new(Limits::default(), NOW), 0))
}

/// A shell whose first keys, number 1, are adopted by the driver of this number.
fn warm() -> (Arc<Keys>, u64) {
    let shell = shell();
    let Charge::Begin(epoch) = shell.charge(NOW, true) else { panic!("nobody drives yet") };
    let Some(Drive::Fetch(sequence)) = shell.step(epoch, NOW) else { panic!("the first fetch is due") };
    succeed(&shell, sequence);
    (shell, epoch)
}

fn succeed(shell: &Keys, sequence: Sequence) -> bool {
    let outcome = Outcome::Keys { keys: sequence, lifetime: None };
    shell.finish(NOW, 0.5, sequence, outcome, |ended| *ended += 1).is_some()
}

/// A driver that answers each fetch, until it is no longer in charge or has done so many.
fn drive(shell: &Keys, epoch: u64, fetches: usize) {
    let mut done = 0;
    while done < fetches {
        match shell.step(epoch, NOW) {
            Some(Drive::Fetch(sequence)) => {
                succeed(shell, sequence);
                done += 1;
            }
            Some(Drive::Sleep(_)) => {
                block_on(std::future::poll_fn(|context| shell.poll_news(epoch, context)))
            }
            None => return,
        }
    }
}

/// A request with a key that nobody knows, from its question to its verdict. `seen`: the keys that it looked at.
fn request(shell: &Arc<Keys>, seen: Sequence) {
    match shell.demand(Need::Key, NOW, |refresh, now| refresh.key_missing(now, seen)) {
        Wanted::Wait(attempt) => {
            shell.signal();
            block_on(attempt);
        }
        Wanted::JudgeAgain | Wanted::Final | Wanted::Outage { .. } => (),
        Wanted::TooMany => panic!("two are not too many"),
    }
}

fn one_fetch_answers_all() {
    let (shell, epoch) = warm();
    let driver = thread::spawn({
        let shell = Arc::clone(&shell);
        move || drive(&shell, epoch, 1)
    });
    let other = thread::spawn({
        let shell = Arc::clone(&shell);
        move || request(&shell, 1)
    });
    request(&shell, 1);
    other.join().unwrap();
    driver.join().unwrap();
    // The bucket holds one: however they meet, tokens have caused one fetch beside the first.
    assert_eq!(shell.look(|refresh, ended| (refresh.in_flight(), *ended)), (None, 2));
}

fn a_dropped_wait_harms_nobody() {
    let (shell, epoch) = warm();
    let driver = thread::spawn({
        let shell = Arc::clone(&shell);
        move || drive(&shell, epoch, 1)
    });
    let gone = thread::spawn({
        let shell = Arc::clone(&shell);
        move || {
            let wanted = shell.demand(Need::Key, NOW, |refresh, now| refresh.key_missing(now, 1));
            shell.signal();
            // Polled once or never, then dropped.
            drop(wanted);
        }
    });
    request(&shell, 1);
    gone.join().unwrap();
    driver.join().unwrap();
    assert_eq!(shell.look(|_, ended| *ended), 2);
}

fn a_dying_driver_answers_all() {
    let shell = shell();
    let Charge::Begin(epoch) = shell.charge(NOW, true) else { panic!("nobody drives yet") };
    let driver = thread::spawn({
        let shell = Arc::clone(&shell);
        move || {
            let _step = shell.step(epoch, NOW);
            let _event = shell.driver_ended(epoch, NOW, 0.5, |ended| *ended += 1);
        }
    });
    let revived = Arc::new(AtomicBool::new(false));
    let waiting = match shell.demand(Need::Key, NOW, |refresh, now| refresh.key_missing(now, 0)) {
        Wanted::Wait(attempt) => Some(attempt),
        _ => None,
    };
    // As every request does: see to it that somebody drives.
    if let Charge::Begin(epoch) = shell.charge(NOW, true) {
        revived.store(true, Ordering::Relaxed);
        let shell = Arc::clone(&shell);
        thread::spawn(move || drive(&shell, epoch, 1));
    }
    shell.signal();
    if let Some(attempt) = waiting {
        block_on(attempt);
    }
    driver.join().unwrap();
    // Nobody to carry out what a dead driver left: either it ended as failed, or a successor took it on.
    if !revived.load(Ordering::Relaxed) {
        assert_eq!(shell.look(|refresh, _| refresh.in_flight()), None);
    }
    shell.close();
}

fn closing_answers_all() {
    let (shell, epoch) = warm();
    let driver = thread::spawn({
        let shell = Arc::clone(&shell);
        move || {
            drive(&shell, epoch, usize::MAX);
            let _event = shell.driver_ended(epoch, NOW, 0.5, |ended| *ended += 1);
        }
    });
    let closer = thread::spawn({
        let shell = Arc::clone(&shell);
        move || shell.close()
    });
    request(&shell, 1);
    closer.join().unwrap();
    driver.join().unwrap();
    assert!(!shell.is_driven());
    assert_eq!(shell.look(|refresh, _| refresh.in_flight()), None);
}

fn keys_never_grow_older() {
    let (shell, epoch) = warm();
    let driver = thread::spawn({
        let shell = Arc::clone(&shell);
        move || drive(&shell, epoch, 1)
    });
    let reader = thread::spawn({
        let shell = Arc::clone(&shell);
        move || {
            let read = || shell.in_force().load().as_ref().map_or(0, |in_force| in_force.sequence);
            let (first, second) = (read(), read());
            assert!(first >= 1 && second >= first);
        }
    });
    request(&shell, 1);
    // Whoever waited for a fetch finds what it brought.
    let held = shell.in_force().load().as_ref().map_or(0, |in_force| in_force.keys);
    assert_eq!(held, 2);
    reader.join().unwrap();
    driver.join().unwrap();
}

fn a_late_driver_changes_nothing() {
    let shell = shell();
    let Charge::Begin(first) = shell.charge(NOW, true) else { panic!("nobody drives yet") };
    let Some(Drive::Fetch(sequence)) = shell.step(first, NOW) else { panic!("the first fetch is due") };
    // It stands still for longer than any fetch takes.
    let later = NOW + Duration::from_secs(60);
    let successor = thread::spawn({
        let shell = Arc::clone(&shell);
        move || {
            let Charge::Begin(second) = shell.charge(later, true) else { return };
            while let Some(step) = shell.step(second, later) {
                let Drive::Fetch(again) = step else { break };
                let outcome = Outcome::Keys { keys: again + 100, lifetime: None };
                let _event = shell.finish(later, 0.5, again, outcome, |ended| *ended += 1);
            }
        }
    });
    // The late one looks before it answers, as `while_in_charge` does; and it dies afterwards.
    if shell.is_in_charge(first) {
        succeed(&shell, sequence);
    }
    let _event = shell.driver_ended(first, later, 0.5, |_| ());
    successor.join().unwrap();
    assert_eq!(shell.look(|refresh, _| refresh.in_flight()), None);
    assert!(shell.in_force().load().is_some());
}

fn two_requests_start_one_driver() {
    let shell = shell();
    let begin = |shell: &Keys| matches!(shell.charge(NOW, true), Charge::Begin(_));
    let other = thread::spawn({
        let shell = Arc::clone(&shell);
        move || begin(&shell)
    });
    let mine = begin(&shell);
    assert!(mine ^ other.join().unwrap(), "one of the two drives");
}
