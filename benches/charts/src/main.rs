//! Which pictures do the figures make?
//!
//! ```sh
//! cargo run --release --manifest-path benches/charts/Cargo.toml -- docs/figures
//! ```
//!
//! Each `NAME.csv` of the folder that is known here becomes a `NAME.svg`.

mod bars;
mod lines;
mod table;

use std::{env, error::Error, path::PathBuf};

use bars::{Bar, Group};
use lines::{Line, Plot};
use table::Table;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let folder = env::args().nth(1).ok_or("usage: charts FOLDER")?;
    let file = |name: &str, extension: &str| PathBuf::from(&folder).join(format!("{name}.{extension}"));
    let draw: [(&str, Draw); 6] = [
        ("peers", peers),
        ("servers", servers),
        ("scaling_threads", threads),
        ("scaling_keys", keys),
        ("scaling_issuers", issuers),
        ("scaling_length", length),
    ];
    for (name, draw) in draw {
        let path = file(name, "csv");
        if !path.exists() {
            println!("{name}: no figures");
            continue;
        }
        let svg = file(name, "svg");
        match draw(&Table::read(&path)?) {
            Drawn::Bars(title, unit, groups) => bars::draw(&svg, title, unit, &groups)?,
            Drawn::Lines(plot) => lines::draw(&svg, &plot)?,
        }
        println!("{name}: drawn");
    }
    Ok(())
}

type Draw = fn(&Table) -> Drawn;

enum Drawn {
    Bars(&'static str, &'static str, Vec<Group>),
    Lines(Plot),
}

/// One bar per crate: what a request costs above the bare router, and how much of that is the signature.
fn peers(table: &Table) -> Drawn {
    let groups = ["RS256", "ES256", "EdDSA"].map(|algorithm| {
        let medians = |metric: &'static str| {
            table.rows().filter_map(move |row| {
                let is_meant = row.text("algorithm") == algorithm
                    && row.text("tokens") == "distinct"
                    && row.text("threads") == "1"
                    && row.text("metric") == metric;
                is_meant.then(|| (row.text("subject").to_owned(), row.number("median")))
            })
        };
        let check = medians("ns").find(|(subject, _)| subject == "raw signature check");
        let check = check.map_or(0.0, |(_, check)| check / 1000.0);
        let bar = |(subject, ratio): (String, f64)| {
            Bar::new(&subject, ratio * check, format!("{:.1}", ratio * check)).marked(check)
        };
        let mut bars: Vec<Bar> = medians("net_ratio").map(bar).collect();
        bars.sort_by(|one, other| one.value.total_cmp(&other.value));
        Group { name: format!("{algorithm}: the signature check alone takes {check:.1} µs"), bars }
    });
    Drawn::Bars(
        "A request with a good token, above the bare router (dark: as much as the signature check)",
        "µs",
        groups.into(),
    )
}

fn servers(table: &Table) -> Drawn {
    let mut groups: Vec<Group> = Vec::new();
    for row in table.rows() {
        let value = row.number("rps_median") / 1000.0;
        let bar = Bar::new(row.text("server"), value, format!("{value:.1}"));
        match groups.iter_mut().find(|group| group.name == row.text("token")) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group { name: row.text("token").to_owned(), bars: vec![bar] }),
        }
    }
    for group in &mut groups {
        group.bars.sort_by(|one, other| other.value.total_cmp(&one.value));
    }
    Drawn::Bars("Requests a second, one worker", "thousands a second", groups)
}

fn threads(table: &Table) -> Drawn {
    let groups = table
        .rows()
        .map(|row| {
            let bar = |name: &str, column: &str| {
                let value = row.number(column);
                Bar::new(name, value, format!("{value:.2}"))
            };
            let bars = vec![
                bar("signature check", "check"),
                bar("bare service", "service"),
                bar("through the layer", "layer"),
            ];
            Group { name: row.text("algorithm").to_owned(), bars }
        })
        .collect();
    Drawn::Bars("Two threads: speed-up over one", "times", groups)
}

fn keys(table: &Table) -> Drawn {
    flat(table, "Keys in the set of an EdDSA token's issuer", "keys")
}

fn issuers(table: &Table) -> Drawn {
    flat(table, "Trusted issuers, EdDSA", "issuers")
}

fn flat(table: &Table, title: &'static str, x: &'static str) -> Drawn {
    let line = |name: &str, column: &str| Line {
        name: name.to_owned(),
        points: table.rows().map(|row| (row.number("count"), row.number(column) / 1000.0)).collect(),
    };
    let lines = vec![line("through the layer", "net_ns"), line("signature check", "check_ns")];
    Drawn::Lines(Plot { title, x, y: "µs a request", lines })
}

fn length(table: &Table) -> Drawn {
    let mut lines = Vec::new();
    for algorithm in ["RS256", "EdDSA"] {
        for (name, column) in [("through the layer", "net_ns"), ("signature check", "check_ns")] {
            let points = table
                .rows()
                .filter(|row| row.text("algorithm") == algorithm)
                .map(|row| (row.number("octets") / 1024.0, row.number(column) / 1000.0))
                .collect();
            lines.push(Line { name: format!("{algorithm}, {name}"), points });
        }
    }
    Drawn::Lines(Plot { title: "Length of the token", x: "KiB", y: "µs a request", lines })
}
