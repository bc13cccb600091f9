//! Small texts of the runtime API: ASCII escapes, JSON strings, words for tag letters, times.

use std::fmt::Write as _;

/// `text` with every byte outside printable ASCII as `\xHH`, for clients that decode strict ASCII.
pub(crate) fn ascii(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte == b' ' || byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// `text` as a JSON string, quotes included, in plain ASCII.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::Value::from(ascii(text)).to_string()
}

/// Origin, nature and scope in words, for three tag letters.
pub(crate) fn tag_words(tags: &str) -> (&'static str, &'static str, &'static str) {
    let mut letters = tags.chars();
    let origin = match letters.next() {
        Some('M') => "Metric",
        Some('S') => "Status",
        Some('K') => "Key",
        Some('C') => "Config",
        _ => "Product",
    };
    let nature = match letters.next() {
        Some('G') => "Gauge",
        Some('L') => "Limit",
        Some('m') => "Min",
        Some('M') => "Max",
        Some('C') => "Counter",
        Some('R') => "Rate",
        Some('D') => "Duration",
        Some('A') => "Age",
        Some('a') => "Avg",
        Some('T') => "Time",
        Some('N') => "Name",
        _ => "Output",
    };
    let scope = match letters.next() {
        Some('C') => "Cluster",
        Some('S') => "Service",
        Some('s') => "System",
        _ => "Process",
    };
    (origin, nature, scope)
}

/// `0d 0h00m23s`.
pub(crate) fn uptime(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    format!(
        "{days}d {hours}h{:02}m{:02}s",
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `20/Nov/2026:18:05:41.754`, UTC, of milliseconds since 1970.
pub(crate) fn log_time(millis: u64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = millis / 1_000;
    let (year, month, day) = civil(seconds / 86_400);
    let month = usize::try_from(month - 1)
        .ok()
        .and_then(|month| MONTHS.get(month))
        .copied()
        .unwrap_or("Jan");
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02}.{:03}",
        millis % 1_000
    )
}

/// `2026-11-20T18:05:41Z` of milliseconds since 1970.
pub(crate) fn iso_time(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day since 1970-01-01, by the proleptic Gregorian calendar counted in eras of 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    // Days are counted from 0000-03-01, so that leap days end a year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_everything_but_printable_ascii() {
        assert_eq!(ascii("plain text"), "plain text");
        assert_eq!(ascii("a\nb\té"), r"a\x0ab\x09\xc3\xa9");
        assert_eq!(json_string("a\"b\u{e9}"), r#""a\"b\\xc3\\xa9""#);
    }

    #[test]
    fn uptime_counts_days_hours_minutes_seconds() {
        assert_eq!(uptime(23), "0d 0h00m23s");
        assert_eq!(uptime(2 * 86_400 + 13 * 3_600 + 5 * 60 + 9), "2d 13h05m09s");
    }

    #[test]
    fn times_are_utc_in_log_form() {
        assert_eq!(log_time(0), "01/Jan/1970:00:00:00.000");
        assert_eq!(log_time(1_795_197_941_754), "20/Nov/2026:18:05:41.754");
        assert_eq!(log_time(951_782_400_000), "29/Feb/2000:00:00:00.000");
        assert_eq!(log_time(4_102_444_799_999), "31/Dec/2099:23:59:59.999");
    }

    #[test]
    fn tags_have_words() {
        assert_eq!(tag_words("MaP"), ("Metric", "Avg", "Process"));
        assert_eq!(tag_words("POS"), ("Product", "Output", "Service"));
        assert_eq!(tag_words("KNS"), ("Key", "Name", "Service"));
    }
}
