//! A restart while the issuer is down costs no good token, and no snapshot opens a door. Time is paused: nothing here waits.
#![cfg(unix)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "common/fetch.rs"]
mod fetch;
#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/log.rs"]
mod log;

use std::{
    collections::{HashMap, HashSet},
    fs,
    future::Future,
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bearergate::{
    AuthErrorKind as Kind, Claims, ConfigError, FetchErrorKind, Issuer, KeySnapshots, Presented,
    ResourceServer, SnapshotStore, UnixTime,
    testing::{TestClock, TestIssuer},
};
use fetch::{Mode, ScriptedFetch};
use http::{HeaderMap, HeaderValue};
use log::Log;
use serde_json::{Value, json};

const RESOURCE: &str = "https://api.example.com";
const MAC_KEY: [u8; 32] = [7; 32];

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An issuer, the client that reaches it, and the place that outlives the processes.
struct Scene {
    clock: TestClock,
    issuer: TestIssuer,
    fetch: ScriptedFetch,
    snapshots: KeySnapshots,
    folder: PathBuf,
}

impl Scene {
    /// With a folder of its own, named after the test.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("snapshot-{name}"));
        let _there_is_none = fs::remove_file(&folder);
        let _there_is_none = fs::remove_dir_all(&folder);
        Self { snapshots: KeySnapshots::folder(&folder), folder, ..Self::with(Memory::default()) }
    }

    fn with(store: impl SnapshotStore) -> Self {
        let clock = TestClock::at(UnixTime::from_secs(1_800_000_000));
        let issuer = TestIssuer::builder()
            .clock(clock.clone())
            .default_audience(RESOURCE)
            .offline("https://as.example");
        let fetch = ScriptedFetch::new(&issuer);
        let snapshots = KeySnapshots::store(store, MAC_KEY);
        Self { clock, issuer, fetch, snapshots, folder: PathBuf::new() }
    }

    /// A process that starts.
    fn start(&self) -> ResourceServer {
        self.start_with(Issuer::discover(self.issuer.url()))
    }

    fn start_with(&self, issuer: Issuer) -> ResourceServer {
        ResourceServer::builder(RESOURCE)
            .trust(issuer)
            .clock(self.clock.clone())
            .http_client(self.fetch.clone())
            .keep_keys(self.snapshots.clone())
            .build()
            .unwrap()
    }

    /// A process that fetched the keys, and ended.
    async fn fetched_before(&self) {
        let api = self.start();
        api.ready().await.unwrap();
        written().await;
        api.shutdown().await;
    }

    fn outage(&self) {
        self.fetch.set(Mode::Error(FetchErrorKind::Connect));
    }

    fn token(&self) -> String {
        self.issuer.token().expires_in(s(100_000)).mint()
    }

    fn unknown_kid(&self) -> String {
        self.issuer.token().header("kid", "unknown").mint()
    }

    /// The file of the issuer.
    fn file(&self) -> PathBuf {
        let files: Vec<_> = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    fn document(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap()
    }

    /// Whether a process that starts while the issuer is down has keys, and what it logs meanwhile.
    async fn restarts_with_keys(&self) -> (bool, String) {
        self.outage();
        let (api, log) = Log::during(|| self.start());
        let verdict = check(&api, &self.token()).await;
        assert!(matches!(verdict, Ok(()) | Err(Kind::KeysUnavailable)), "{verdict:?}");
        (verdict.is_ok(), log)
    }

    /// That the snapshot is ignored for this reason, and nothing of it is logged.
    async fn is_ignored(&self, reason: &str) {
        let (has_keys, log) = self.restarts_with_keys().await;
        assert!(!has_keys, "{reason}");
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings.len(), 1, "{log}");
        assert!(warnings[0].contains(&format!("reason=\"{reason}\"")), "{reason}: {warnings:?}");
        assert!(warnings[0].contains("a snapshot of keys is ignored"), "{warnings:?}");
        assert!(!log.contains("P-256"), "{log}");
    }
}

async fn check(api: &ResourceServer, token: &str) -> Result<(), Kind> {
    api.validate::<Claims>(&Presented::bearer(token)).await.map(drop).map_err(|error| error.kind())
}

/// The verdict that comes without waiting.
fn check_now(api: &ResourceServer, token: &str) -> Poll<Result<(), Kind>> {
    let presented = Presented::bearer(token);
    let verdict = pin!(api.validate::<Claims>(&presented));
    let verdict = verdict.poll(&mut Context::from_waker(Waker::noop()));
    verdict.map(|verdict| verdict.map(drop).map_err(|error| error.kind()))
}

async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Paused time stands still while a thread for blocking work is busy: behind this, what was begun is written.
async fn written() {
    pass(Duration::from_millis(1)).await;
}

/// A store in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Stored>);

#[derive(Default)]
struct Stored {
    documents: Mutex<HashMap<String, Vec<u8>>>,
    saves: AtomicUsize,
    fails: AtomicBool,
    panics: AtomicBool,
}

impl Memory {
    fn saves(&self) -> usize {
        self.0.saves.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl Fn(&mut Vec<u8>)) {
        self.0.documents.lock().unwrap().values_mut().for_each(change);
    }
}

impl SnapshotStore for Memory {
    fn load(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        if self.0.fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("the store is out of reach"));
        }
        Ok(self.0.documents.lock().unwrap().get(name).cloned())
    }

    fn save(&self, name: &str, document: &[u8]) -> io::Result<()> {
        self.0.saves.fetch_add(1, Ordering::Relaxed);
        if self.0.fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("the store is out of reach"));
        }
        assert!(!self.0.panics.load(Ordering::Relaxed), "the store panics, as the test wants it");
        self.0.documents.lock().unwrap().insert(name.to_owned(), document.to_vec());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_01_a_restart_while_the_issuer_is_down_costs_no_good_token() {
    let scene = Scene::new("restart");
    scene.fetched_before().await;
    for mode in [Mode::Error(FetchErrorKind::Connect), Mode::Hang, Mode::Panic, Mode::Jwks("<html>".into())] {
        scene.fetch.set(mode.clone());
        let api = scene.start();
        // At once: the first fetch has not even begun.
        assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())), "{mode:?}");
        assert!(api.health().can_serve());
        // What the keys do not decide waits for the first fetch.
        let forged = scene.issuer.token().forged().mint();
        assert_eq!(check_now(&api, &forged), Poll::Pending);
        assert_eq!(check(&api, &forged).await, Err(Kind::InvalidSignature), "{mode:?}");
        assert_eq!(check(&api, &scene.unknown_kid()).await, Err(Kind::UnknownKeyDuringOutage), "{mode:?}");
        assert_eq!(check(&api, &scene.issuer.token().expired().mint()).await, Err(Kind::Expired));
        // `ready()` still tells how the first attempt went.
        api.ready().await.unwrap_err();
        assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())), "{mode:?}");
    }
    // Without a snapshot none of this is so.
    fs::remove_file(scene.file()).unwrap();
    let (has_keys, log) = scene.restarts_with_keys().await;
    assert!(!has_keys && !log.contains("WARN") && log.contains("there is no snapshot of keys"), "{log}");
}

#[test]
fn kept_keys_serve_without_a_runtime() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let scene = runtime.block_on(async {
        let scene = Scene::new("no-runtime");
        scene.fetched_before().await;
        scene
    });
    scene.outage();
    let api = scene.start();
    assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
    assert_eq!(check_now(&api, &scene.unknown_kid()), Poll::Ready(Err(Kind::UnknownKeyDuringOutage)));
}

#[tokio::test(start_paused = true)]
async fn jwk_04_the_first_fetch_replaces_what_was_kept() {
    let scene = Scene::new("replaced");
    scene.fetched_before().await;
    let old = scene.token();
    scene.issuer.rotate();
    let new = scene.token();
    scene.fetch.set(Mode::Slow(Duration::from_millis(500)));
    let api = scene.start();
    assert_eq!(check_now(&api, &old), Poll::Ready(Ok(())));
    // The new key is waited for, as behind any held set.
    assert_eq!(check(&api, &new).await, Ok(()));
    scene.fetch.set(Mode::Good);
    assert_eq!(scene.fetch.jwks_requests(), 2);
    // The removed key is gone, and the budget for tokens was not touched: this one asks at once.
    assert_eq!(check(&api, &old).await, Err(Kind::UnknownKey));
    assert_eq!(scene.fetch.jwks_requests(), 3);
    // And gone from what is kept.
    written().await;
    api.shutdown().await;
    scene.outage();
    let api = scene.start();
    assert_eq!(check_now(&api, &new), Poll::Ready(Ok(())));
    assert_eq!(check(&api, &old).await, Err(Kind::UnknownKeyDuringOutage));
}

#[tokio::test(start_paused = true)]
async fn jwk_07_a_rotation_right_after_the_first_fetch_is_seen() {
    let scene = Scene::new("rotation");
    scene.fetched_before().await;
    scene.issuer.rotate();
    let api = scene.start();
    assert_eq!(check(&api, &scene.token()).await, Ok(()));
    // The first fetch was the schedule's, whatever token waited for it.
    scene.issuer.rotate();
    assert_eq!(check(&api, &scene.token()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn jwk_02_keys_live_no_longer_through_a_restart() {
    let scene = Scene::new("age");
    scene.fetched_before().await;
    scene.outage();
    // Fresh for 300 s, stale for 3600 s more. The host was down for most of it.
    scene.clock.advance(s(3800));
    let api = scene.start();
    assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
    pass(s(50)).await;
    // Another restart gives no more time.
    api.shutdown().await;
    let api = scene.start();
    assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
    pass(s(48)).await;
    assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
    pass(s(3)).await;
    assert_eq!(check(&api, &scene.token()).await, Err(Kind::KeysUnavailable));
    api.shutdown().await;
    scene.is_ignored("too_old").await;
    // It heals as without.
    scene.fetch.set(Mode::Good);
    let api = scene.start();
    assert_eq!(check(&api, &scene.token()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn jwk_17_a_wall_clock_that_was_set_back_makes_no_key_immortal() {
    let scene = Scene::new("clock");
    scene.fetched_before().await;
    scene.clock.set(UnixTime::from_secs(1_800_000_000 - 299));
    assert!(scene.restarts_with_keys().await.0);
    scene.clock.set(UnixTime::from_secs(1_800_000_000 - 301));
    scene.is_ignored("from_the_future").await;
}

#[tokio::test(start_paused = true)]
async fn the_lifetime_that_the_server_named_is_kept() {
    let mut headers = HeaderMap::new();
    headers.insert("cache-control", HeaderValue::from_static("max-age=60"));
    let scene = Scene::new("lifetime");
    scene.fetch.set(Mode::WithHeaders(headers));
    scene.fetched_before().await;
    assert_eq!(scene.document()["lifetime"], 60);
    assert_eq!(scene.document()["fetched"], 1_800_000_000);
    scene.clock.advance(s(3655));
    assert!(scene.restarts_with_keys().await.0);
    scene.clock.advance(s(10));
    scene.is_ignored("too_old").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_snapshot_of_this_issuer_is_ignored() {
    let scene = Scene::new("faults");
    scene.fetched_before().await;
    let file = scene.file();
    let good = fs::read_to_string(&file).unwrap();
    let changed = |member: &str, value: Value| {
        let mut document: Value = serde_json::from_str(&good).unwrap();
        document[member] = value;
        document.to_string()
    };
    let now = scene.clock_secs();
    for (reason, document) in [
        ("damaged", String::new()),
        ("damaged", "{}".into()),
        ("damaged", "<html>".into()),
        ("damaged", good[..good.len() - 1].to_owned()),
        ("damaged", good[..good.len() / 2].to_owned()),
        ("damaged", format!("{good}{good}")),
        ("damaged", good.replacen('{', "{\"issuer\":\"https://as.example\",", 1)),
        ("damaged", format!("{good}{}", " ".repeat(600_000))),
        ("damaged", changed("version", json!(2))),
        ("damaged", changed("jwks", json!({ "keys": {} }))),
        ("foreign_issuer", changed("issuer", json!("https://as.example/"))),
        ("other_place", changed("jwks_uri", json!("http://as.example/jwks"))),
        ("other_place", changed("jwks_uri", json!("https://user:secret@as.example/jwks"))),
        ("other_place", changed("jwks_uri", json!("jwks"))),
        ("too_old", changed("fetched", json!(now - 3901))),
        ("from_the_future", changed("fetched", json!(now + 400))),
        ("no_usable_key", changed("jwks", json!({ "keys": [] }))),
        ("no_usable_key", good.replacen("\"kty\"", "\"d\":\"AAAA\",\"kty\"", 1)),
    ] {
        fs::write(&file, document).unwrap();
        scene.is_ignored(reason).await;
    }
    // A pipe without a writer would be waited for, a folder cannot be read.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    scene.is_ignored("unreachable").await;
    fs::remove_dir(&file).unwrap();
    fs::write(&file, good).unwrap();
    assert!(scene.restarts_with_keys().await.0);
}

impl Scene {
    fn clock_secs(&self) -> i64 {
        use bearergate::Clock as _;
        self.clock.wall().as_secs()
    }
}

#[tokio::test(start_paused = true)]
async fn keys_of_another_place_are_not_those_of_an_entry_that_names_its_own() {
    let scene = Scene::new("place");
    scene.fetched_before().await;
    scene.outage();
    let restart = |jwks_uri: &str| {
        let issuer = Issuer::jwks_uri(scene.issuer.url(), jwks_uri);
        let (api, log) = Log::during(|| scene.start_with(issuer));
        (check_now(&api, &scene.token()), log)
    };
    assert_eq!(restart("https://as.example/jwks").0, Poll::Ready(Ok(())));
    let (verdict, log) = restart("https://as.example/jwks2");
    assert_eq!(verdict, Poll::Pending);
    assert!(log.contains("reason=\"other_place\""), "{log}");
}

#[tokio::test(start_paused = true)]
async fn the_allow_list_of_today_decides() {
    let scene = Scene::new("algorithms");
    scene.fetched_before().await;
    scene.outage();
    let issuer = Issuer::discover(scene.issuer.url()).algorithms([bearergate::Algorithm::Rs256]);
    let (_api, log) = Log::during(|| scene.start_with(issuer));
    assert!(log.contains("reason=\"no_usable_key\""), "{log}");
}

#[tokio::test(start_paused = true)]
async fn what_others_can_write_is_ignored() {
    let scene = Scene::new("permissions");
    scene.fetched_before().await;
    let file = scene.file();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (folder, mode, reason) in [
        (0o700, 0o600, None),
        (0o755, 0o644, None), // readable: the keys are public
        (0o700, 0o620, Some("unsafe_permissions")),
        (0o700, 0o602, Some("unsafe_permissions")),
        (0o700, 0o666, Some("unsafe_permissions")),
        (0o770, 0o600, Some("unsafe_permissions")),
        (0o702, 0o600, Some("unsafe_permissions")),
        (0o1777, 0o600, Some("unsafe_permissions")),
    ] {
        set(&file, mode);
        set(&scene.folder, folder);
        match reason {
            Some(reason) => scene.is_ignored(reason).await,
            None => assert!(scene.restarts_with_keys().await.0, "{folder:o} {mode:o}"),
        }
        set(&scene.folder, 0o700);
    }
    set(&file, 0o600);
    // Of another user, as far as this one may give files away.
    if chown(&file, Some(12345), None).is_ok() {
        scene.is_ignored("unsafe_permissions").await;
        chown(&scene.folder, Some(12345), None).unwrap();
        scene.is_ignored("unsafe_permissions").await;
        let own = fs::metadata(env!("CARGO_TARGET_TMPDIR")).unwrap().uid();
        chown(&file, Some(own), None).unwrap();
        scene.is_ignored("unsafe_permissions").await;
        chown(&scene.folder, Some(own), None).unwrap();
    }
    assert!(scene.restarts_with_keys().await.0);
    assert_eq!(scene.file(), file, "nothing is left behind");
}

#[tokio::test(start_paused = true)]
async fn no_symbolic_link_is_followed() {
    let scene = Scene::new("links");
    scene.fetched_before().await;
    let file = scene.file();
    let elsewhere = scene.folder.with_extension("elsewhere");
    let _there_is_none = fs::remove_dir_all(&elsewhere);
    // The file is one.
    fs::create_dir(&elsewhere).unwrap();
    let target = elsewhere.join("target");
    fs::rename(&file, &target).unwrap();
    symlink(&target, &file).unwrap();
    scene.is_ignored("symlink").await;
    // To write replaces the link, and leaves alone what it points to.
    let before = fs::read(&target).unwrap();
    scene.fetch.set(Mode::Good);
    scene.issuer.rotate();
    scene.fetched_before().await;
    assert_eq!(fs::read(&target).unwrap(), before);
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    assert!(scene.restarts_with_keys().await.0);
    // The folder is one, however it is written.
    fs::remove_dir_all(&elsewhere).unwrap();
    fs::rename(&scene.folder, &elsewhere).unwrap();
    symlink(&elsewhere, &scene.folder).unwrap();
    for suffix in ["", "/", "/."] {
        let path = format!("{}{suffix}", scene.folder.display());
        let scene = Scene { snapshots: KeySnapshots::folder(path), ..scene.clone() };
        scene.is_ignored("symlink").await;
        scene.fetch.set(Mode::Good);
        scene.issuer.rotate();
        let before = fs::read(elsewhere.join(file.file_name().unwrap())).unwrap();
        scene.fetched_before().await;
        assert_eq!(fs::read(elsewhere.join(file.file_name().unwrap())).unwrap(), before);
    }
    fs::remove_file(&scene.folder).unwrap();
}

impl Clone for Scene {
    fn clone(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            issuer: self.issuer.clone(),
            fetch: self.fetch.clone(),
            snapshots: self.snapshots.clone(),
            folder: self.folder.clone(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_public_keys_are_written_and_for_the_owner_alone() {
    let scene = Scene::new("public");
    let mut jwks: Value = serde_json::from_str(&scene.issuer.jwks()).unwrap();
    let good = jwks["keys"][0].clone();
    let with = |member: &str, value: &str| {
        let mut jwk = good.clone();
        jwk["kid"] = json!(format!("with-{member}"));
        jwk[member] = json!(value);
        jwk
    };
    jwks["keys"] = json!([
        good,
        with("d", "c2VjcmV0LWQ"),
        { "kty": "oct", "kid": "shared", "k": "c2VjcmV0LWs" },
        with("note", "secret-note"),
    ]);
    jwks["password"] = json!("secret-password");
    scene.fetch.set(Mode::Jwks(jwks.to_string()));
    scene.fetched_before().await;
    let text = fs::read_to_string(scene.file()).unwrap();
    for secret in ["c2VjcmV0", "secret", "password", "oct", "with-d", "\"d\""] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let keys = &scene.document()["jwks"]["keys"];
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert_eq!((&keys[0], &keys[1]["kid"]), (&good, &json!("with-note")));
    assert_eq!(fs::metadata(scene.file()).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(&scene.folder).unwrap().mode() & 0o7777, 0o700);
    let name = scene.file().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.len() == 64 + 5 && !name.contains("as.example"), "{name}");
}

#[tokio::test(start_paused = true)]
async fn a_store_is_believed_by_its_mac() {
    let memory = Memory::default();
    let scene = Scene::with(memory.clone());
    scene.fetched_before().await;
    assert!(scene.restarts_with_keys().await.0);
    // Another key, and every octet counts.
    let other = Scene { snapshots: KeySnapshots::store(memory.clone(), [8; 32]), ..scene.clone() };
    other.is_ignored("wrong_mac").await;
    for place in [0, 42, 43, 44, 200] {
        memory.change(|document| document[place] ^= 1);
        scene.is_ignored("wrong_mac").await;
        memory.change(|document| document[place] ^= 1);
    }
    let length = memory.0.documents.lock().unwrap().values().next().unwrap().len();
    memory.change(|document| document.truncate(length - 1));
    scene.is_ignored("wrong_mac").await;
    memory.change(|document| document.resize(10_000_000, b' '));
    scene.is_ignored("damaged").await;
    memory.0.fails.store(true, Ordering::Relaxed);
    scene.is_ignored("unreachable").await;
    memory.0.fails.store(false, Ordering::Relaxed);
    memory.0.documents.lock().unwrap().clear();
    let (has_keys, log) = scene.restarts_with_keys().await;
    assert!(!has_keys && !log.contains("WARN"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_was_moved_to_another_name_is_foreign() {
    let memory = Memory::default();
    let scene = Scene::with(memory.clone());
    scene.fetched_before().await;
    let other = TestIssuer::builder()
        .clock(scene.clock.clone())
        .default_audience(RESOURCE)
        .offline("https://other.example");
    let scene = Scene { fetch: ScriptedFetch::new(&other), issuer: other, ..scene };
    scene.fetched_before().await;
    // Whoever can write the store can copy what carries a good code.
    let mut documents = memory.0.documents.lock().unwrap().clone();
    assert_eq!(documents.len(), 2);
    let (one, two): (Vec<_>, Vec<_>) = documents.drain().unzip();
    *memory.0.documents.lock().unwrap() = one.into_iter().zip(two.into_iter().rev()).collect();
    scene.is_ignored("foreign_issuer").await;
}

#[tokio::test(start_paused = true)]
async fn changed_keys_are_written_at_once_and_renewed_ones_once_a_minute() {
    let memory = Memory::default();
    let scene = Scene::with(memory.clone());
    let api = scene.start();
    api.ready().await.unwrap();
    written().await;
    assert_eq!(memory.saves(), 1);
    for _ in 0..5 {
        api.refresh_now().await.unwrap();
        written().await;
    }
    assert_eq!(memory.saves(), 1, "nothing is new but the time");
    scene.issuer.rotate();
    api.refresh_now().await.unwrap();
    written().await;
    assert_eq!(memory.saves(), 2);
    for minute in 1..=10 {
        pass(s(60)).await;
        for _ in 0..3 {
            api.refresh_now().await.unwrap();
            written().await;
        }
        assert_eq!(memory.saves(), 2 + minute);
    }
    // A failed fetch renews nothing.
    scene.outage();
    pass(s(3000)).await;
    assert_eq!(memory.saves(), 12);
    // Nor does the start of another process.
    drop(scene.start());
    written().await;
    assert_eq!(memory.saves(), 12);
}

/// Runs with paused time, and gives what is logged.
fn logged(test: impl AsyncFnOnce()) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    Log::during(|| runtime.unwrap().block_on(test())).1
}

#[test]
fn a_failing_write_is_told_once_and_harms_no_request() {
    for panics in [false, true] {
        let log = logged(async || {
            let memory = Memory::default();
            let broken = if panics { &memory.0.panics } else { &memory.0.fails };
            let scene = Scene::with(memory.clone());
            let api = scene.start();
            broken.store(true, Ordering::Relaxed);
            api.ready().await.unwrap();
            for attempt in 1..=5 {
                written().await;
                assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
                // The next keys are tried again, although nothing is new.
                assert_eq!(memory.saves(), attempt);
                api.refresh_now().await.unwrap();
            }
            broken.store(false, Ordering::Relaxed);
            api.refresh_now().await.unwrap();
            written().await;
            assert!(scene.restarts_with_keys().await.0);
        });
        let count = |text: &str| log.lines().filter(|l| l.contains("WARN") && l.contains(text)).count();
        assert_eq!(count("the snapshot of keys cannot be written"), 1, "{log}");
        assert_eq!(count("the snapshot of keys is written again"), 1, "{log}");
        assert!(log.contains("reason=\"unreachable\""), "{log}");
        assert!(panics || log.contains("the store is out of reach"), "{log}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told_once() {
    let log = logged(async || {
        let scene = Scene::new("unwritable");
        fs::write(&scene.folder, "a file where the folder should be").unwrap();
        let api = scene.start();
        api.ready().await.unwrap();
        written().await;
        for _ in 0..3 {
            api.refresh_now().await.unwrap();
            written().await;
        }
        assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
    });
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}"); // one for reading, one for writing
    assert!(warnings.iter().all(|line| line.contains("reason=\"unreachable\"")), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_holds_nobody_up() {
    struct Hanging(Mutex<mpsc::Receiver<()>>, Arc<AtomicUsize>);
    impl SnapshotStore for Hanging {
        fn load(&self, _name: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }
        fn save(&self, _name: &str, _document: &[u8]) -> io::Result<()> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.lock().unwrap().recv().map_err(io::Error::other)
        }
    }
    let (go, wait) = mpsc::channel();
    let saves = Arc::new(AtomicUsize::new(0));
    let scene = Scene::with(Hanging(Mutex::new(wait), Arc::clone(&saves)));
    let api = scene.start();
    api.ready().await.unwrap();
    while saves.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    // While it hangs, requests are answered, keys are fetched, and no second write begins.
    let first = scene.issuer.jwks();
    for _ in 0..3 {
        scene.issuer.rotate();
        scene.fetch.set(Mode::Good);
        api.refresh_now().await.unwrap();
        assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
        // Also back to the keys that were there before.
        scene.fetch.set(Mode::Jwks(first.clone()));
        api.refresh_now().await.unwrap();
        scene.fetch.set(Mode::Good);
        api.refresh_now().await.unwrap();
    }
    assert_eq!(saves.load(Ordering::SeqCst), 1);
    // Of those that came meanwhile, the newest is written, and no other.
    go.send(()).unwrap();
    go.send(()).unwrap();
    written().await;
    assert_eq!(saves.load(Ordering::SeqCst), 2);
}

#[test]
fn a_write_that_its_runtime_did_not_live_to_see_is_followed_by_another() {
    let memory = Memory::default();
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = runtime();
    let (scene, api) = first.block_on(async {
        let scene = Scene::with(memory.clone());
        let api = scene.start();
        api.ready().await.unwrap();
        (scene, api)
    });
    drop(first);
    let before = memory.saves();
    runtime().block_on(async {
        api.refresh_now().await.unwrap();
        written().await;
    });
    assert!(memory.saves() > 0 && memory.saves() <= before + 1);
    assert_eq!(memory.0.documents.lock().unwrap().len(), 1);
    drop(scene);
}

#[test]
fn two_servers_that_share_a_folder_never_tear_a_file() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snapshot-shared");
    let _there_is_none = fs::remove_dir_all(&folder);
    let snapshots = KeySnapshots::folder(&folder);
    let done = AtomicBool::new(false);
    let documents = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let scene = Scene { snapshots: snapshots.clone(), ..Scene::with(Memory::default()) };
                    let api = scene.start();
                    while !done.load(Ordering::SeqCst) {
                        scene.issuer.rotate();
                        api.refresh_now().await.unwrap();
                    }
                });
            });
        }
        let mut different = HashSet::new();
        while different.len() < 20 {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
            different.extend(files.map(|path| fs::read(path).unwrap_or_default()));
        }
        done.store(true, Ordering::SeqCst);
        different
    });
    for document in documents {
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["issuer"], "https://as.example");
    }
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_process_left_that_died_while_writing_is_removed() {
    let scene = Scene::new("left-behind");
    scene.fetched_before().await;
    let now = fs::metadata(scene.file()).unwrap().modified().unwrap();
    let names = ["0123.4567.tmp", "89ab.cdef.tmp", "notes.txt"];
    for (name, age) in names.into_iter().zip([7200, 60, 7200]) {
        let file = fs::File::create(scene.folder.join(name)).unwrap();
        file.set_modified(now.checked_sub(s(age)).unwrap()).unwrap();
    }
    let scene = Scene { snapshots: KeySnapshots::folder(&scene.folder), ..scene };
    scene.fetched_before().await;
    let left: Vec<_> = names.into_iter().filter(|name| scene.folder.join(name).exists()).collect();
    assert_eq!(left, ["89ab.cdef.tmp", "notes.txt"]);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_added_later_finds_its_keys_too() {
    let scene = Scene::new("added");
    scene.fetched_before().await;
    scene.outage();
    let api = scene.start_with(Issuer::discover("https://other.example"));
    api.issuers().add(Issuer::discover(scene.issuer.url())).unwrap();
    assert_eq!(check_now(&api, &scene.token()), Poll::Ready(Ok(())));
}

#[test]
fn what_cannot_work_is_said_when_the_server_is_built() {
    let build = |snapshots| {
        ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover("https://as.example"))
            .http_client(ScriptedFetch::of([]))
            .keep_keys(snapshots)
            .build()
            .map(drop)
    };
    for octets in [0, 1, 31] {
        let error = build(KeySnapshots::store(Memory::default(), vec![7; octets])).unwrap_err();
        assert!(matches!(error, ConfigError::KeySnapshots { .. }), "{error:?}");
        assert!(error.to_string().contains("give `KeySnapshots::store(..)` 32 random octets"), "{error}");
    }
    let error = build(KeySnapshots::folder("")).unwrap_err();
    assert!(error.to_string().contains("give `KeySnapshots::folder(..)` a path"), "{error}");
    build(KeySnapshots::store(Memory::default(), [7; 32])).unwrap();
    build(KeySnapshots::store(Memory::default(), vec![7; 64])).unwrap();
    // A folder that is not there yet, or never can be: the service starts.
    build(KeySnapshots::folder("/nowhere/at/all")).unwrap();
}

#[test]
fn the_mac_key_is_not_printed() {
    let snapshots = KeySnapshots::store(Memory::default(), *b"the-secret-mac-key-of-this-test!");
    for text in [format!("{snapshots:?}"), format!("{snapshots:#?}")] {
        assert!(text.contains("[REDACTED]"), "{text}");
        assert!(!text.contains("secret") && !text.contains("116, 104"), "{text}");
    }
}
