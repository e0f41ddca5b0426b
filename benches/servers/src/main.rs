//! How many requests a second does a whole server answer that checks tokens, beside one that does not and beside other
//! servers that do?
//!
//! ```sh
//! benches/servers/install
//! run() { cargo run --release --manifest-path benches/servers/Cargo.toml --target-dir target/servers -- "$@"; }
//! run                       # a quarter of an hour
//! run --quick               # whether everything works
//! run --only "RS256 Envoy"
//! ```

mod axum_server;
mod check;
mod load;
mod process;
mod report;
mod servers;
mod tokens;
mod versions;

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
};

use bearergate::testing::TestIssuer;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    load::{Sample, TOKENS_FILE, Target},
    process::{Process, Scratch},
    report::{Figures, Row},
    servers::{Server, Site},
    tokens::{Kind, Tokens},
};

/// What is measured, and for how long.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    seconds: u32,
    /// A part of the names of what is measured.
    only: String,
    installed: PathBuf,
}

/// A server that runs, and what is known of it so far.
#[derive(Debug)]
struct Contestant {
    server: Server,
    port: u16,
    /// `None` once it has failed.
    process: Result<Process, String>,
    oddities: Vec<String>,
    samples: Vec<Sample>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "serve" => axum_server::serve(rest).map(|()| true),
        _ => Plan::parse(&arguments).and_then(|plan| run(&plan)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self { rounds: 5, seconds: 4, only: String::new(), installed: servers::installed() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (plan.rounds, plan.seconds) = (1, 1),
                "--only" => arguments.next().ok_or("--only NAME")?.clone_into(&mut plan.only),
                other => return Err(format!("{other} is not known: [--quick] [--only NAME]")),
            }
        }
        Ok(plan)
    }

    /// Whether a row is asked for, and possible.
    fn has(&self, kind: Kind, server: Server) -> bool {
        format!("{} {}", kind.name(), server.name()).contains(&self.only)
            && server.cannot(kind).is_none()
            && server.is_missing(&self.installed).is_none()
    }
}

/// Tells whether every row was measured.
fn run(plan: &Plan) -> Result<bool, String> {
    if !load::is_installed() {
        return Err("wrk is missing: benches/servers/install, or apt-get install wrk".to_owned());
    }
    process::move_to_load_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        // What is dropped here kills the servers.
        tokio::select! {
            outcome = compare(plan) => outcome,
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
            _ = terminated.recv() => Err("terminated".to_owned()),
        }
    })
}

async fn compare(plan: &Plan) -> Result<bool, String> {
    let scratch = Scratch::new().map_err(|error| error.to_string())?;
    load::prepare(scratch.path()).map_err(|error| error.to_string())?;
    let issuer = tokens::issuer().await.map_err(|error| error.to_string())?;
    let comments = versions::lines(&plan.installed, plan.rounds, plan.seconds);
    for comment in &comments {
        println!("{comment}");
    }
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        rows.extend(measure(plan, kind, &issuer, scratch.path()).await.map_err(|error| error.to_string())?);
    }
    if rows.is_empty() {
        return Err(format!("nothing that can be measured has {:?} in its name", plan.only));
    }
    println!();
    for server in Server::ALL {
        if let Some(install) = server.is_missing(&plan.installed) {
            println!("{} is not installed: benches/servers/install, or {install}", server.name());
        }
    }
    println!();
    for verdict in report::verdicts(&rows) {
        println!("{verdict}");
    }
    if let Some(folder) = env::var_os("FIGURES") {
        report::write(Path::new(&folder), &comments, &rows).map_err(|error| error.to_string())?;
    }
    Ok(rows.iter().all(|row| row.outcome.is_ok()))
}

/// All servers under tokens of one kind.
async fn measure(plan: &Plan, kind: Kind, issuer: &TestIssuer, folder: &Path) -> std::io::Result<Vec<Row>> {
    let tokens = Tokens::new(issuer.clone(), kind);
    let octets = tokens.write(&folder.join(TOKENS_FILE))?;
    let mut contestants = Vec::new();
    for server in Server::of(kind).iter().filter(|server| plan.has(kind, **server)) {
        contestants.push(start(plan, kind, *server, issuer.url(), folder)?);
    }
    if contestants.is_empty() {
        return Ok(Vec::new());
    }
    check(&mut contestants, &tokens).await;
    // The first run fills the caches, and does not count.
    for round in 0..=plan.rounds {
        // Each round begins with another server, so that none always follows the same one.
        let count = contestants.len();
        for turn in 0..count {
            let Some(contestant) = contestants.get_mut((turn + round) % count) else { continue };
            let Ok(process) = &contestant.process else { continue };
            let target = Target { server: process, port: contestant.port, issuer };
            match load::run(&target, folder, plan.seconds).await {
                Ok(sample) if round > 0 => contestant.samples.push(sample),
                Ok(_) => (),
                Err(error) => contestant.process = Err(error),
            }
        }
    }
    let rows: Vec<Row> = contestants.into_iter().map(|contestant| contestant.row(kind)).collect();
    println!("\n{}", report::table(kind, octets, &rows));
    Ok(rows)
}

fn start(
    plan: &Plan,
    kind: Kind,
    server: Server,
    issuer: &str,
    folder: &Path,
) -> std::io::Result<Contestant> {
    // Free a moment ago, and nobody else here looks for one.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let command = server.command(&Site { kind, port, issuer, folder, installed: &plan.installed })?;
    let process =
        Process::start(&command, folder.join(format!("log-{port}"))).map_err(|error| error.to_string());
    Ok(Contestant { server, port, process, oddities: Vec::new(), samples: Vec::new() })
}

/// Waits for the servers, and looks at how they judge.
async fn check(contestants: &mut [Contestant], tokens: &Tokens) {
    let cases = tokens.cases();
    for contestant in contestants.iter_mut() {
        let Ok(process) = &mut contestant.process else { continue };
        let checked = match check::ready(process, contestant.port, &cases).await {
            Ok(()) if contestant.server.judges() => check::oddities(contestant.port, &cases).await,
            other => other.map(|()| Vec::new()),
        };
        match checked {
            Ok(oddities) => contestant.oddities = oddities,
            Err(error) => contestant.process = Err(error),
        }
    }
    let judges: Vec<u16> = contestants
        .iter()
        .filter(|contestant| contestant.process.is_ok() && contestant.server.judges())
        .map(|contestant| contestant.port)
        .collect();
    for (port, oddity) in check::lifetime_oddities(&judges, tokens).await {
        let odd = contestants.iter_mut().find(|contestant| contestant.port == port);
        odd.into_iter().for_each(|contestant| contestant.oddities.push(oddity.clone()));
    }
}

impl Contestant {
    fn row(self, kind: Kind) -> Row {
        let outcome = self
            .process
            .and_then(|_running| Figures::of(&self.samples).ok_or_else(|| "it was not measured".to_owned()));
        Row { kind, server: self.server, outcome, oddities: self.oddities }
    }
}
