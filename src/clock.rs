//! Where the time comes from.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, UNIX_EPOCH},
};

/// Two clocks: `wall` judges the times in tokens, `monotonic` measures ages.
///
/// The default is [`SystemClock`]; tests inject their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day. A time before 1970 means "unreadable": every request is then answered 503.
    fn wall(&self) -> UnixTime;

    /// The time since any fixed moment; never steps back.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall(&self) -> UnixTime {
        (**self).wall()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> UnixTime {
        #[expect(clippy::disallowed_types, reason = "this is the clock")]
        std::time::SystemTime::now().duration_since(UNIX_EPOCH).map_or(UnixTime::UNREADABLE, |since| {
            i64::try_from(since.as_millis()).map_or(UnixTime::UNREADABLE, UnixTime::from_millis)
        })
    }

    fn monotonic(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = std::time::Instant::now();
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        now.saturating_duration_since(*START.get_or_init(|| now))
    }
}

/// A moment as milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored (RFC 7519 §2, *NumericDate*).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(i64);

impl UnixTime {
    /// What a clock gives that cannot be read.
    pub const UNREADABLE: Self = Self(i64::MIN);

    /// The last moment of the year 9999, the latest that a token may name.
    pub const MAX_DATE: Self = Self(253_402_300_799_000);

    /// The moment that is `seconds` after 1970 began; saturates.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The moment that is `millis` milliseconds after 1970 began.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Whole seconds since 1970 began, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds since 1970 began.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment plus `duration`; saturates.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment minus `duration`; saturates.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this moment, zero where it lies before.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment of a `Date` field (RFC 9110 §5.6.7); `None` for a text that is none, or before 1970.
    #[expect(clippy::disallowed_types, reason = "the library's type for a moment; nobody asks the time here")]
    pub(crate) fn from_http_date(text: &str) -> Option<Self> {
        let date: std::time::SystemTime = httpdate::parse_http_date(text).ok()?;
        let since = date.duration_since(UNIX_EPOCH).ok()?;
        Some(Self::from_secs(i64::try_from(since.as_secs()).ok()?))
    }

    /// Whether the moment lies in 1970 or later.
    pub const fn is_readable(self) -> bool {
        self.0 >= 0
    }
}
