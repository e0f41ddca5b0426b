//! Which bounds hold, and where are the figures kept that the charts are drawn from?

use std::{env, fmt::Write as _, fs, path::Path, process::ExitCode};

/// Bounds on ratios. A busy machine disturbs times, so a bench fails by them with `--strict` only.
#[derive(Default)]
pub struct Bounds(usize);

impl Bounds {
    /// Whether a ratio is at most its bound, in words.
    pub fn at_most(&mut self, ratio: f64, bound: f64) -> String {
        self.judge(ratio <= bound, "<=", bound)
    }

    /// Whether a ratio is at least its bound, in words.
    pub fn at_least(&mut self, ratio: f64, bound: f64) -> String {
        self.judge(ratio >= bound, ">=", bound)
    }

    fn judge(&mut self, held: bool, sign: &str, bound: f64) -> String {
        self.0 += usize::from(!held);
        format!("{sign} {bound}{}", if held { "" } else { " NOT HELD" })
    }

    pub fn end(self) -> ExitCode {
        println!("\n{} of the bounds not held", self.0);
        ExitCode::from(u8::from(self.0 > 0 && env::args().any(|argument| argument == "--strict")))
    }
}

/// Rows for the charts, kept as `NAME.csv` in the folder that `FIGURES` names, if it does.
pub struct Rows {
    name: &'static str,
    text: String,
}

impl Rows {
    pub fn new(name: &'static str, header: &str) -> Self {
        Self { name, text: format!("{header}\n") }
    }

    pub fn add(&mut self, row: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{row}").unwrap();
    }

    pub fn keep(self) {
        if let Some(folder) = env::var_os("FIGURES") {
            fs::write(Path::new(&folder).join(format!("{}.csv", self.name)), self.text).unwrap();
        }
    }
}

/// Whether cargo runs it as a bench, and not as a test.
pub fn is_wanted(name: &str) -> bool {
    let wanted = env::args().any(|argument| argument == "--bench");
    if !wanted {
        println!("{name}: run `cargo bench --bench {name}`");
    }
    wanted
}

pub fn is_quick() -> bool {
    env::args().any(|argument| argument == "--quick")
}
