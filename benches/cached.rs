//! A token that comes again, with the cache of verified tokens: through the layer, beside what no such cache can do without,
//! SHA-256 of the token and a hit of a cache library; on two threads; and while tokens that never came before push into the cache.
//!
//! ```sh
//! cargo bench --bench cached            # a million tokens: minutes, and 5 GiB
//! cargo bench --bench cached -- --quick # up to ten thousand
//! ```
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod common;

use std::{
    fs,
    hint::black_box,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use bearergate::Algorithm;
use common::{
    Subject, bare, call,
    figures::{Bounds, Rows, is_quick, is_wanted},
    measure::{median, speed_up, take_turns},
    tokens,
};
use sha2::{Digest as _, Sha256};

/// SHA-256 and hit: one repeated token, and up to a million of them.
const ONE: f64 = 1.6;
const MANY: f64 = 2.5;

/// Of the bare service's own speed-up.
const THREADS: f64 = 0.95;

/// A hit while the cache evicts, beside one while the same tokens are verified and not kept.
const FLOOD: f64 = 1.5;

type Cache = moka::sync::Cache<[u8; 32], Arc<str>>;

fn main() -> ExitCode {
    if !is_wanted("cached") {
        return ExitCode::SUCCESS;
    }
    let mut bounds = Bounds::default();
    hits(&mut bounds);
    two_threads(&mut bounds);
    flood(&mut bounds);
    bounds.end()
}

fn hits(bounds: &mut Bounds) {
    println!("a token that comes again, in ns (the quickest tenth of rounds that take turns)");
    println!(
        "{:<24} {:>8} {:>6} {:>6} {:>8} {:>7} {:>28} {:>10} {:>15}",
        "tokens",
        "SHA-256",
        "hit",
        "check",
        "service",
        "layer",
        "(layer - service) / SHA + hit",
        "/ check",
        "octets kept each"
    );
    let mut rows = Rows::new("cached", "algorithm,tokens,sha256_ns,hit_ns,check_ns,net_ns,octets_each");
    for (algorithm, count, bound) in [
        (Algorithm::Rs256, 1, ONE),
        (Algorithm::Rs256, 100, MANY),
        (Algorithm::Rs256, 1000, MANY),
        (Algorithm::EdDsa, 10_000, MANY),
        (Algorithm::EdDsa, 100_000, MANY),
        (Algorithm::EdDsa, 1_000_000, MANY),
    ] {
        if is_quick() && count > 10_000 {
            continue;
        }
        let (subject, tokens) = subject(algorithm, count, room(count));
        let before = resident();
        let mut layered = subject.layered(bare());
        (0..count).for_each(|turn| call(&mut layered, subject.request(turn)));
        let each = (resident() - before) / count as f64;
        let cache: Cache = moka::sync::Cache::new(room(count));
        let digests: Vec<[u8; 32]> = tokens.iter().map(|token| Sha256::digest(token).into()).collect();
        digests.iter().for_each(|digest| cache.insert(*digest, "claims".into()));
        let mut service = bare();
        let [hash, hit, without, with] = take_turns(
            if is_quick() { 31 } else { 201 },
            1000,
            [
                &mut |turn| digest(&tokens[turn % count]),
                &mut |turn| {
                    black_box(cache.get(black_box(&digests[turn % count])));
                },
                &mut |turn| call(&mut service, subject.request(turn)),
                &mut |turn| call(&mut layered, subject.request(turn)),
            ],
        );
        let [check] = take_turns(11, 1000, [&mut |turn| subject.raw(turn)]);
        let (net, control) = (with - without, hash + hit);
        let name = format!("{count} of {} octets", tokens[0].len());
        let kept = if count < 10_000 { "-".to_owned() } else { format!("{each:.0}") };
        println!(
            "{name:<24} {hash:>8.0} {hit:>6.0} {check:>6.0} {without:>8.0} {with:>7.0} {:>13.2} {:<14} {:>10.3} {kept:>15}",
            net / control,
            bounds.at_most(net / control, bound),
            net / check,
        );
        rows.add(format_args!("{algorithm},{count},{hash:.0},{hit:.0},{check:.0},{net:.0},{kept}"));
    }
    rows.keep();
}

/// What two threads do in the time of one.
fn two_threads(bounds: &mut Bounds) {
    println!("\ntwo threads, each with tokens of its own: speed-up over one thread");
    println!(
        "{:<20} {:>8} {:>8} {:>8} {:>8} {:>16}",
        "tokens", "SHA-256", "hit", "service", "layer", "layer / service"
    );
    let (subject, tokens) = subject(Algorithm::EdDsa, 1000, 10_000);
    let subject: &'static Subject = Box::leak(Box::new(subject));
    let tokens: &'static [String] = Vec::leak(tokens);
    let cache: Cache = moka::sync::Cache::new(10_000);
    let digests: Vec<[u8; 32]> = tokens.iter().map(|token| Sha256::digest(token).into()).collect();
    let digests: &'static [[u8; 32]] = Vec::leak(digests);
    digests.iter().for_each(|digest| cache.insert(*digest, "claims".into()));
    let mut layered = subject.layered(bare());
    (0..1000).for_each(|turn| call(&mut layered, subject.request(turn)));
    let place = |thread: usize, turn: usize| thread * 500 + turn % 500;
    let [hash, hit, service, layer] = speed_up(
        if is_quick() { 7 } else { 31 },
        20_000,
        [
            &|thread| Box::new(move |turn| digest(&tokens[place(thread, turn)])),
            &|thread| {
                let cache = cache.clone();
                Box::new(move |turn| {
                    black_box(cache.get(black_box(&digests[place(thread, turn)])));
                })
            },
            &|thread| {
                let mut service = bare();
                Box::new(move |turn| call(&mut service, subject.request(place(thread, turn))))
            },
            &|thread| {
                let mut layered = subject.layered(bare());
                Box::new(move |turn| call(&mut layered, subject.request(place(thread, turn))))
            },
        ],
    );
    let ratio = layer / service;
    println!(
        "{:<20} {hash:>8.2} {hit:>8.2} {service:>8.2} {layer:>8.2} {ratio:>8.2} {}",
        "1000, remembered",
        bounds.at_least(ratio, THREADS)
    );
    let mut rows = Rows::new("cached_threads", "sha256,hit,service,layer");
    rows.add(format_args!("{hash:.3},{hit:.3},{service:.3},{layer:.3}"));
    rows.keep();
}

/// A thousand tokens that come again and again, in a cache that is full, while another thread brings tokens that never came before.
/// Beside it the same other thread with a server that keeps nothing: both threads want the processor's caches.
fn flood(bounds: &mut Bounds) {
    const HOT: usize = 1000;
    const ROOM: u64 = 10_000;
    let many = if is_quick() { 20_000 } else { 100_000 };
    let (cached, tokens) = subject(Algorithm::EdDsa, many, ROOM);
    let uncached = Subject::new(Algorithm::EdDsa, cached.jwks(), &tokens);
    let mut layered = cached.layered(bare());
    for _ in 0..3 {
        (0..HOT).for_each(|turn| call(&mut layered, cached.request(turn)));
    }
    let mut blocks = [const { Vec::new() }; 2];
    let brought = [const { AtomicU64::new(0) }; 2];
    for _ in 0..if is_quick() { 3 } else { 15 } {
        for (place, flooded) in [&uncached, &cached].into_iter().enumerate() {
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut layered = flooded.layered(bare());
                    while !over.load(Ordering::Relaxed) {
                        let turn = brought[place].fetch_add(1, Ordering::Relaxed) as usize;
                        call(&mut layered, flooded.request(HOT + turn % (many - HOT)));
                    }
                });
                for _ in 0..100 {
                    let start = Instant::now();
                    (0..HOT).for_each(|turn| call(&mut layered, cached.request(turn)));
                    blocks[place].push(start.elapsed().as_secs_f64() * 1e9 / HOT as f64);
                }
                over.store(true, Ordering::Relaxed);
            });
        }
    }
    let [quiet, flooded] = blocks.map(median);
    let ratio = flooded / quiet;
    println!(
        "\na hit while new tokens are verified beside it: {quiet:.0} ns where they are not kept, {flooded:.0} ns where they push into the full cache ({} of them): {ratio:.2} {}",
        brought[1].load(Ordering::Relaxed),
        bounds.at_most(ratio, FLOOD)
    );
    let mut rows = Rows::new("cached_flood", "not_kept_ns,kept_ns");
    rows.add(format_args!("{quiet:.0},{flooded:.0}"));
    rows.keep();
}

fn room(count: usize) -> u64 {
    (count as u64 * 2).max(10_000)
}

fn subject(algorithm: Algorithm, count: usize, room: u64) -> (Subject, Vec<String>) {
    let (jwks, tokens) = tokens(algorithm, count);
    (Subject::by(algorithm, &jwks, &tokens, |builder| builder.with_token_cache(room)), tokens)
}

fn digest(token: &str) {
    let digest: [u8; 32] = Sha256::digest(black_box(token)).into();
    black_box(digest);
}

/// The memory that the process holds, in octets.
fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4096.0
}
