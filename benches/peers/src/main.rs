//! What does a request cost through bearergate, beside other crates that do the same work, in one run?
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml            # a few minutes
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --quick # only whether everything works
//! ```
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod admit;
mod figures;
mod handler;
mod measure;
mod report;
mod subject;
mod subjects;
mod tokens;

use std::{env, path::Path, process::ExitCode};

use admit::{Admission, Findings};
use figures::{Line, Row};
use measure::{Effort, FULL, QUICK};
use report::Heading;
use subject::Subject;
use subjects::Backend;
use tokens::ALGORITHMS;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let said = |option: &str| env::args().any(|argument| argument == option);
    let effort = if said("--quick") { QUICK } else { FULL };
    let backend = if said("--rust-crypto") { Backend::RustCrypto } else { Backend::AwsLc };
    backend.install();

    // Serves the keys, and whatever a middleware does beside requests. It sleeps while the clock runs.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (mut rows, mut failures, mut findings) = (Vec::new(), Vec::new(), Findings::default());
    print!("{}", report::provenance());
    let controls = [subjects::RAW, subjects::BARE, subjects::BARE_07];
    for algorithm in ALGORITHMS {
        let (heading, new) = measured(&runtime, algorithm, effort, backend, &mut findings, &mut failures);
        print!("{}{}", report::table(&heading, &new, false), report::table(&heading, &new, true));
        rows.extend(new);
    }
    print!("{}{}", findings.tell(), report::first(&rows, &controls));
    if let Some(folder) = env::var_os("FIGURES")
        && let Err(error) = report::write(Path::new(&folder), &rows)
    {
        failures.push(format!("peers.csv: {error}"));
    }
    for failure in &failures {
        eprintln!("FAILED: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One algorithm, from the keys to the figures.
fn measured(
    runtime: &Runtime,
    algorithm: bearergate::Algorithm,
    effort: Effort,
    backend: Backend,
    findings: &mut Findings,
    failures: &mut Vec<String>,
) -> (Heading, Vec<Row>) {
    let (world, tokens) = runtime.block_on(tokens::world(algorithm, effort.tokens)).expect("a socket");
    let algorithm = algorithm.name();
    let (mut lines, mut subjects): (Vec<Line>, Vec<Box<dyn Subject>>) = (Vec::new(), Vec::new());
    for (name, subject) in subjects::controls(&tokens) {
        lines.push(Line { name, above: None });
        subjects.push(subject);
    }
    let mut gaps = Vec::new();
    for entry in runtime.block_on(subjects::peers(&world, backend)) {
        let (name, above) = (entry.name, lines.iter().position(|line| line.name == entry.above));
        match admit::admit(runtime, entry, &tokens, algorithm, findings) {
            Admission::Ready(subject) => {
                lines.push(Line { name, above });
                subjects.push(subject);
            }
            Admission::Gap(reason) => gaps.push((name, reason)),
            Admission::Failed(failure) => {
                failures.push(format!("{name}, {algorithm}: {failure}"));
                gaps.push((name, failure));
            }
        }
    }
    let times = measure::times(&mut subjects, &tokens.fields, effort);
    let counted: Vec<_> = subjects
        .iter_mut()
        .map(|subject| [false, true].map(|same| measure::allocations(subject.as_mut(), &tokens.fields, same)))
        .collect();
    let rows = figures::rows(algorithm, &lines, &times, &counted);
    (Heading { algorithm, octets: tokens.octets, tokens: effort.tokens, gaps }, rows)
}
