//! How are the figures told? Tables for people, lines on who is first, and a file for other programs.

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path, process::Command};

use crate::{
    figures::{Metric, Row},
    measure::Spread,
    subjects::{OURS, OURS_REMEMBERING},
};

/// What one table is about.
pub(crate) struct Heading {
    pub(crate) algorithm: &'static str,
    pub(crate) octets: usize,
    pub(crate) tokens: usize,
    /// Who cannot be measured.
    pub(crate) gaps: Vec<(&'static str, String)>,
}

pub(crate) fn table(heading: &Heading, rows: &[Row], same: bool) -> String {
    let find = |subject: &str, threads, metric| {
        let row = rows.iter().find(|row| {
            row.algorithm == heading.algorithm
                && (row.subject, row.same, row.threads, row.metric) == (subject, same, threads, metric)
        });
        row.map(|row| row.spread)
    };
    let mut subjects: Vec<(&str, f64)> = Vec::new();
    for row in rows.iter().filter(|row| row.algorithm == heading.algorithm) {
        if (row.same, row.threads, row.metric) == (same, 1, Metric::Time) {
            subjects.push((row.subject, row.spread.median));
        }
    }
    subjects.sort_by(|a, b| a.1.total_cmp(&b.1));

    let tokens = if same {
        format!("one token of {} octets again and again", heading.octets)
    } else {
        format!("{} tokens of {} octets in turn, each seen before", heading.tokens, heading.octets)
    };
    let mut text = format!("\n{}, {tokens}: median (p10, p90)\n", heading.algorithm);
    let mut line = |columns: [&str; 7]| {
        let [subject, time, net, rate, speed_up, allocations, octets] = columns;
        let line =
            format!("{subject:<32}{time:>26}{net:>24}{rate:>24}{speed_up:>21}{allocations:>13}{octets:>9}");
        writeln!(text, "{}", line.trim_end()).expect("a String");
    };
    let two = "2 threads: 1000/s";
    line(["", "µs per request", "(.. - bare) / raw", two, "speed-up", "allocations", "octets"]);
    for (subject, _) in subjects {
        let spread = |spread: Option<Spread>, scale: f64, digits: usize| {
            spread.map_or_else(String::new, |Spread { p10, median, p90 }| {
                let [p10, median, p90] = [p10, median, p90].map(|value| value * scale);
                format!("{median:.digits$} ({p10:.digits$}, {p90:.digits$})")
            })
        };
        let rate = find(subject, 2, Metric::Time).map(|Spread { p10, median, p90 }| Spread {
            p10: 1e6 / p90,
            median: 1e6 / median,
            p90: 1e6 / p10,
        });
        let median = |metric, digits: usize| {
            let spread = find(subject, 1, metric);
            spread.map_or_else(String::new, |spread| format!("{:.digits$}", spread.median))
        };
        line([
            subject,
            &spread(find(subject, 1, Metric::Time), 1e-3, 2),
            &spread(find(subject, 1, Metric::Net), 1.0, 3),
            &spread(rate, 1.0, 1),
            &spread(find(subject, 2, Metric::SpeedUp), 1.0, 2),
            &median(Metric::Allocations, 1),
            &median(Metric::Octets, 0),
        ]);
    }
    for (subject, _) in &heading.gaps {
        line([subject, "–", "–", "–", "–", "–", "–"]);
    }
    for (subject, reason) in &heading.gaps {
        writeln!(text, "– {subject}: {reason}").expect("a String");
    }
    text
}

/// Who is first in each row, and where bearergate is not. What remembers tokens competes where a token comes again.
pub(crate) fn first(rows: &[Row], controls: &[&str]) -> String {
    let mut groups: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
    let mut order: Vec<(&str, bool, usize, &str)> = Vec::new();
    for row in rows.iter().filter(|row| row.metric != Metric::Net && !controls.contains(&row.subject)) {
        let key = (row.algorithm, row.same, row.threads, row.metric.name());
        let place = order.iter().position(|known| *known == key).unwrap_or_else(|| {
            order.push(key);
            order.len() - 1
        });
        groups.entry(place).or_default().push(row);
    }
    let (mut all, mut behind) = (String::new(), String::new());
    for group in groups.values() {
        let best = |rows: &mut dyn Iterator<Item = &&Row>| -> Option<(&'static str, Spread)> {
            rows.map(|row| (row.subject, row.spread)).reduce(|best, other| {
                // Of two that are equal, the earlier one.
                let better = match group[0].metric {
                    Metric::SpeedUp => other.1.median > best.1.median,
                    _ => other.1.median < best.1.median,
                };
                if better { other } else { best }
            })
        };
        let row = group[0];
        let tokens = if row.same { "one token" } else { "distinct tokens" };
        let label = format!("{}, {tokens}, {} thread(s), {}", row.algorithm, row.threads, row.metric.name());
        let Some((name, spread)) = best(&mut group.iter()) else { continue };
        writeln!(all, "first: {name} ({:.3}) in {label}", spread.median).expect("a String");
        let ours = |row: &&&Row| row.subject == OURS || row.same && row.subject == OURS_REMEMBERING;
        let theirs = |row: &&&Row| row.subject != OURS && row.subject != OURS_REMEMBERING;
        let our_best = best(&mut group.iter().filter(ours));
        let their_best = best(&mut group.iter().filter(theirs));
        if our_best.is_none() {
            writeln!(behind, "not there: {OURS} in {label}").expect("a String");
        }
        if let (Some((our_name, ours)), Some((name, theirs))) = (our_best, their_best) {
            let ahead = match row.metric {
                Metric::SpeedUp => ours.median >= theirs.median,
                _ => ours.median <= theirs.median,
            };
            if !ahead {
                let doubt = if ours.overlaps(&theirs) { "; the spreads overlap" } else { "" };
                writeln!(
                    behind,
                    "not first: {our_name} ({:.3}) behind {name} ({:.3}) in {label}{doubt}",
                    ours.median, theirs.median
                )
                .expect("a String");
            }
        }
    }
    if behind.is_empty() {
        behind.push_str("bearergate is first in every row\n");
    }
    format!("\n{all}\n{behind}")
}

/// Writes `peers.csv`.
pub(crate) fn write(folder: &Path, rows: &[Row]) -> io::Result<()> {
    let mut text = provenance();
    text.push_str("algorithm,tokens,threads,subject,metric,p10,median,p90\n");
    for Row { algorithm, same, threads, subject, metric, spread: Spread { p10, median, p90 } } in rows {
        let tokens = if *same { "same" } else { "distinct" };
        let metric = metric.name();
        writeln!(text, "{algorithm},{tokens},{threads},{subject},{metric},{p10:.3},{median:.3},{p90:.3}")
            .expect("a String");
    }
    fs::write(folder.join("peers.csv"), text)
}

/// Where figures come from: comment lines.
pub(crate) fn provenance() -> String {
    let output = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok();
        output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default().trim().to_owned()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let mut text = format!("# date: {}\n", output("date", "+%F"));
    writeln!(text, "# cpu: {}", cpu.trim_start_matches([' ', '\t', ':'])).expect("a String");
    writeln!(text, "# rustc: {}", output("rustc", "--version")).expect("a String");
    writeln!(text, "# crates: {}", versions().join(", ")).expect("a String");
    text
}

/// Of the crates that decide what is measured.
fn versions() -> Vec<String> {
    let entries = include_str!("../Cargo.lock").split("[[package]]");
    let member = |entry: &str, name: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let named = entries.filter_map(|entry| Some((member(entry, "name")?, member(entry, "version")?)));
    let named = named.filter(|(name, _)| CRATES.contains(&name.as_str()));
    named.map(|(name, version)| format!("{name} {version}")).collect()
}

const CRATES: [&str; 20] = [
    "aliri",
    "aliri_oauth2",
    "aliri_tower",
    "aws-lc-rs",
    "axum",
    "axum-jwt-auth",
    "bearergate",
    "ed25519-dalek",
    "huskarl-axum",
    "huskarl-crypto-native",
    "huskarl-resource-server",
    "jsonwebtoken",
    "jwt-authorizer",
    "oauth-resource-server",
    "p256",
    "ring",
    "rsa",
    "serde_json",
    "tokio",
    "tower-oauth2-resource-server",
];
