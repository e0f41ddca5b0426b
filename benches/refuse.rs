//! Refusals beside the bare signature check of an RS256 token, in the same run: none of them may cost more than a part of it, or
//! ask the network.
//!
//! ```sh
//! cargo bench --bench refuse
//! ```
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]

mod common;

use std::process::ExitCode;

use bearergate::{Algorithm, Clock as _, SystemClock};
use common::{
    Subject, bare, call,
    figures::{Bounds, Rows, is_quick, is_wanted},
    measure::take_turns,
    refusals::refusals,
    tokens,
};

const BOUND: f64 = 0.15;

fn main() -> ExitCode {
    if !is_wanted("refuse") {
        return ExitCode::SUCCESS;
    }
    let rounds = if is_quick() { 11 } else { 101 };
    let (jwks, tokens) = tokens(Algorithm::Rs256, 1);
    let subject = Subject::new(Algorithm::Rs256, &jwks, &tokens);
    let mut service = bare();
    let (mut bounds, mut rows) = (Bounds::default(), Rows::new("refuse", "reason,check_ns,layer_ns,ratio"));
    println!("a refusal through the layer, in ns (the quickest tenth of rounds that take turns)");
    println!("{:<16} {:>8} {:>8} {:>8} {:>8}", "reason", "check", "service", "layer", "layer / check");
    for refused in refusals(&jwks, &tokens[0], SystemClock::default().wall()) {
        let fetches = refused.fetches();
        let [check, without, with] = take_turns(
            rounds,
            1000,
            [
                &mut |turn| subject.raw(turn),
                &mut |turn| call(&mut service, subject.request(turn)),
                &mut refused.way(),
            ],
        );
        let ratio = with / check;
        println!(
            "{:<16} {check:>8.0} {without:>8.0} {with:>8.0} {ratio:>8.3} {}",
            refused.name,
            bounds.at_most(ratio, BOUND)
        );
        assert_eq!(refused.fetches(), fetches, "{}: the network was asked", refused.name);
        rows.add(format_args!("{},{check:.0},{with:.0},{ratio:.4}", refused.name));
    }
    rows.keep();
    bounds.end()
}
