//! How long does a request take, and what does it allocate? In rounds that take turns, so that noise meets all alike.

use std::{
    sync::Barrier,
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::runtime::{Builder, Runtime};

use crate::subject::Subject;

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) tokens: usize,
    pub(crate) rounds: usize,
    /// What one batch of calls should take: less than a slice of the scheduler, so that most are not interrupted.
    pub(crate) batch: Duration,
}

pub(crate) const FULL: Effort = Effort { tokens: 10_000, rounds: 251, batch: Duration::from_millis(2) };
pub(crate) const QUICK: Effort = Effort { tokens: 200, rounds: 5, batch: Duration::from_millis(2) };

/// Which tokens come, in how many threads.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Scene {
    /// One token again and again, or all of them in turn.
    pub(crate) same: bool,
    pub(crate) threads: usize,
}

pub(crate) const SCENES: [Scene; 4] = [
    Scene { same: false, threads: 1 },
    Scene { same: false, threads: 2 },
    Scene { same: true, threads: 1 },
    Scene { same: true, threads: 2 },
];

/// Nanoseconds per request, one for each round: `[scene][subject][round]`.
pub(crate) type Times = [Vec<Vec<f64>>; SCENES.len()];

pub(crate) fn times(subjects: &mut [Box<dyn Subject>], fields: &[HeaderValue], effort: Effort) -> Times {
    let runtime = runtime();
    // Caches are filled by this, and batches get their size.
    let calls: Vec<usize> = subjects
        .iter_mut()
        .map(|subject| {
            one_thread(&runtime, subject.as_mut(), fields, 0, fields.len());
            let single = one_thread(&runtime, subject.as_mut(), fields, 0, fields.len().min(500));
            ((effort.batch.as_nanos() as f64 / single) as usize).clamp(10, 10_000)
        })
        .collect();
    let mut times = SCENES.map(|_| vec![Vec::with_capacity(effort.rounds); subjects.len()]);
    for round in 0..effort.rounds {
        for (scene, times) in SCENES.iter().zip(&mut times) {
            let fields = if scene.same { &fields[..1] } else { fields };
            for place in 0..subjects.len() {
                // Not always after the same neighbour.
                let place = (place + round) % subjects.len();
                let (subject, calls) = (subjects[place].as_mut(), calls[place]);
                let start = round * calls;
                times[place].push(match scene.threads {
                    1 => one_thread(&runtime, subject, fields, start, calls),
                    _ => two_threads(subject, fields, start, calls),
                });
            }
        }
    }
    times
}

fn one_thread(
    runtime: &Runtime,
    subject: &mut dyn Subject,
    fields: &[HeaderValue],
    start: usize,
    calls: usize,
) -> f64 {
    let mut elapsed = Duration::ZERO;
    // The counter of allocations stays as much out of the way as it can.
    allocation_counter::opt_out(|| {
        let begin = Instant::now();
        runtime.block_on(subject.serve(fields, start..start + calls));
        elapsed = begin.elapsed();
    });
    elapsed.as_secs_f64() * 1e9 / calls as f64
}

/// Each thread has a clone of the service and, unless all is one token, tokens of its own.
fn two_threads(subject: &dyn Subject, fields: &[HeaderValue], start: usize, calls: usize) -> f64 {
    let barrier = Barrier::new(2);
    let longest = std::thread::scope(|scope| {
        let threads = [0, fields.len() / 2].map(|offset| {
            let (mut twin, barrier) = (subject.twin(), &barrier);
            scope.spawn(move || {
                let (runtime, start) = (runtime(), start + offset);
                let mut elapsed = Duration::ZERO;
                allocation_counter::opt_out(|| {
                    // What a thread does once is not timed.
                    runtime.block_on(twin.serve(fields, start..start + 5));
                    barrier.wait();
                    let begin = Instant::now();
                    runtime.block_on(twin.serve(fields, start..start + calls));
                    elapsed = begin.elapsed();
                });
                elapsed
            })
        });
        threads
            .map(|thread| thread.join().expect("a thread that serves"))
            .into_iter()
            .max()
            .unwrap_or_default()
    });
    longest.as_secs_f64() * 1e9 / (2 * calls) as f64
}

/// Allocations and octets per request, one pair for each of a few batches.
pub(crate) fn allocations(subject: &mut dyn Subject, fields: &[HeaderValue], same: bool) -> [Vec<f64>; 2] {
    const CALLS: usize = 100;
    let runtime = runtime();
    let fields = if same { &fields[..1] } else { fields };
    let mut figures = [Vec::new(), Vec::new()];
    for batch in 0..9 {
        let turns = batch * CALLS..(batch + 1) * CALLS;
        let counted = allocation_counter::measure(|| runtime.block_on(subject.serve(fields, turns)));
        figures[0].push(counted.count_total as f64 / CALLS as f64);
        figures[1].push(counted.bytes_total as f64 / CALLS as f64);
    }
    figures
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What is told of many rounds.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) p10: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| values[(values.len() - 1) * percent / 100];
        Self { p10: at(10), median: at(50), p90: at(90) }
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.p10 <= other.p90 && other.p10 <= self.p90
    }
}
