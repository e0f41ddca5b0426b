//! What does introspection ask of an authorization server, and what does a cached token cost? In one process, over a `Fetch`
//! that counts.
//!
//! ```sh
//! cargo bench --bench introspection            # all of it
//! cargo bench --bench introspection -- --quick # smaller
//! cargo bench --bench introspection -- cost    # the table of times alone
//! ```
//!
//! It ends with 1 when a bound is broken; the ratio of times, which a busy machine disturbs, is judged with `--strict` only. No
//! minute is waited for: the clock is moved.
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
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

#[path = "../common/mod.rs"]
mod common;
mod cost;
mod endpoint;

use std::{
    convert::Infallible,
    fs,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bearergate::{BearerAuth, Claims, ClientAuth, Issuer, ResourceServer};
use common::figures::Bounds;
use endpoint::{Endpoint, Mode, Moved};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

pub const RESOURCE: &str = "https://api.example.com";
pub const ISSUER: &str = "https://legacy.example.com";

/// A service behind the layer, its endpoint, and its time.
#[derive(Clone, Debug)]
pub struct Scene {
    endpoint: Endpoint,
    clock: Moved,
    api: ResourceServer,
}

/// How one request was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Answer {
    status: StatusCode,
    retry_after: bool,
    took: Duration,
}

impl Scene {
    fn new() -> Self {
        let (endpoint, clock) = (Endpoint::default(), Moved::default());
        let issuer =
            Issuer::introspect(ISSUER, format!("{ISSUER}/introspect"), ClientAuth::basic("api", "secret"));
        let builder = ResourceServer::builder(RESOURCE).trust(issuer);
        let api = builder.http_client(endpoint.clone()).clock(clock.clone()).build().unwrap();
        Self { endpoint, clock, api }
    }

    async fn call(&self, token: &str) -> Answer {
        let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
        let mut layered: BearerAuth<_, Claims> = self.api.layer().layer(inner);
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
        let start = Instant::now();
        let response = layered.ready().await.unwrap().call(request).await.unwrap();
        let retry_after = response.headers().contains_key("retry-after");
        Answer { status: response.status(), retry_after, took: start.elapsed() }
    }

    /// So many requests by so many callers at once. `token` gives that of each request. The answer counts 200, 401, 503 with
    /// `Retry-After`, and anything else; and how long the slowest took.
    async fn run(
        &self,
        requests: usize,
        callers: usize,
        token: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Run {
        let (next, token) = (Arc::new(AtomicUsize::new(0)), Arc::new(token));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (scene, next, token) = (self.clone(), Arc::clone(&next), Arc::clone(&token));
            tasks.spawn(async move {
                let mut run = Run::default();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= requests {
                        return run;
                    }
                    run.add(scene.call(&token(number)).await);
                }
            });
        }
        let mut run = Run::default();
        tasks.join_all().await.iter().for_each(|other| run.join(other));
        run
    }
}

#[derive(Debug, Default)]
struct Run {
    good: usize,
    refused: usize,
    unavailable: usize,
    odd: usize,
    slowest: Duration,
}

impl Run {
    fn join(&mut self, other: &Self) {
        self.good += other.good;
        self.refused += other.refused;
        self.unavailable += other.unavailable;
        self.odd += other.odd;
        self.slowest = self.slowest.max(other.slowest);
    }

    fn add(&mut self, answer: Answer) {
        let counter = match answer.status {
            StatusCode::OK => &mut self.good,
            StatusCode::UNAUTHORIZED => &mut self.refused,
            StatusCode::SERVICE_UNAVAILABLE if answer.retry_after => &mut self.unavailable,
            _ => &mut self.odd,
        };
        *counter += 1;
        self.slowest = self.slowest.max(answer.took);
    }
}

/// Shows one row. `held` is the bound, and `says` what was seen.
fn show(name: &str, run: &Run, calls: usize, says: &str, held: bool) -> usize {
    let held = held && run.odd == 0;
    println!(
        "{name:<46} {:>8} {:>8} {:>8} {calls:>8}  {:<6} {says}",
        run.good,
        run.refused,
        run.unavailable,
        if held { "held" } else { "BROKEN" }
    );
    usize::from(!held)
}

fn good(number: usize) -> String {
    format!("good-{number:038}")
}

/// Ten thousand requests at once with one token that nobody has seen.
async fn one_token(callers: usize) -> usize {
    let scene = Scene::new();
    scene.endpoint.slow(Duration::from_millis(200));
    let run = scene.run(callers, callers, |_| good(0)).await;
    let calls = scene.endpoint.calls();
    show(
        "one unseen token, all at once",
        &run,
        calls,
        "1 call, 0 failures",
        calls == 1 && run.good == callers,
    )
}

/// Requests over a thousand tokens, in three cache times.
async fn thousand_tokens(requests: usize) -> usize {
    let scene = Scene::new();
    let mut broken = 0;
    for period in 1..=3 {
        let before = scene.endpoint.calls();
        let run = scene.run(requests, 64, |number| good(number * 7919 % 1000)).await;
        let calls = scene.endpoint.calls() - before;
        let name = format!("1,000 tokens, cache time {period}");
        broken += show(&name, &run, calls, "1,000 calls", calls == 1000 && run.good == requests);
        scene.clock.advance(Duration::from_secs(60));
    }
    broken
}

/// Invented tokens beside a thousand good ones: by as many callers as are asked for, or by more than may wait.
async fn random_tokens(requests: usize, callers: usize) -> usize {
    let scene = Scene::new();
    scene.run(1000, 64, good).await;
    scene.endpoint.slow(Duration::from_millis(1));
    let before = scene.endpoint.calls();
    let invented = |_| format!("random-{:032x}", fastrand::u128(..));
    let mut run = scene.run(requests / 10, callers, invented).await;
    let resident = resident();
    run.join(&scene.run(requests - requests / 10, callers, invented).await);
    let growth = resident_growth(resident);
    let calls = scene.endpoint.calls() - before;
    let most = scene.endpoint.most_at_once();
    let held = run.good == 0 && calls == run.refused && most <= 64 && growth <= 8 * 1024;
    let says = format!("at most {most} at once (bound 64), {growth} KiB more than at a tenth");
    let mut broken = show(&format!("random tokens, {callers} callers"), &run, calls, &says, held);
    let before = scene.endpoint.calls();
    let run = scene.run(1000, 1, good).await;
    let calls = scene.endpoint.calls() - before;
    let held = run.good == 1000 && calls == 0;
    broken += show("the good tokens of before", &run, calls, "all kept: 0 calls", held);
    broken
}

/// The endpoint goes away: by refusing connections, by errors, or by hanging; and comes back.
async fn outage(mode: Mode, name: &str) -> usize {
    let scene = Scene::new();
    scene.run(100, 10, good).await;
    // What went well counts for ten seconds.
    scene.clock.advance(Duration::from_secs(15));
    scene.endpoint.set(mode);
    let before = scene.endpoint.calls();
    let run = scene.run(320, 320, |number| good(1000 + number)).await;
    let deadline = Duration::from_millis(4500);
    let held = run.unavailable == 320 && run.slowest <= deadline;
    let says = format!("503 with Retry-After, slowest {:.1} s (bound 4.5 s)", run.slowest.as_secs_f64());
    let mut broken = show(&format!("{name}: new tokens"), &run, scene.endpoint.calls() - before, &says, held);
    // The control question may still be on its way.
    let opened = async {
        while scene.api.health().can_serve() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), opened).await.unwrap();
    let before = scene.endpoint.calls();
    let run = scene.run(10_000, 64, |number| good(5000 + number)).await;
    let calls = scene.endpoint.calls() - before;
    broken += show(
        &format!("{name}: the breaker is open"),
        &run,
        calls,
        "0 calls",
        calls == 0 && run.unavailable == 10_000,
    );
    let run = scene.run(10_000, 64, |number| good(number % 100)).await;
    broken += show(&format!("{name}: cached tokens"), &run, 0, "none refused", run.good == 10_000);
    scene.endpoint.set(Mode::Well);
    scene.clock.advance(Duration::from_secs(5));
    let before = scene.endpoint.calls();
    let first = scene.run(1, 1, |_| good(100_000)).await;
    let run = scene.run(1000, 64, |number| good(200_000 + number)).await;
    let calls = scene.endpoint.calls() - before;
    let held = first.good == 1 && run.good == 1000;
    broken += show(&format!("{name}: back, after one half-open step"), &run, calls, "none refused", held);
    broken
}

/// Anonymous tokens that the endpoint answers in an odd way, while good ones come.
async fn anonymous(prefix: &'static str) -> usize {
    let scene = Scene::new();
    let mut broken = 0;
    let before = scene.endpoint.calls();
    let flood = scene.run(1000, 32, move |number| format!("{prefix}-{number}"));
    let (run, good) = tokio::join!(flood, scene.run(1000, 4, good));
    let calls = scene.endpoint.calls() - before;
    let held = run.unavailable == 1000 && good.good == 1000 && scene.api.health().can_serve();
    let says = format!("of 1,000 good tokens meanwhile {} refused; calls go on", 1000 - good.good);
    broken += show(&format!("1,000 anonymous tokens answered {prefix}"), &run, calls, &says, held);
    broken
}

/// The resident size of this process in KiB, where `/proc` tells.
fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4)
}

fn resident_growth(before: Option<u64>) -> u64 {
    before.zip(resident()).map_or(0, |(before, after)| after.saturating_sub(before))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if !has("--bench") {
        println!("introspection: run `cargo bench --bench introspection`");
        return ExitCode::SUCCESS;
    }
    if has("cost") {
        let mut bounds = Bounds::default();
        cost::table(has("--quick"), &mut bounds);
        return bounds.end();
    }
    let requests = if has("--quick") { 20_000 } else { 100_000 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<46} {:>8} {:>8} {:>8} {:>8}  bound", "scenario", "200", "401", "503", "calls");
    let broken = runtime.block_on(async {
        let mut broken = one_token(10_000).await;
        broken += thousand_tokens(requests).await;
        broken += random_tokens(requests, 200).await;
        broken += random_tokens(requests, 1000).await;
        broken += outage(Mode::Refuses, "connections refused").await;
        broken += outage(Mode::Fails, "500").await;
        broken += outage(Mode::Hangs, "hanging").await;
        for prefix in ["400", "403", "500"] {
            broken += anonymous(prefix).await;
        }
        broken
    });
    println!();
    let mut bounds = Bounds::default();
    cost::table(has("--quick"), &mut bounds);
    if broken > 0 {
        println!("{broken} broken");
        return ExitCode::FAILURE;
    }
    bounds.end()
}
