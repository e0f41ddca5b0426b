//! What does the field `Date` look like?

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;

/// A moment in seconds since 1970 as IMF-fixdate (RFC 9110 §5.6.7), within the years 1970 to 9999.
pub(super) fn http_date(seconds: i64) -> HeaderValue {
    let seconds = u64::try_from(seconds.clamp(0, LAST)).unwrap_or_default();
    let moment = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    HeaderValue::try_from(httpdate::fmt_http_date(moment)).expect("a date is ASCII")
}

/// The end of 9999.
const LAST: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_one_form() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), // RFC 9110 §5.6.7
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (i64::MIN, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(http_date(seconds), text);
        }
    }
}
