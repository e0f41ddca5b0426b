//! Does the published guarantee hold, over real sockets and in a runtime with several threads? One row per scenario.
//!
//! ```sh
//! cargo bench --bench scenarios                           # all of them, a million tokens each way
//! cargo bench --bench scenarios -- --quick                # smaller, below a minute
//! cargo bench --bench scenarios -- kids --tokens 10000000 # one of them, larger
//! ```
//!
//! It ends with 1 when a bound is broken. Latency is judged with `--strict` only: on a busy machine it says little. No
//! minute is waited for: the clock of issuer and server is moved.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a program that fails by panicking"
)]

mod client;
mod issuers;
mod kids;
mod latency;
mod outage;
mod rotation;
mod scene;
mod table;

use std::process::ExitCode;

use table::Row;

/// How large, which, and how strict.
#[derive(Clone, Debug)]
pub struct Settings {
    names: Vec<String>,
    /// Tokens with an invented `kid`.
    pub tokens: u64,
    /// Pairs of latency measurements.
    pub pairs: usize,
    pub quick: bool,
    strict: bool,
}

const NAMES: [&str; 7] = ["cold", "boot", "kids", "outage", "rotation", "latency", "issuers"];

impl Settings {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<_> = arguments.filter(|argument| argument != "--bench").collect();
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let (tokens, pairs) = if quick { (50_000, 2) } else { (1_000_000, 9) };
        let mut settings = Self { names: Vec::new(), tokens, pairs, quick, strict: false };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|number| number.replace('_', "").parse::<u64>().ok());
                number.ok_or_else(|| format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--quick" => (),
                "--strict" => settings.strict = true,
                "--tokens" => settings.tokens = number()?.max(1000),
                "--pairs" => {
                    settings.pairs = usize::try_from(number()?).map_err(|error| error.to_string())?.max(1);
                }
                name if NAMES.contains(&name) => settings.names.push(argument),
                _ => return Err(format!("{argument} is not known")),
            }
        }
        if settings.strict {
            // The median of fewer says nothing.
            settings.pairs = settings.pairs.max(7);
        }
        Ok(settings)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("scenarios: run `cargo bench --bench scenarios`");
        return ExitCode::SUCCESS;
    }
    let settings = match Settings::read(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(error) => {
            println!("{error}; known are --quick, --strict, --tokens N, --pairs N, {}", NAMES.join(", "));
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    table::head();
    let mut broken = 0;
    for name in NAMES.into_iter().filter(|name| settings.wants(name)) {
        let show = |row: Row| usize::from(!row.show(settings.strict));
        runtime.block_on(async {
            match name {
                "cold" => broken += show(outage::cold_start().await),
                "boot" => broken += show(outage::down_at_boot(settings.quick).await),
                "kids" => {
                    broken += show(kids::issuer_up(settings.tokens).await);
                    broken += show(kids::issuer_down(settings.tokens).await);
                }
                "outage" => broken += show(outage::down_for_an_hour(settings.quick).await),
                "rotation" => {
                    for overlap in [true, false] {
                        broken += show(rotation::calm(overlap).await);
                        broken += show(rotation::flooded(overlap).await);
                    }
                }
                "latency" => broken += show(latency::flooded(settings.pairs, settings.quick).await),
                _ => broken += show(issuers::one_of_a_hundred_hangs().await),
            }
        });
    }
    if broken > 0 {
        println!("{broken} broken");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
