//! What did the servers do?

use std::{fmt::Write as _, fs, io, path::Path};

use crate::{load::Sample, servers::Server, tokens::Kind};

/// One server under tokens of one kind.
#[derive(Debug)]
pub struct Row {
    pub kind: Kind,
    pub server: Server,
    pub outcome: Result<Figures, String>,
    /// What it does with tokens that are not good.
    pub oddities: Vec<String>,
}

/// Medians over the rounds, and for the requests a second the range.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub rps: Spread,
    p50: f64,
    p99: f64,
    p999: f64,
    busy: f64,
    /// Of the server's processor time, in microseconds for each request.
    cost: f64,
    asked: f64,
}

#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Self { min: *values.first()?, median: *values.get(values.len() / 2)?, max: *values.last()? })
    }
}

impl Figures {
    /// `None` without a round.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let spread = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
        Some(Self {
            rps: spread(|sample| sample.rps)?,
            p50: spread(|sample| sample.p50)?.median,
            p99: spread(|sample| sample.p99)?.median,
            p999: spread(|sample| sample.p999)?.median,
            busy: spread(|sample| sample.busy)?.median,
            cost: spread(|sample| sample.busy / sample.rps * 1e6)?.median,
            asked: spread(|sample| sample.asked)?.median,
        })
    }
}

/// The table of one kind of tokens.
pub fn table(kind: Kind, octets: usize, rows: &[Row]) -> String {
    let asked = if kind.is_opaque() { format!(" {:>9}", "questions") } else { String::new() };
    let mut text = format!(
        "{}: tokens of {octets} octets\n{:<32} {:>10} {:>17} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7}{asked}\n",
        kind.name(),
        "server",
        "requests/s",
        "min–max",
        "of axum",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "busy",
        "CPU µs",
    );
    let ceiling = rps(rows, kind, Server::Axum);
    let mut notes = Vec::new();
    for row in rows {
        let mut name = row.server.name().to_owned();
        for oddity in &row.oddities {
            notes.push(format!("{}: {oddity}", row.server.name()));
            let _written = write!(name, " [{}]", notes.len());
        }
        let _written = match &row.outcome {
            Ok(figures) => {
                let share =
                    ceiling.map_or("-".to_owned(), |ceiling| format!("{:.2}", figures.rps.median / ceiling));
                let asked = if kind.is_opaque() { format!(" {:>9.2}", figures.asked) } else { String::new() };
                let range = format!("{:.0}–{:.0}", figures.rps.min, figures.rps.max);
                writeln!(
                    text,
                    "{name:<32} {:>10.0} {range:>17} {share:>8} {:>8.2} {:>8.2} {:>8.2} {:>5.0}% {:>7.1}{asked}",
                    figures.rps.median,
                    figures.p50 / 1e3,
                    figures.p99 / 1e3,
                    figures.p999 / 1e3,
                    figures.busy * 100.0,
                    figures.cost,
                )
            }
            Err(reason) => writeln!(text, "{name:<32} FAILED: {reason}"),
        };
    }
    for server in Server::of(kind) {
        if let Some(reason) = server.cannot(kind) {
            let _written = writeln!(text, "{:<32} cannot: {reason}", server.name());
        }
    }
    for (number, note) in notes.iter().enumerate() {
        let _written = writeln!(text, "[{}] {note}", number + 1);
    }
    text
}

/// Whether bearergate is where it is meant to be, one sentence each.
pub fn verdicts(rows: &[Row]) -> Vec<String> {
    let mut said = Vec::new();
    for kind in Kind::ALL {
        let ours = if kind.is_opaque() { Server::Bearergate } else { Server::BearergateCache };
        if let (Some(ours), Some(ceiling)) = (rps(rows, kind, ours), rps(rows, kind, Server::Axum))
            && kind != Kind::OpaqueUncached
        {
            let share = ours / ceiling;
            let held = if share >= TARGET { "held" } else { "NOT REACHED" };
            said.push(format!(
                "{}, cached: {share:.2} of unprotected axum; target {TARGET}: {held}",
                kind.name().trim_end_matches(", cached")
            ));
            let busy = figures(rows, kind, Server::Axum).map_or(0.0, |figures| figures.busy);
            if busy < MOSTLY {
                said.push(format!(
                    "  of little worth: unprotected axum could use {:.0}% of its core; something else limited it",
                    busy * 100.0
                ));
            }
        }
        for (what, ours, theirs) in [
            ("without caches", Server::Bearergate, Server::Envoy),
            ("with both caches", Server::BearergateCache, Server::EnvoyCache),
        ] {
            if let (Some(ours), Some(theirs)) = (rps(rows, kind, ours), rps(rows, kind, theirs)) {
                let ratio = ours / theirs;
                let place = if ratio > 1.0 { "ahead of" } else { "BEHIND" };
                said.push(format!("{}, {what}: {ratio:.2} of Envoy's requests/s: {place} it", kind.name()));
            }
        }
    }
    said
}

/// Writes `servers.csv` into a folder.
pub fn write(folder: &Path, comments: &[String], rows: &[Row]) -> io::Result<()> {
    let mut text = String::new();
    for comment in comments {
        let _written = writeln!(text, "# {comment}");
    }
    text.push_str("token,server,rps_min,rps_median,rps_max,p50_us,p99_us,p999_us\n");
    for row in rows {
        let Ok(figures) = &row.outcome else { continue };
        let Spread { min, median, max } = figures.rps;
        let _written = writeln!(
            text,
            "{},{},{min:.0},{median:.0},{max:.0},{:.0},{:.0},{:.0}",
            quoted(row.kind.name()),
            quoted(row.server.name()),
            figures.p50,
            figures.p99,
            figures.p999
        );
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("servers.csv"), text)
}

fn quoted(text: &str) -> String {
    if text.contains(',') { format!("\"{text}\"") } else { text.to_owned() }
}

fn figures(rows: &[Row], kind: Kind, server: Server) -> Option<&Figures> {
    rows.iter().find(|row| row.kind == kind && row.server == server)?.outcome.as_ref().ok()
}

fn rps(rows: &[Row], kind: Kind, server: Server) -> Option<f64> {
    figures(rows, kind, server).map(|figures| figures.rps.median)
}

/// What protected axum is meant to reach of unprotected axum, by tokens that it remembers.
const TARGET: f64 = 0.85;

/// A server that is not kept from its core has more.
const MOSTLY: f64 = 0.9;
