//! What does the field `Date` look like?

use http::HeaderValue;

/// A moment in seconds since 1970 as IMF-fixdate (RFC 9110 §5.6.7), within the years 1970 to 9999.
pub(super) fn http_date(seconds: i64) -> HeaderValue {
    let seconds = seconds.clamp(0, LAST);
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS.get(usize::try_from(days % 7).unwrap_or_default()).unwrap_or(&"");
    let mut year = 1970_i64;
    while days >= days_in(year) {
        days = days.saturating_sub(days_in(year));
        year = year.saturating_add(1);
    }
    let mut month = "Jan";
    for (name, length) in MONTHS {
        let length = if name == "Feb" && days_in(year) == 366 { 29 } else { length };
        month = name;
        if days < length {
            break;
        }
        days = days.saturating_sub(length);
    }
    let (day, hour, minute, second) = (days.saturating_add(1), time / 3600, time / 60 % 60, time % 60);
    let text = format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT");
    HeaderValue::try_from(text).expect("a date is ASCII")
}

fn days_in(year: i64) -> i64 {
    if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 }
}

/// The end of 9999.
const LAST: i64 = 253_402_300_799;

/// 1 January 1970 was a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [(&str, i64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

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
