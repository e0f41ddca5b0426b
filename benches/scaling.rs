//! What the cost of an accepted request turns on, and what it does not: threads, keys in the set, trusted issuers, and the length
//! of the token.
//!
//! ```sh
//! cargo bench --bench scaling
//! ```
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]

mod common;

use std::{fmt::Write as _, process::ExitCode};

use bearergate::{Algorithm, Issuer, testing::TestIssuer};
use common::{
    ALGORITHMS, ISSUER, RESOURCE, Subject, bare, call,
    figures::{Bounds, Rows, is_quick, is_wanted},
    measure::{speed_up, take_turns},
    tokens,
};
use serde_json::{Value, json};

/// Of the speed-up of the bare check.
const THREADS: f64 = 0.97;

/// What a set, or a list of issuers, that is larger by any factor may add: what processor caches miss.
const FLAT: f64 = 1.1;

/// What a token twice as long may cost more, beside its signature.
const LINEAR: f64 = 2.2;

fn main() -> ExitCode {
    if !is_wanted("scaling") {
        return ExitCode::SUCCESS;
    }
    let mut bounds = Bounds::default();
    threads(&mut bounds);
    keys(&mut bounds);
    issuers(&mut bounds);
    length(&mut bounds);
    bounds.end()
}

fn rounds(many: usize) -> usize {
    if is_quick() { 5 } else { many }
}

fn threads(bounds: &mut Bounds) {
    println!("two threads, each with tokens of its own: speed-up over one thread");
    println!("{:<10} {:>8} {:>8} {:>8} {:>14}", "algorithm", "check", "service", "layer", "layer / check");
    let mut rows = Rows::new("scaling_threads", "algorithm,check,service,layer");
    for algorithm in ALGORITHMS {
        let (jwks, tokens) = tokens(algorithm, 512);
        let subject: &'static Subject = Box::leak(Box::new(Subject::new(algorithm, &jwks, &tokens)));
        let [check, service, layer] = speed_up(
            rounds(31),
            2000,
            [
                &|thread| Box::new(move |turn| subject.raw(thread * 256 + turn % 256)),
                &|thread| {
                    let mut service = bare();
                    Box::new(move |turn| call(&mut service, subject.request(thread * 256 + turn % 256)))
                },
                &|thread| {
                    let mut layered = subject.layered(bare());
                    Box::new(move |turn| call(&mut layered, subject.request(thread * 256 + turn % 256)))
                },
            ],
        );
        let ratio = layer / check;
        println!(
            "{:<10} {check:>8.2} {service:>8.2} {layer:>8.2} {ratio:>14.2} {}",
            algorithm.name(),
            bounds.at_least(ratio, THREADS)
        );
        rows.add(format_args!("{},{check:.3},{service:.3},{layer:.3}", algorithm.name()));
    }
    rows.keep();
}

fn keys(bounds: &mut Bounds) {
    let (own, tokens) = tokens(Algorithm::EdDsa, 256);
    let key_of = |jwks: &str| serde_json::from_str::<Value>(jwks).unwrap()["keys"][0].clone();
    let own = key_of(&own);
    let strangers = (1..256).map(|number| {
        let stranger = TestIssuer::builder().algorithms([Algorithm::EdDsa]).offline(ISSUER);
        let mut key = key_of(&stranger.jwks());
        key["kid"] = format!("stranger-{number}").into();
        key
    });
    let strangers: Vec<Value> = strangers.collect();
    let counts = [1, 4, 16, 64, 256];
    let subjects = counts.map(|count| {
        let mut keys = strangers[..count - 1].to_vec();
        keys.insert(count / 2, own.clone());
        Subject::new(Algorithm::EdDsa, &json!({ "keys": keys }).to_string(), &tokens)
    });
    flat("keys in the set", "scaling_keys", &counts, &subjects, bounds);
}

fn issuers(bounds: &mut Bounds) {
    let (jwks, tokens) = tokens(Algorithm::EdDsa, 256);
    let counts = [1, 10, 100, 1000, 10_000];
    let subjects = counts.map(|count| {
        Subject::by(Algorithm::EdDsa, &jwks, &tokens, |builder| {
            (1..count).fold(builder, |builder, number| {
                builder.trust(Issuer::jwks(format!("https://login.example.com/realms/{number}"), &jwks))
            })
        })
    });
    flat("trusted issuers", "scaling_issuers", &counts, &subjects, bounds);
}

/// A table of subjects that should all cost the same.
fn flat(of: &str, file: &'static str, counts: &[usize; 5], subjects: &[Subject; 5], bounds: &mut Bounds) {
    let mut layered = subjects.each_ref().map(|subject| subject.layered(bare()));
    let mut service = bare();
    let [one, two, three, four, five] = &mut layered;
    let of_one = &subjects[0];
    let [check, without, ways @ ..] = take_turns(
        rounds(101),
        256,
        [
            &mut |turn| of_one.raw(turn),
            &mut |turn| call(&mut service, of_one.request(turn)),
            &mut |turn| call(one, subjects[0].request(turn)),
            &mut |turn| call(two, subjects[1].request(turn)),
            &mut |turn| call(three, subjects[2].request(turn)),
            &mut |turn| call(four, subjects[3].request(turn)),
            &mut |turn| call(five, subjects[4].request(turn)),
        ],
    );
    println!(
        "\n{:<16} {:>8} {:>8} {:>8} {:>18}",
        of, "check", "service", "layer", "layer - service, of the first"
    );
    let mut rows = Rows::new(file, "count,check_ns,net_ns");
    for (count, with) in counts.iter().zip(ways) {
        let ratio = (with - without) / (ways[0] - without);
        println!(
            "{count:<16} {check:>8.0} {without:>8.0} {with:>8.0} {ratio:>18.3} {}",
            bounds.at_most(ratio, FLAT)
        );
        rows.add(format_args!("{count},{check:.0},{:.0}", with - without));
    }
    rows.keep();
}

fn length(bounds: &mut Bounds) {
    println!(
        "\n{:<18} {:>8} {:>8} {:>8} {:>8} {:>30}",
        "octets", "check", "service", "layer", "rest", "rest, of half the length"
    );
    let mut rows = Rows::new("scaling_length", "algorithm,octets,check_ns,net_ns");
    for algorithm in [Algorithm::Rs256, Algorithm::EdDsa] {
        let issuer = TestIssuer::builder().algorithms([algorithm]).default_audience(RESOURCE).offline(ISSUER);
        let mint = |filling: usize| {
            let mut roles = String::new();
            for number in 0..filling / 16 {
                writeln!(roles, "department-{number:04}").unwrap();
            }
            let roles: Vec<&str> = roles.lines().collect();
            let token = issuer.token().subject("00u8d9f2").client_id("web").claim("tenant", "acme");
            token.claim("roles", ["buyer"]).claim("groups", roles).mint()
        };
        let empty = mint(0).len();
        let mut before: Option<(usize, f64)> = None;
        for target in [512, 1024, 2048, 4096, 8192, 16_000] {
            if target < empty {
                continue;
            }
            let token = mint((target - empty) * 3 / 4 * 16 / 18);
            let subject = Subject::new(algorithm, &issuer.jwks(), std::slice::from_ref(&token));
            let (mut service, mut layered) = (bare(), subject.layered(bare()));
            let [check, without, with] = take_turns(
                rounds(101),
                100,
                [
                    &mut |turn| subject.raw(turn),
                    &mut |turn| call(&mut service, subject.request(turn)),
                    &mut |turn| call(&mut layered, subject.request(turn)),
                ],
            );
            let rest = with - without - check;
            let name = format!("{}, {algorithm}", token.len());
            print!("{name:<18} {check:>8.0} {without:>8.0} {with:>8.0} {rest:>8.0} ");
            match before {
                Some((length, cost)) => {
                    // For a step that is no doubling, as if it were one.
                    let doublings = (token.len() as f64 / length as f64).log2();
                    let ratio = (rest / cost).powf(1.0 / doublings);
                    println!("{ratio:>30.2} {}", bounds.at_most(ratio, LINEAR));
                }
                None => println!("{:>30}", "-"),
            }
            before = Some((token.len(), rest));
            rows.add(format_args!("{algorithm},{},{check:.0},{:.0}", token.len(), with - without));
        }
    }
    rows.keep();
}
