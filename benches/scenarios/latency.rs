//! Does a flood of invented keys, at an issuer that is slow or hangs, delay good tokens?

use std::{sync::Arc, time::Duration};

use bearergate::testing::{Endpoint, Fault};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    scene::{Invented, Scene, token},
    table::{Row, Tally},
};

/// Above the control, at p99.
const MOST: f64 = 1.2;

/// Good tokens a second, and others.
#[derive(Clone, Copy)]
struct Rates {
    good: u64,
    other: u64,
    window: Duration,
}

/// What is sent beside the good tokens.
#[derive(Clone)]
enum Others {
    WithoutToken,
    Invented(Invented),
}

pub async fn flooded(pairs: usize, quick: bool) -> Row {
    let rates = if quick {
        Rates { good: 200, other: 100, window: Duration::from_millis(2200) }
    } else {
        Rates { good: 1000, other: 300, window: Duration::from_secs(3) }
    };
    let scene = Scene::warm().await;
    // Those that wait hold their connection for 2 s: none is opened while time is measured.
    let waiting = usize::try_from(rates.other * 3).unwrap();
    scene.api.client.open(waiting + 64).await;
    let (tally, control_tally) = (Arc::new(Tally::default()), Arc::new(Tally::default()));
    let good: Arc<str> = token(&scene.issuer).into();
    let invented = Others::Invented(Invented::like(&good));
    let mut measured = Vec::new();
    for pair in 0..pairs {
        // In turn: a set that comes after 2 s, asked for by a token; a refresh of stale keys that hangs.
        let hangs = pair % 2 == 1;
        let run = async |others: &Others| match others {
            Others::WithoutToken => window(&scene, rates, &good, others.clone(), &control_tally).await,
            Others::Invented(_) => {
                scene.clock.advance(if hangs { 310 } else { 31 });
                let fault = if hangs { Fault::Hang } else { Fault::Slow(Duration::from_secs(2)) };
                scene.issuer.faults().script(Endpoint::Jwks, [fault]);
                window(&scene, rates, &good, others.clone(), &tally).await
            }
        };
        // In both orders.
        let (control, flooded) = if pair % 4 < 2 {
            let control = run(&Others::WithoutToken).await;
            (control, run(&invented).await)
        } else {
            let flooded = run(&invented).await;
            settle(&scene).await;
            (run(&Others::WithoutToken).await, flooded)
        };
        settle(&scene).await;
        measured.push((flooded.p99 / control.p99, control, flooded));
    }
    let median = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    let of = |what: fn(&(f64, Window, Window)) -> f64| median(measured.iter().map(what).collect());
    let (ratio, cpu) = (of(|pair| pair.0), of(|pair| pair.2.cpu.max(pair.1.cpu)));
    let (control, flooded) = (of(|pair| pair.1.p99 * 1e3), of(|pair| pair.2.p99 * 1e3));
    let each = |first: usize| {
        let ratios = measured.iter().skip(first).step_by(2).map(|pair| format!("{:.2}", pair.0));
        ratios.collect::<Vec<_>>().join(" ")
    };
    let bound = format!(
        "p99 {flooded:.2} ms / {control:.2} ms, median ratio {ratio:.2} <= {MOST} (slow {}, hangs {}) at {:.0} % CPU",
        each(0),
        each(1),
        cpu * 100.0
    );
    let held = tally.refused() == 0 && control_tally.refused() == 0;
    tally
        .row("slow and hanging issuer, flood: latency", scene.api.fetches())
        .bound(held, bound)
        .only_strict(ratio <= MOST && cpu <= 0.3)
}

/// Until the issuer has answered again.
async fn settle(scene: &Scene) {
    let calm = || {
        let health = scene.api.server.health();
        let issuer = &health.issuers()[0];
        issuer.failures() == 0 && issuer.next_attempt().is_some_and(|next| !next.is_zero())
    };
    while !calm() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What waited has its answer, and the machine its rest.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// What one measurement says.
#[derive(Clone, Copy)]
struct Window {
    p99: f64,
    /// Of all cores.
    cpu: f64,
}

async fn window(scene: &Scene, rates: Rates, good: &Arc<str>, others: Others, tally: &Arc<Tally>) -> Window {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let other = every(rates.other, rates.window, {
        let (client, tally) = (scene.api.client.clone(), Arc::clone(tally));
        move || {
            let (client, tally, others) = (client.clone(), Arc::clone(&tally), others.clone());
            async move {
                let token = match &others {
                    Others::WithoutToken => None,
                    Others::Invented(invented) => Some(invented.token()),
                };
                tally.other(client.call(token.as_deref()).await);
                0.0
            }
        }
    });
    let good = every(rates.good, rates.window, {
        let (client, tally, token) = (scene.api.client.clone(), Arc::clone(tally), Arc::clone(good));
        move || {
            let (client, tally, token) = (client.clone(), Arc::clone(&tally), Arc::clone(&token));
            async move {
                let start = Instant::now();
                tally.good(client.call(Some(&token)).await);
                start.elapsed().as_secs_f64()
            }
        }
    });
    let (_answered, mut latencies) = tokio::join!(other, good);
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let cpu = (cpu_seconds() - cpu) / start.elapsed().as_secs_f64() / cores;
    latencies.sort_by(f64::total_cmp);
    Window { p99: latencies[latencies.len() * 99 / 100], cpu }
}

/// Calls at this rate, whether or not the ones before have ended.
async fn every<F: Future<Output = f64> + Send + 'static>(
    rate: u64,
    window: Duration,
    call: impl Fn() -> F,
) -> Vec<f64> {
    let mut calls = tokio::task::JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let end = Instant::now() + window;
    while ticks.tick().await < end {
        calls.spawn(call());
    }
    calls.join_all().await
}

/// What this process has used, where `/proc` tells: clock ticks are hundredths of a second on Linux.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 =
        behind_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / 100.0
}
