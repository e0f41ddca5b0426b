//! What follows from the times and the allocations? One row per figure, as in the file for other programs.

use crate::measure::{SCENES, Spread, Times};

/// A line of the tables: who, and what it is measured above.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) above: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    /// Time per request in ns; with two threads, of both together.
    Time,
    /// (time - time of the bare router) / time of the raw check, each of the same round.
    Net,
    /// What two threads do in the time of one.
    SpeedUp,
    /// Per request, above the bare router.
    Allocations,
    Octets,
}

impl Metric {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Time => "ns",
            Self::Net => "net_ratio",
            Self::SpeedUp => "speedup",
            Self::Allocations => "allocations",
            Self::Octets => "octets",
        }
    }
}

pub(crate) struct Row {
    pub(crate) algorithm: &'static str,
    pub(crate) same: bool,
    pub(crate) threads: usize,
    pub(crate) subject: &'static str,
    pub(crate) metric: Metric,
    pub(crate) spread: Spread,
}

/// `counted` is by line, first for distinct tokens, then for one: allocations and octets, by batch.
pub(crate) fn rows(
    algorithm: &'static str,
    lines: &[Line],
    times: &Times,
    counted: &[[[Vec<f64>; 2]; 2]],
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let row = |same, threads, metric, spread| Row {
            algorithm,
            same,
            threads,
            subject: line.name,
            metric,
            spread,
        };
        for (scene, of_all) in SCENES.iter().zip(times) {
            let (same, threads) = (scene.same, scene.threads);
            let time = &of_all[place];
            rows.push(row(same, threads, Metric::Time, Spread::of(time.iter().copied())));
            if let Some(bare) = line.above {
                let net = time.iter().zip(&of_all[bare]).zip(&of_all[0]);
                let net = net.map(|((time, bare), raw)| (time - bare) / raw);
                rows.push(row(same, threads, Metric::Net, Spread::of(net)));
            }
        }
        for pair in [0, 2] {
            let speed_up = times[pair][place].iter().zip(&times[pair + 1][place]).map(|(one, two)| one / two);
            rows.push(row(SCENES[pair].same, 2, Metric::SpeedUp, Spread::of(speed_up)));
        }
        let Some(bare) = line.above else { continue };
        for (same, (counted, bare)) in counted[place].iter().zip(&counted[bare]).enumerate() {
            for (figure, metric) in [Metric::Allocations, Metric::Octets].into_iter().enumerate() {
                let above = counted[figure].iter().zip(&bare[figure]).map(|(all, bare)| all - bare);
                rows.push(row(same == 1, 1, metric, Spread::of(above)));
            }
        }
    }
    rows
}
