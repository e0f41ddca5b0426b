//! The accept path: a request through the layer beside the bare signature check of the same token, in the same run.
//!
//! ```sh
//! cargo bench --bench accept
//! ```
//!
//! Criterion prints each time; the table at the end holds the ratios, from rounds that take turns, so that a noisy
//! machine disturbs all columns alike.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a bench fails by panicking")]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod common;

use std::time::Instant;

use common::{ALGORITHMS, Subject, bare, call, tokens};
use criterion::Criterion;

/// Distinct tokens, used in turn.
const TOKENS: usize = 1024;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let subjects = ALGORITHMS.map(|algorithm| {
        let (jwks, tokens) = tokens(algorithm, TOKENS);
        println!("{algorithm}: tokens of {} octets", tokens[0].len());
        Subject::new(algorithm, &jwks, &tokens)
    });
    for subject in &subjects {
        let mut group = criterion.benchmark_group(subject.algorithm.name());
        let mut turn = 0;
        group.bench_function("verify_sig", |bencher| {
            bencher.iter(|| {
                turn += 1;
                subject.raw(turn);
            });
        });
        let mut service = bare();
        group.bench_function("bare service", |bencher| {
            bencher.iter(|| {
                turn += 1;
                call(&mut service, subject.request(turn));
            });
        });
        let mut service = subject.layered(bare());
        group.bench_function("layer", |bencher| {
            bencher.iter(|| {
                turn += 1;
                call(&mut service, subject.request(turn));
            });
        });
        group.finish();
    }
    criterion.final_summary();

    println!(
        "\nratio to `ParsedPublicKey::verify_sig` of the same token (medians of rounds that take turns)"
    );
    println!("{:<10} {:>12} {:>18}", "algorithm", "layer", "layer - service");
    for subject in &subjects {
        let (raw, without, with) = take_turns(subject);
        println!("{:<10} {:>12.3} {:>18.3}", subject.algorithm.name(), with / raw, (with - without) / raw);
    }
}

/// Median times of a raw check, of the bare service, and of the layer, in nanoseconds.
fn take_turns(subject: &Subject) -> (f64, f64, f64) {
    const ROUNDS: usize = 101;
    const CALLS: usize = 200;
    let (mut bare_service, mut layered) = (bare(), subject.layered(bare()));
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let mut time = |place: usize, work: &mut dyn FnMut(usize)| {
            let start = Instant::now();
            (0..CALLS).for_each(work);
            samples[place].push(start.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
        };
        time(0, &mut |turn| subject.raw(turn));
        time(1, &mut |turn| call(&mut bare_service, subject.request(turn)));
        time(2, &mut |turn| call(&mut layered, subject.request(turn)));
    }
    let [raw, without, with] = samples.map(|mut sample| {
        sample.sort_by(f64::total_cmp);
        sample[ROUNDS / 2]
    });
    (raw, without, with)
}
