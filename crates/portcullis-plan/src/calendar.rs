//! Dates in UTC by pure arithmetic, in the three ways that logs write them. It takes some nanoseconds, so nothing is cached.

use crate::digits::{push_padded, push_u64};

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A moment of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    millisecond: u64,
}

impl Date {
    /// The date this many nanoseconds after 1970 began.
    fn of(unix_nanos: u64) -> Self {
        let seconds = unix_nanos / 1_000_000_000;
        let (year, month, day) = civil(seconds / 86_400);
        Self {
            year,
            month,
            day,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            millisecond: unix_nanos / 1_000_000 % 1000,
        }
    }

    fn month_name(&self) -> &'static [u8] {
        let position = usize::try_from(self.month - 1).unwrap_or(0);
        MONTHS.get(position).copied().unwrap_or_default()
    }

    fn push_clock(&self, out: &mut Vec<u8>) {
        push_padded::<2>(self.hour, out);
        out.push(b':');
        push_padded::<2>(self.minute, out);
        out.push(b':');
        push_padded::<2>(self.second, out);
    }

    /// `20/Nov/2026:18:05:20`.
    fn push_log_date(&self, out: &mut Vec<u8>) {
        push_padded::<2>(self.day, out);
        out.push(b'/');
        out.extend_from_slice(self.month_name());
        out.push(b'/');
        push_u64(self.year, out);
        out.push(b':');
        self.push_clock(out);
    }
}

/// Year, month and day of a number of days after 1970-01-01, in the Gregorian calendar. Years are counted from
/// March, so that the leap day is the last of its year, in eras of 400 years, which all have the same days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Appends `2026-11-20T18:05:20.669Z` (RFC 3339).
pub(crate) fn push_rfc3339(unix_nanos: u64, out: &mut Vec<u8>) {
    let date = Date::of(unix_nanos);
    push_u64(date.year, out);
    out.push(b'-');
    push_padded::<2>(date.month, out);
    out.push(b'-');
    push_padded::<2>(date.day, out);
    out.push(b'T');
    date.push_clock(out);
    out.push(b'.');
    push_padded::<3>(date.millisecond, out);
    out.push(b'Z');
}

/// Appends `20/Nov/2026:18:05:20 +0000`, as in the common log format.
pub(crate) fn push_common(unix_nanos: u64, out: &mut Vec<u8>) {
    Date::of(unix_nanos).push_log_date(out);
    out.extend_from_slice(b" +0000");
}

/// Appends `20/Nov/2026:18:05:20.669`, as HAProxy does.
pub(crate) fn push_haproxy(unix_nanos: u64, out: &mut Vec<u8>) {
    let date = Date::of(unix_nanos);
    date.push_log_date(out);
    out.push(b'.');
    push_padded::<3>(date.millisecond, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: fn(u64, &mut Vec<u8>), unix_nanos: u64) -> String {
        let mut out = Vec::new();
        push(unix_nanos, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn writes_the_three_forms() {
        let moment = 1_795_197_920_669_000_000;
        assert_eq!(text(push_rfc3339, moment), "2026-11-20T18:05:20.669Z");
        assert_eq!(text(push_common, moment), "20/Nov/2026:18:05:20 +0000");
        assert_eq!(text(push_haproxy, moment), "20/Nov/2026:18:05:20.669");
        assert_eq!(text(push_rfc3339, 0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(0);
        for days in 1..200_000 {
            let today = civil(days);
            let follows = match (before, today) {
                ((y, m, d), (y2, m2, d2)) if y == y2 && m == m2 => d2 == d + 1,
                ((y, m, d), (y2, m2, 1)) if y == y2 => m2 == m + 1 && d == month_days(y, m),
                ((y, 12, 31), (y2, 1, 1)) => y2 == y + 1,
                _ => false,
            };
            assert!(follows, "{before:?} then {today:?}");
            before = today;
        }
    }

    fn month_days(year: u64, month: u64) -> u64 {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 => 28 + u64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[test]
    fn the_end_of_time_is_a_date_too() {
        assert_eq!(text(push_rfc3339, u64::MAX), "2554-07-21T23:34:33.709Z");
    }
}
