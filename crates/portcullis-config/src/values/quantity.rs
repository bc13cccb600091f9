//! Numbers with units: durations, sizes, rates, percentages.
//!
//! A bare number is never one of these, because nobody remembers whether it meant seconds or milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Invalid, quoted};

const DURATION_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// The longest duration accepted: ten years. Longer ones are slips, and would overflow clocks.
const MAX_DURATION: u64 = 3_650 * 86_400_000;

/// Reads a duration such as `250ms`, `10s`, `5m`, `1h`, `30d`, or a sum of those such as `1m30s`.
///
/// # Errors
/// When the text has no unit, an unknown one, a fraction, or means more than ten years.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let mut rest = text;
    let mut total = 0_u64;
    if rest.is_empty() {
        return Err(
            Invalid::new("an empty string is not a duration").help("write one such as \"10s\"")
        );
    }
    while !rest.is_empty() {
        let (digits, after) = split_number(rest);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let number = whole(digits, text, "duration")?;
        let factor = unit_factor(unit, DURATION_UNITS, text, "duration", "ms, s, m, h, d")?;
        total = number
            .checked_mul(factor)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= MAX_DURATION)
            .ok_or_else(|| Invalid::new(format!("{} is longer than ten years", quoted(text))))?;
        rest = next;
    }
    Ok(Duration::from_millis(total))
}

/// Prints a duration in the largest unit that expresses it exactly.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    print_units(millis, DURATION_UNITS, "ms")
}

fn print_units(number: u64, units: &[(&str, u64)], smallest: &str) -> String {
    if number == 0 {
        return if smallest == "ms" {
            "0s".to_owned()
        } else {
            format!("0{smallest}")
        };
    }
    // People write "60s", as the defaults do.
    if smallest == "ms" && number == 60_000 {
        return "60s".to_owned();
    }
    let exact = units
        .iter()
        .filter(|(_, factor)| number.is_multiple_of(*factor))
        .max_by_key(|(_, factor)| *factor);
    exact.map_or_else(
        || format!("{number}{smallest}"),
        |(unit, factor)| format!("{}{unit}", number / factor),
    )
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

fn whole(digits: &str, text: &str, what: &str) -> Result<u64, Invalid> {
    if digits.is_empty() {
        let article = if what == "size" {
            "a size"
        } else {
            "a duration"
        };
        let article = if what == "rate" { "a rate" } else { article };
        return Err(
            Invalid::new(format!("{} is not {article}", quoted(text))).help(match what {
                "size" => "write a whole number and a unit, such as \"8KiB\"",
                "rate" => "write a whole number and a time, such as \"50/s\"",
                _ => "write a whole number and a unit, such as \"10s\"",
            }),
        );
    }
    digits
        .parse()
        .map_err(|_| Invalid::new(format!("{} is too large a number", quoted(text))))
}

fn unit_factor(
    unit: &str,
    units: &[(&str, u64)],
    text: &str,
    what: &str,
    list: &str,
) -> Result<u64, Invalid> {
    if let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let help = format!("the units of a {what} are {list}");
    if unit.is_empty() {
        let example = units.get(1).map_or("s", |(name, _)| name);
        return Err(
            Invalid::new(format!("{} has no unit", quoted(text))).help(format!(
                "write it with one, such as \"{text}{example}\"; {help}"
            )),
        );
    }
    if unit.starts_with('.') || unit.starts_with(',') {
        return Err(
            Invalid::new(format!("{} is not a whole number", quoted(text)))
                .help(format!("use a smaller unit instead of a fraction; {help}")),
        );
    }
    let meant = match unit.trim() {
        "sec" | "secs" | "second" | "seconds" | "S" => Some("s"),
        "min" | "mins" | "minute" | "minutes" | "M" if what == "duration" => Some("m"),
        "hour" | "hours" | "H" => Some("h"),
        "day" | "days" | "D" => Some("d"),
        "msec" | "millis" | "milliseconds" => Some("ms"),
        other => units
            .iter()
            .map(|(name, _)| *name)
            .find(|name| name.eq_ignore_ascii_case(other))
            .or(match other {
                "k" | "K" | "ki" | "Ki" => Some("KiB"),
                "m" | "M" | "mi" | "Mi" => Some("MiB"),
                "g" | "G" | "gi" | "Gi" => Some("GiB"),
                _ => None,
            }),
    };
    let at = text
        .find(unit)
        .map_or(0..text.len(), |start| start..start + unit.len());
    let error = Invalid::new(format!("{} is not a unit of a {what}", quoted(unit.trim()))).at(at);
    Err(
        match meant.filter(|m| units.iter().any(|(name, _)| name == m)) {
            Some(meant) => error.help(format!("did you mean `{meant}`? {help}")),
            None => error.help(help),
        },
    )
}

/// A number of bytes, written with its unit: `8KiB`, `64KB`, `1MiB`, `512B`.
///
/// `KiB`, `MiB`, `GiB` are powers of 1024; `KB`, `MB`, `GB` powers of 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (digits, unit) = split_number(text);
        let number = whole(digits, text, "size")?;
        let factor = unit_factor(
            unit,
            SIZE_UNITS,
            text,
            "size",
            "B, KiB, MiB, GiB, KB, MB, GB",
        )?;
        number
            .checked_mul(factor)
            .filter(|bytes| *bytes <= i64::MAX as u64)
            .map(Self)
            .ok_or_else(|| Invalid::new(format!("{} is too large", quoted(text))))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print_units(self.0, SIZE_UNITS, "B"))
    }
}

/// Bytes per second, written `240B/s`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteRate(pub u64);

impl FromStr for ByteRate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((size, per)) = text.split_once('/') else {
            return Err(
                Invalid::new(format!("{} is not a rate of bytes", quoted(text)))
                    .help("write bytes per second, such as \"240B/s\""),
            );
        };
        if per != "s" {
            return Err(Invalid::new(format!("{} is not per second", quoted(text)))
                .help("byte rates are per second, such as \"240B/s\"")
                .at(size.len()..text.len()));
        }
        match size.parse::<ByteSize>()? {
            ByteSize(0) => {
                Err(Invalid::new("a rate of zero bytes").help("write \"off\" for no rate"))
            }
            ByteSize(bytes) => Ok(Self(bytes)),
        }
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", ByteSize(self.0))
    }
}

/// Events per time, written `50/s`, `10/m`, `100/h` or `5/10s`. Neither part is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In which time.
    pub per: Duration,
}

impl FromStr for Rate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((count, per)) = text.split_once('/') else {
            return Err(
                Invalid::new(format!("{} does not say per what time", quoted(text)))
                    .help("write a count and a time, such as \"50/s\", \"10/m\" or \"5/10s\""),
            );
        };
        let count = match split_number(count) {
            (digits, "") => whole(digits, text, "rate")?,
            _ => {
                return Err(whole("", text, "rate")
                    .err()
                    .unwrap_or_else(|| Invalid::new("not a rate")));
            }
        };
        let bare_unit = per.starts_with(|c: char| c.is_ascii_alphabetic());
        let per = parse_duration(&if bare_unit {
            format!("1{per}")
        } else {
            per.to_owned()
        })
        .map_err(|error| Invalid { at: None, ..error })?;
        if count == 0 || per.is_zero() {
            return Err(Invalid::new(format!("{} allows nothing", quoted(text)))
                .help("to refuse all requests, answer them: respond = { status = 403 }"));
        }
        Ok(Self { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = format_duration(self.per);
        let unit = match per.as_str() {
            "60s" => "m",
            // "1s" is written "s", "10s" stays.
            one => one
                .strip_prefix('1')
                .filter(|rest| rest.starts_with(char::is_alphabetic))
                .unwrap_or(one),
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// A part of a hundred, written `20%` or `0.5%`; at most 100. Held in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// How many in a million, at most a million.
    #[must_use]
    pub fn millionths(self) -> u32 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = text.strip_suffix('%').and_then(millionths);
        number
            .filter(|number| *number <= 1_000_000)
            .map(Self)
            .ok_or_else(|| {
                Invalid::new(format!("{} is not a percentage", quoted(text)))
                    .help("write one such as \"20%\" or \"0.5%\"; at most \"100%\", with at most four decimals")
            })
    }
}

/// A number with up to four decimals, in ten-thousandths.
fn millionths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > 4 {
        return None;
    }
    let decimals = format!("{decimals:0<4}").parse::<u32>().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(10_000)?
        .checked_add(decimals)
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 10_000, self.0 % 10_000);
        if decimals == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{decimals:04}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, millis) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis));
            assert_eq!(format_duration(duration), text);
        }
        assert_eq!(parse_duration("1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    }

    #[test]
    fn a_duration_without_unit_is_refused_with_help() {
        let error = parse_duration("10").unwrap_err();
        assert_eq!(error.message, "`10` has no unit");
        assert!(error.help.unwrap().contains("\"10s\""));
        for bad in [
            "",
            "s",
            "1.5s",
            "-1s",
            "+1s",
            "10 s",
            "1x",
            "99999999999999999999s",
            "9999999d",
            "١s",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_spellings_of_units_are_understood_in_help_only() {
        assert!(
            parse_duration("10sec")
                .unwrap_err()
                .help
                .unwrap()
                .starts_with("did you mean `s`?")
        );
        assert!(
            "8kb"
                .parse::<ByteSize>()
                .unwrap_err()
                .help
                .unwrap()
                .starts_with("did you mean `KB`?")
        );
        assert!(
            "8k".parse::<ByteSize>()
                .unwrap_err()
                .help
                .unwrap()
                .starts_with("did you mean `KiB`?")
        );
    }

    #[test]
    fn sizes_know_both_kinds_of_kilo() {
        assert_eq!("8KiB".parse(), Ok(ByteSize(8_192)));
        assert_eq!("64KB".parse(), Ok(ByteSize(64_000)));
        assert_eq!(ByteSize(8_192).to_string(), "8KiB");
        assert_eq!(ByteSize(64_000).to_string(), "64KB");
        assert_eq!(ByteSize(0).to_string(), "0B");
        assert!("99999999999GiB".parse::<ByteSize>().is_err());
    }

    #[test]
    fn rates_read_and_print() {
        for text in ["50/s", "10/m", "100/h", "5/10s", "1/500ms"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for bad in ["0/s", "5/0s", "5", "5/", "/s", "5/x", "1 /s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        assert_eq!("240B/s".parse(), Ok(ByteRate(240)));
        assert!("0B/s".parse::<ByteRate>().is_err());
        assert!("240B/m".parse::<ByteRate>().is_err());
    }

    #[test]
    fn percentages_end_at_a_hundred() {
        for (text, millionths) in [
            ("20%", 200_000),
            ("0.5%", 5_000),
            ("0.0001%", 1),
            ("100%", 1_000_000),
        ] {
            let percent: Percent = text.parse().unwrap();
            assert_eq!(
                (percent.millionths(), percent.to_string().as_str()),
                (millionths, text)
            );
        }
        for bad in [
            "101%",
            "100.0001%",
            "20",
            "%",
            ".5%",
            "5.%",
            "0.00001%",
            "-1%",
            "1e1%",
            "5 %",
        ] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }
}
