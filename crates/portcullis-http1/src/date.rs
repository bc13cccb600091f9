//! Dates as HTTP writes them (RFC 9110 section 5.6.7), from seconds; no clock is asked.

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// 31 December 9999, 23:59:59: the last moment with a year of four digits.
const LAST: u64 = 253_402_300_799;

/// `Sun, 06 Nov 1994 08:49:37 GMT` from the seconds since 1970 (UTC); times after the year 9999 give its end.
///
/// ```
/// let date = portcullis_http1::date::imf_fixdate(784_111_777);
/// assert_eq!(&date, b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
#[must_use]
pub fn imf_fixdate(unix_seconds: u64) -> [u8; 29] {
    let seconds = unix_seconds.min(LAST);
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut date = *b"Thu, 00 Jan 0000 00:00:00 GMT";
    put(&mut date, 0, pick(&DAYS, days % 7));
    put(&mut date, 5, &two(day));
    put(&mut date, 8, pick(&MONTHS, month));
    put(&mut date, 12, &two(year / 100));
    put(&mut date, 14, &two(year % 100));
    put(&mut date, 17, &two(clock / 3600));
    put(&mut date, 20, &two(clock / 60 % 60));
    put(&mut date, 23, &two(clock % 60));
    date
}

/// Year, month from 0 and day from 1 of a day counted from 1970-01-01 in the Gregorian calendar.
///
/// Counted in years that begin in March, so that the leap day is the last; an era is 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    (era * 400 + year + u64::from(month < 2), month, day)
}

fn two(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

fn pick<const N: usize>(names: &[&'static [u8; 3]; N], index: u64) -> &'static [u8] {
    names
        .get(index as usize)
        .map_or(b"", |name| name.as_slice())
}

fn put(date: &mut [u8; 29], at: usize, text: &[u8]) {
    for (slot, &byte) in date.iter_mut().skip(at).zip(text) {
        *slot = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::imf_fixdate;

    #[test]
    fn rfc9110_5_6_7_dates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(
                imf_fixdate(seconds).as_slice(),
                text.as_bytes(),
                "{seconds}"
            );
        }
    }
}
