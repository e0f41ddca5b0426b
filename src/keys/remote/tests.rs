//! Every order in which three requests and their driver can be polled and dropped, by hand.
//!
//! Twelve steps where the compiler optimises, as in the second run of `scripts/test`; eight where it does not.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::*;
use crate::{
    clock::{Clock, UnixTime},
    fetch::{Fetch, FetchFuture, FetchRequest, FetchResponse},
    keys::{algorithm::AlgorithmSet, discovery::UrlPolicy},
};

/// What happens to a future in one step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Drop,
    Poll,
}

/// The same moment, always.
#[derive(Clone, Debug)]
struct Still;

impl Clock for Still {
    fn wall(&self) -> UnixTime {
        UnixTime::from_secs(1_800_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1000)
    }
}

/// Answers at the second look, and counts the fetches that run and that ever began.
#[derive(Clone, Debug, Default)]
struct Slow {
    fails: bool,
    running: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Fetch for Slow {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "one fetch at a time");
        let (running, fails) = (Running(Arc::clone(&self.running)), self.fails);
        Box::pin(async move {
            let _running = running;
            let mut looked = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut looked, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            if fails {
                return Err(FetchErrorKind::InvalidDocument.into());
            }
            Ok(FetchResponse::new(http::StatusCode::OK, http::HeaderMap::new(), JWKS.into()))
        })
    }
}

/// RFC 8037 appendix A.2.
const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Remembers whether it was woken since it was last polled.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(1, Ordering::Relaxed);
    }
}

/// A future in a test's hand.
struct Held {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
    polled: bool,
}

impl Held {
    fn new(future: impl Future<Output = ()> + 'static) -> Self {
        Self { future: Some(Box::pin(future)), woken: Arc::default(), polled: false }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Drop => self.future = None,
            Step::Poll => {
                let Some(future) = &mut self.future else { return };
                self.woken.0.store(0, Ordering::Relaxed);
                self.polled = true;
                let waker = Waker::from(Arc::clone(&self.woken));
                if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    self.future = None;
                }
            }
        }
    }

    /// Waits, and nobody has told it to look again.
    fn sleeps(&self) -> bool {
        self.future.is_some() && self.polled && self.woken.0.load(Ordering::Relaxed) == 0
    }
}

struct Scene {
    fetch: Slow,
    shared: Arc<Shared>,
    /// The requests, and last the driver.
    held: [Held; 4],
}

/// What one issuer's requests and driver share, without either.
fn shared(fetch: &Slow) -> Arc<Shared> {
    let source = Source {
        issuer: "https://as.example".into(),
        location: Location::Jwks("https://as.example/jwks".parse().unwrap()),
        urls: UrlPolicy::default(),
        algorithms: AlgorithmSet::default(),
        fetch: Arc::new(fetch.clone()),
        clock: Arc::new(Still),
        feed: crate::keys::change::Feed::default(),
        keeper: None,
    };
    let refresh = Refresh::new(Limits::default(), Still.monotonic());
    Arc::new(Shared {
        fetcher: Fetcher::new(source),
        shell: Arc::new(Shell::new(refresh, Notes::default())),
        ended: Notify::new(),
    })
}

impl Scene {
    fn new(warm: bool, fails: bool) -> Self {
        let fetch = Slow { fails, ..Slow::default() };
        let shared = shared(&fetch);
        let Charge::Begin(epoch) = shared.shell.charge(Still.monotonic(), true) else { unreachable!() };
        if warm {
            let Some(crate::keys::refresh::Drive::Fetch(sequence)) =
                shared.shell.step(epoch, Still.monotonic())
            else {
                unreachable!()
            };
            let set = KeySet::parse(JWKS.as_bytes(), &AlgorithmSet::default()).unwrap();
            shared.finish(
                sequence,
                Ok(Fetched { set: Arc::new(set), lifetime: None, skew: None, published: None }),
            );
        }
        let seen = u64::from(warm);
        let remote = Arc::new(Mutex::new(Some(Remote { shared: Arc::clone(&shared) })));
        let request = || {
            let remote = Arc::clone(&remote);
            Held::new(async move {
                let wanted = remote.lock().unwrap().as_ref().map(|remote| remote.key_missing(seen));
                if let Some(Wanted::Wait(attempt)) = wanted {
                    attempt.await;
                }
            })
        };
        let held =
            [request(), request(), request(), Held::new(Driver { shared: Arc::clone(&shared), epoch }.run())];
        Self { fetch, shared, held }
    }

    /// Whoever waits for a fetch that has ended was told so, and nobody else waits for nothing.
    fn check(&self, order: &[(usize, Step)]) {
        let in_flight = self.shared.shell.look(|refresh, _| refresh.in_flight());
        let driver = &self.held[3];
        for held in &self.held[..3] {
            assert!(!held.sleeps() || in_flight.is_some(), "{order:?}: a request sleeps for ever");
        }
        if in_flight.is_some() && self.shared.shell.is_driven() {
            assert!(!driver.sleeps(), "{order:?}: the driver does not know that it is wanted");
        }
    }

    fn run(mut self, runtime: &tokio::runtime::Runtime, order: &[(usize, Step)]) {
        let entered = runtime.enter();
        for (which, step) in order {
            self.held[*which].step(*step);
            self.check(order);
        }
        drop(entered);
        // What is left goes on as a runtime would have it: whoever is woken is polled.
        for _ in 0..8 {
            // A driver that a request found dead has a successor there.
            runtime.block_on(tokio::task::yield_now());
            let _entered = runtime.enter();
            for held in &mut self.held {
                if !held.sleeps() {
                    held.step(Step::Poll);
                }
            }
            self.check(order);
        }
        for held in &self.held[..3] {
            assert!(held.future.is_none(), "{order:?}: a request got no answer");
        }
        // A successor carries out anew what a dead driver had begun.
        let died = usize::from(order.contains(&(3, Step::Drop)));
        let begun = self.fetch.begun.load(Ordering::Relaxed);
        assert!(begun <= 1 + died, "{order:?}: {begun} fetches");
        assert_eq!(self.shared.shell.waiting(), (0, 0), "{order:?}: somebody is still counted");
    }
}

/// Lets a request come while its driver looks for news: from the drop of a waker, which runs in the middle of that.
struct Between(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Between {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Between {
    fn drop(&mut self) {
        if let Some(request) = self.0.get_mut().unwrap().take() {
            request();
        }
    }
}

#[test]
fn a_request_between_two_looks_of_its_driver_is_seen() {
    let scene = Scene::new(false, false);
    let shared = Arc::clone(&scene.shared);
    let driver = Driver { shared: Arc::clone(&shared), epoch: 1 };
    let waiting = Arc::new(Mutex::new(None));
    let request = {
        let (shared, waiting) = (Arc::clone(&shared), Arc::clone(&waiting));
        move || {
            let ask = |refresh: &mut Refresh, now| refresh.key_missing(now, 0);
            *waiting.lock().unwrap() = Some(shared.shell.demand(Need::Key, Still.monotonic(), ask));
            shared.shell.signal();
        }
    };
    let mut work = Box::pin(driver.while_in_charge(driver.demanded()));
    let waker = Waker::from(Arc::new(Between(Mutex::new(Some(Box::new(request))))));
    assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut poll = work.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(waiting.lock().unwrap().is_some(), "the request came within that poll");
    while poll.is_pending() {
        assert_eq!(woken.0.swap(0, Ordering::Relaxed), 1, "the driver sleeps while a request waits");
        poll = work.as_mut().poll(&mut Context::from_waker(&waker));
    }
    assert_eq!(poll, Poll::Ready(Some(())));
}

/// Every order of the steps of four futures, each of which keeps its own order.
fn each_order(steps: &[[Step; 3]; 4], visit: &mut impl FnMut(&[(usize, Step)])) -> usize {
    fn go(
        steps: &[[Step; 3]; 4],
        done: &mut [usize; 4],
        order: &mut Vec<(usize, Step)>,
        visit: &mut impl FnMut(&[(usize, Step)]),
    ) -> usize {
        if order.len() == 4 * STEPS {
            visit(order);
            return 1;
        }
        let mut visited = 0;
        for which in 0..4 {
            if let Some(step) = steps[which][3 - STEPS..].get(done[which]) {
                done[which] += 1;
                order.push((which, *step));
                visited += go(steps, done, order, visit);
                order.pop();
                done[which] -= 1;
            }
        }
        visited
    }
    go(steps, &mut [0; 4], &mut Vec::with_capacity(12), visit)
}

/// Of each future. Of two, they are its last.
const STEPS: usize = if cfg!(debug_assertions) { 2 } else { 3 };

/// 12! / 3!⁴, or 8! / 2!⁴.
const ORDERS: usize = if cfg!(debug_assertions) { 2520 } else { 369_600 };

fn explore(warm: bool, fails: bool, requests: [[Step; 3]; 3], driver: [Step; 3]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let [first, second, third] = requests;
    let visited = each_order(&[first, second, third, driver], &mut |order| {
        let scene = {
            let _entered = runtime.enter();
            Scene::new(warm, fails)
        };
        scene.run(&runtime, order);
    });
    assert_eq!(visited, ORDERS);
}

use Step::{Drop as D, Poll as P};

#[test]
fn jwk_09_in_every_order_of_steps_a_cold_start_answers_all() {
    explore(false, false, [[P, P, D], [P, P, P], [P, D, D]], [P, P, P]);
}

#[test]
fn jwk_09_in_every_order_of_steps_an_unknown_key_answers_all() {
    explore(true, false, [[P, P, D], [P, P, P], [P, D, D]], [P, P, P]);
}

#[test]
fn jwk_09_in_every_order_of_steps_a_failing_fetch_answers_all() {
    explore(true, true, [[P, P, P], [P, P, P], [P, D, D]], [P, P, P]);
}

#[test]
fn ops_10_in_every_order_of_steps_a_dying_driver_answers_all() {
    explore(true, false, [[P, P, P], [P, P, P], [P, D, D]], [P, P, D]);
}

#[test]
fn a_request_is_noticed_whoever_took_the_news_of_it() {
    let shared = shared(&Slow::default());
    let shell = Arc::clone(&shared.shell);
    let Charge::Begin(epoch) = shell.charge(Still.monotonic(), true) else { unreachable!() };
    let driver = Driver { shared, epoch };
    let mut context = Context::from_waker(Waker::noop());
    let mut demanded = pin!(driver.demanded());
    assert!(demanded.as_mut().poll(&mut context).is_pending());
    // Between two looks of the driver's own, on another thread.
    let _waits = shell.begin(Still.monotonic());
    shell.signal();
    assert!(shell.poll_news(epoch, &mut context).is_ready());
    assert!(demanded.as_mut().poll(&mut context).is_ready());
}
