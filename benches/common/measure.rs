//! How long does it take, beside something else that is measured in the same minutes?

use std::{sync::Barrier, time::Instant};

/// The time of each way, in nanoseconds per call: that of the quickest tenth of rounds. Rounds take turns, so that a noisy machine
/// disturbs all ways; but not all alike: where another takes half of the processor's caches, a signature check loses less than
/// what allocates. So the rounds count that were disturbed least. Each goes on where the one before it stopped, so that all tokens
/// count.
pub fn take_turns<const N: usize>(
    rounds: usize,
    calls: usize,
    mut ways: [&mut dyn FnMut(usize); N],
) -> [f64; N] {
    let mut samples = [const { Vec::new() }; N];
    for round in 0..rounds {
        let first = round * calls;
        for (way, samples) in ways.iter_mut().zip(&mut samples) {
            let start = Instant::now();
            (first..first + calls).for_each(&mut *way);
            samples.push(start.elapsed().as_secs_f64() * 1e9 / calls as f64);
        }
    }
    samples.map(|sample| quantile(sample, 0.1))
}

/// Makes, in the thread of that number, what is then called there.
pub type Way<'a> = &'a (dyn Fn(usize) -> Box<dyn FnMut(usize)> + Sync);

/// What two threads do in the time of one, for each way, by medians of rounds that take turns.
pub fn speed_up<const N: usize>(rounds: usize, calls: usize, ways: [Way<'_>; N]) -> [f64; N] {
    let time = |threads: usize, way: Way<'_>| {
        let barrier = Barrier::new(threads);
        let longest = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let mut work = way(thread);
                        barrier.wait();
                        let start = Instant::now();
                        (0..calls).for_each(&mut work);
                        start.elapsed().as_secs_f64()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).fold(0.0, f64::max)
        });
        threads as f64 / longest
    };
    let mut samples = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (way, samples) in ways.iter().zip(&mut samples) {
            samples.push(time(2, way) / time(1, way));
        }
    }
    samples.map(median)
}

pub fn median(sample: Vec<f64>) -> f64 {
    quantile(sample, 0.5)
}

fn quantile(mut sample: Vec<f64>, part: f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    sample[(sample.len() as f64 * part) as usize]
}
