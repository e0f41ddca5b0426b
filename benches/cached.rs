//! A token that comes again, with the cache of verified tokens: through the layer, beside what no such cache can do without,
//! SHA-256 of the token and a hit of the cache library.
//!
//! ```sh
//! cargo bench --bench cached
//! ```
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a bench fails by panicking")]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod common;

use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    time::Instant,
};

use bearergate::Algorithm;
use common::{Subject, bare, call, tokens};
use sha2::{Digest as _, Sha256};

type Cache = moka::sync::Cache<[u8; 32], Arc<str>>;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("cached: run `cargo bench --bench cached`");
        return;
    }
    println!(
        "a token that comes again, in ns (medians of rounds that take turns); last, (layer - service) as a multiple"
    );
    println!(
        "{:<26} {:>8} {:>8} {:>8} {:>8} {:>8} {:>14} {:>8}",
        "tokens", "SHA-256", "hit", "check", "service", "layer", "SHA-256 + hit", "check"
    );
    for (algorithm, count) in [
        (Algorithm::Rs256, 1),
        (Algorithm::Rs256, 100),
        (Algorithm::Rs256, 1000),
        (Algorithm::EdDsa, 10_000),
        (Algorithm::EdDsa, 100_000),
    ] {
        measure(algorithm, count);
    }
    println!("\ntwo threads, each with tokens of its own: speed-up over one thread");
    println!("{:<26} {:>8} {:>8} {:>8} {:>8}", "tokens", "SHA-256", "hit", "service", "layer");
    two_threads();
}

fn subject(algorithm: Algorithm, count: usize) -> (Subject, Vec<String>) {
    let (jwks, tokens) = tokens(algorithm, count);
    let entries = u64::try_from(count * 2).unwrap_or(u64::MAX).max(10_000);
    (Subject::by(algorithm, &jwks, &tokens, |builder| builder.with_token_cache(entries)), tokens)
}

fn measure(algorithm: Algorithm, count: usize) {
    const ROUNDS: usize = 101;
    const CALLS: usize = 1000;
    let (subject, tokens) = subject(algorithm, count);
    let (mut service, mut layered) = (bare(), subject.layered(bare()));
    let cache: Cache = moka::sync::Cache::new(10_000.max(count as u64 * 2));
    let digests: Vec<[u8; 32]> = tokens.iter().map(|token| Sha256::digest(token).into()).collect();
    (0..count).for_each(|turn| call(&mut layered, subject.request(turn)));
    digests.iter().for_each(|digest| cache.insert(*digest, "claims".into()));
    let mut samples = [const { Vec::new() }; 5];
    for round in 0..ROUNDS {
        // Another stretch of the tokens in each round, so that they all count.
        let start_at = round * CALLS;
        let mut time = |place: usize, work: &mut dyn FnMut(usize)| {
            let start = Instant::now();
            (start_at..start_at + CALLS).for_each(work);
            samples[place].push(start.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
        };
        time(0, &mut |turn| {
            let digest: [u8; 32] = Sha256::digest(black_box(&tokens[turn % count])).into();
            black_box(digest);
        });
        time(1, &mut |turn| {
            black_box(cache.get(black_box(&digests[turn % count])));
        });
        if round < 11 {
            time(2, &mut |turn| subject.raw(turn));
        }
        time(3, &mut |turn| call(&mut service, subject.request(turn)));
        time(4, &mut |turn| call(&mut layered, subject.request(turn)));
    }
    let [hash, hit, raw, without, with] = samples.map(|mut sample| {
        sample.sort_by(f64::total_cmp);
        sample[sample.len() / 2]
    });
    let name = format!("{count} of {} octets", tokens[0].len());
    println!(
        "{name:<26} {hash:>8.0} {hit:>8.0} {raw:>8.0} {without:>8.0} {with:>8.0} {:>14.2} {:>8.3}",
        (with - without) / (hash + hit),
        (with - without) / raw
    );
}

/// What two threads do in the time of one, by medians of rounds that take turns.
fn two_threads() {
    const ROUNDS: usize = 31;
    const CALLS: usize = 20_000;
    let (subject, tokens) = subject(Algorithm::EdDsa, 1000);
    let cache: Cache = moka::sync::Cache::new(10_000);
    let digests: Vec<[u8; 32]> = tokens.iter().map(|token| Sha256::digest(token).into()).collect();
    digests.iter().for_each(|digest| cache.insert(*digest, "claims".into()));
    let mut layered = subject.layered(bare());
    (0..1000).for_each(|turn| call(&mut layered, subject.request(turn)));
    let time = |threads: usize, what: usize| {
        let barrier = Barrier::new(threads);
        let longest = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    let (subject, barrier, tokens) = (&subject, &barrier, &tokens);
                    let (cache, digests) = (&cache, &digests);
                    scope.spawn(move || {
                        let (mut service, mut layered) = (bare(), subject.layered(bare()));
                        barrier.wait();
                        let start = Instant::now();
                        for turn in 0..CALLS {
                            let turn = thread * 500 + turn % 500;
                            match what {
                                0 => {
                                    let digest: [u8; 32] = Sha256::digest(black_box(&tokens[turn])).into();
                                    black_box(digest);
                                }
                                1 => {
                                    black_box(cache.get(black_box(&digests[turn])));
                                }
                                2 => call(&mut service, subject.request(turn)),
                                _ => call(&mut layered, subject.request(turn)),
                            }
                        }
                        start.elapsed().as_secs_f64()
                    })
                })
                .collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).fold(0.0, f64::max)
        });
        threads as f64 / longest
    };
    let mut ratios = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (what, ratios) in ratios.iter_mut().enumerate() {
            ratios.push(time(2, what) / time(1, what));
        }
    }
    let [hash, hit, service, layer] = ratios.map(|mut ratio: Vec<f64>| {
        ratio.sort_by(f64::total_cmp);
        ratio[ROUNDS / 2]
    });
    println!("{:<26} {hash:>8.2} {hit:>8.2} {service:>8.2} {layer:>8.2}", "1000, remembered");
}
