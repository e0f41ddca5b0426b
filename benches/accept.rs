//! The accept path: a request through the layer beside the bare signature check of the same token, in the same run; and what is
//! left beside the signature, beside what no service can do without: base64 of the payload, and serde_json into its claims.
//!
//! ```sh
//! cargo bench --bench accept
//! ```
//!
//! Criterion prints each time, unless `--strict` or `--quick` is given; the table at the end holds the ratios, from rounds that take turns, so that a noisy
//! machine disturbs all columns alike.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]

mod common;

use std::process::ExitCode;

use bearergate::Algorithm;
use common::{
    ALGORITHMS, Subject, bare, call,
    figures::{Bounds, Rows, is_quick},
    measure::take_turns,
    tokens,
};
use criterion::Criterion;

/// Distinct tokens, used in turn.
const TOKENS: usize = 1024;

/// What the layer may take beside the signature: so many times the parsing of payload and claims.
const PARSINGS: f64 = 2.6;

fn main() -> ExitCode {
    let subjects = ALGORITHMS.map(|algorithm| {
        let (jwks, tokens) = tokens(algorithm, TOKENS);
        println!("{algorithm}: tokens of {} octets", tokens[0].len());
        Subject::new(algorithm, &jwks, &tokens)
    });
    if !is_quick() && !std::env::args().any(|argument| argument == "--strict") {
        by_criterion(&subjects);
    }

    println!(
        "\nan accepted request, in ns (the quickest tenth of rounds that take turns), and in instructions: `scripts/instructions`"
    );
    println!(
        "{:<10} {:>8} {:>8} {:>8} {:>8} {:>26} {:>16}",
        "algorithm", "check", "parsing", "service", "layer", "(layer - service) / check", "rest / parsing"
    );
    let (mut bounds, mut rows) =
        (Bounds::default(), Rows::new("accept", "algorithm,check_ns,parsing_ns,service_ns,layer_ns"));
    for subject in &subjects {
        let (mut service, mut layered) = (bare(), subject.layered(bare()));
        let [check, parsing, without, with] = take_turns(
            if is_quick() { 11 } else { 201 },
            200,
            [
                &mut |turn| subject.raw(turn),
                &mut |turn| subject.parse(turn),
                &mut |turn| call(&mut service, subject.request(turn)),
                &mut |turn| call(&mut layered, subject.request(turn)),
            ],
        );
        let net = with - without;
        let rest = (net - check) / parsing;
        println!(
            "{:<10} {check:>8.0} {parsing:>8.0} {without:>8.0} {with:>8.0} {:>26.3} {rest:>16.2} {}",
            subject.algorithm.name(),
            net / check,
            // Beside the other checks it is lost in noise: instructions judge it there.
            if subject.algorithm == Algorithm::Rs256 {
                bounds.at_most(rest, PARSINGS)
            } else {
                String::new()
            }
        );
        rows.add(format_args!("{},{check:.0},{parsing:.0},{without:.0},{with:.0}", subject.algorithm.name()));
    }
    rows.keep();
    bounds.end()
}

fn by_criterion(subjects: &[Subject]) {
    let mut criterion = Criterion::default().configure_from_args();
    for subject in subjects {
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
}
