//! Bad tokens leave nothing behind: the process and its live allocations are after the last of them what they were after
//! the first tenth.
//!
//! `BEARERGATE_MEMORY_TOKENS=10000000 cargo test --release --test memory` sends so many of each kind; without it, a million
//! where the compiler optimises, and fewer where it does not. A binary of its own with one test, because the resident size is that of the process.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/scene.rs"]
mod scene;

use std::{fs, io::Write as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    Algorithm, AuthErrorKind as Kind, Claims, Presented,
    testing::{TestClock, TestIssuer},
};
use scene::{RESOURCE, Scene};

const TOKENS: u64 = if cfg!(debug_assertions) { 300_000 } else { 1_000_000 };

/// What the resident size may grow by, where the allocator keeps pages.
const MAX_RESIDENT: u64 = 4 * 1024 * 1024;

/// What the live allocations may differ by: the state of the log's limits, a flight, a timer.
const MAX_LIVE: i64 = 64 * 1024;

#[test]
fn jwk_06_bad_tokens_leave_no_memory_behind() {
    let tokens = std::env::var("BEARERGATE_MEMORY_TOKENS").map_or(TOKENS, |tokens| tokens.parse().unwrap());
    // One thread, which is the one whose allocations are counted, and whose time is moved.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let scene = runtime.block_on(async {
        // The algorithm that is checked in the shortest time.
        let issuer = TestIssuer::builder().algorithms([Algorithm::Rs256]).clock(TestClock::new());
        Scene::warm_by(issuer.default_audience(RESOURCE).offline("https://as.example")).await
    });
    let bad = Bad::like(&scene.token());
    for (what, kind, token) in [
        ("invented keys", Kind::UnknownKey, Bad::invented_key as fn(&Bad, u64) -> String),
        ("bad signatures", Kind::InvalidSignature, Bad::bad_signature),
    ] {
        let run = |numbers: std::ops::Range<u64>| {
            runtime.block_on(async {
                for number in numbers {
                    refuse(&scene, &token(&bad, number), kind).await;
                    // An hour and more in all: cooldowns, refreshes and lifetimes pass too.
                    if number % (tokens / 4000).max(1) == 0 {
                        scene::pass(1).await;
                    }
                }
            });
        };
        let tenth = tokens / 10;
        run(0..tenth);
        let resident = resident();
        let measured = allocation_counter::measure(|| run(tenth..tokens));
        assert!(measured.count_total > tokens, "allocations are counted");
        let live = measured.bytes_current;
        let grown = self::resident().zip(resident).map(|(end, tenth)| end.saturating_sub(tenth));
        let grown_text = grown.zip(resident).map_or("not known".to_owned(), |(grown, tenth)| {
            format!("{} KiB and {} KiB more", tenth / 1024, grown / 1024)
        });
        let line = format!(
            "memory: {tokens} {what}, from a tenth to the end: resident {grown_text}, live {live} B more\n"
        );
        let _shown = std::io::stderr().write_all(line.as_bytes());
        assert!(live.abs() <= MAX_LIVE, "{what}: {live}");
        assert!(grown.is_none_or(|grown| grown <= MAX_RESIDENT), "{what}: {grown:?}");
    }
    // And the good token is as good as before.
    assert_eq!(scene.check_now(&scene.token()), std::task::Poll::Ready(Ok(())));
}

async fn refuse(scene: &Scene, token: &str, kind: Kind) {
    let error = scene.api.validate::<Claims>(&Presented::bearer(token)).await.unwrap_err();
    assert_eq!(error.kind(), kind);
    // The answer too, and the log line.
    drop(scene.api.refuse(error).into_response::<Vec<u8>>());
}

/// Bad tokens that cost no signature: one segment of a good token changes.
struct Bad {
    header: String,
    payload: String,
    signature: Vec<u8>,
}

impl Bad {
    fn like(token: &str) -> Self {
        let mut segments = token.split('.');
        let mut next = || segments.next().unwrap().to_owned();
        let (header, payload) = (next(), next());
        Self { header, payload, signature: URL_SAFE_NO_PAD.decode(next()).unwrap() }
    }

    fn invented_key(&self, number: u64) -> String {
        let header =
            format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{:016x}{number:x}"}}"#, fastrand::u64(..));
        let signature = URL_SAFE_NO_PAD.encode(&self.signature);
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), self.payload)
    }

    fn bad_signature(&self, number: u64) -> String {
        let mut signature = self.signature.clone();
        for (octet, change) in signature.iter_mut().zip((number + 1).to_le_bytes()) {
            *octet ^= change;
        }
        format!("{}.{}.{}", self.header, self.payload, URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The resident size of this process, where `/proc` tells. Pages are those of 4 KiB at the least.
fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
