//! Does each subject do the work at all? A good token passes with the right claims, a bad one does not.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use http::StatusCode;
use tokio::runtime::Runtime;

use crate::{
    handler::watch,
    subject::Subject,
    subjects::Entry,
    tokens::{CALLER, MUST_REFUSE, Tokens},
};

/// What was found of one subject.
pub(crate) enum Admission {
    Ready(Box<dyn Subject>),
    /// It is known that it cannot, and it could not.
    Gap(String),
    Failed(String),
}

/// What is not answered by 401, and for which algorithms: by subject and token.
#[derive(Default)]
pub(crate) struct Findings(BTreeMap<(&'static str, usize, &'static str, StatusCode), Vec<&'static str>>);

pub(crate) fn admit(
    runtime: &Runtime,
    entry: Entry,
    tokens: &Tokens,
    algorithm: &'static str,
    findings: &mut Findings,
) -> Admission {
    let Entry { name, set_up, gap, .. } = entry;
    let works = set_up.map_err(|error| error.to_string()).and_then(|mut subject| {
        good(runtime, subject.as_mut(), tokens)?;
        Ok(subject)
    });
    let mut subject = match (works, gap) {
        (Ok(subject), None) => subject,
        (Ok(_), Some(gap)) => return Admission::Failed(format!("it works, although \"{gap}\"")),
        (Err(error), Some(gap)) => return Admission::Gap(format!("{gap} (tried: {error})")),
        (Err(error), None) => return Admission::Failed(error),
    };
    for (place, probe) in tokens.probes.iter().enumerate() {
        let (status, seen) = watch(|| runtime.block_on(subject.answer(probe.field.clone())));
        if status == StatusCode::OK && seen.is_empty() {
            return Admission::Failed(format!("200 without its handler, for {}", probe.name));
        }
        if status != StatusCode::UNAUTHORIZED {
            findings.0.entry((name, place, probe.name, status)).or_default().push(algorithm);
        }
    }
    // What is remembered of the bad ones changes nothing for the good one.
    match good(runtime, subject.as_mut(), tokens) {
        Ok(()) => Admission::Ready(subject),
        Err(error) => Admission::Failed(format!("after bad tokens: {error}")),
    }
}

/// Keys may still be on their way.
fn good(runtime: &Runtime, subject: &mut dyn Subject, tokens: &Tokens) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let (status, seen) = watch(|| runtime.block_on(subject.answer(tokens.good.clone())));
        if status == StatusCode::OK {
            return if seen == CALLER { Ok(()) } else { Err(format!("the handler saw \"{seen}\"")) };
        }
        if start.elapsed() > Duration::from_secs(3) {
            return Err(format!("a good token gets {status}"));
        }
        runtime.block_on(tokio::time::sleep(Duration::from_millis(20)));
    }
}

impl Findings {
    pub(crate) fn tell(&self) -> String {
        let mut text = String::from("\nbad tokens that are not answered by 401\n");
        for ((name, place, probe, status), algorithms) in &self.0 {
            let wrong = if *place < MUST_REFUSE && status.is_success() { " WRONGLY ACCEPTED" } else { "" };
            let line =
                format!("{name:<32}{} for {probe}{wrong} ({})\n", status.as_u16(), algorithms.join(", "));
            text.push_str(&line);
        }
        if self.0.is_empty() {
            text.push_str("none\n");
        }
        text
    }
}
