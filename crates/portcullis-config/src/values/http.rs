//! Names and values of HTTP: methods, fields, statuses (RFC 9110).

use std::fmt;
use std::str::FromStr;

use super::{Invalid, character, quoted};

/// Whether a byte may be in a token (RFC 9110 section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn token(text: &str, what: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(format!("an empty string is not {what}")));
    }
    match text
        .char_indices()
        .find(|(_, c)| !c.is_ascii() || !is_token_byte(*c as u8))
    {
        None if text.len() <= 256 => Ok(()),
        None => Err(Invalid::new(format!(
            "{what} of {} bytes is too long",
            text.len()
        ))),
        Some((at, c)) => Err(Invalid::new(format!(
            "{} is not {what}: {} is not allowed in one",
            quoted(text),
            character(c)
        ))
        .at(at..at + c.len_utf8())),
    }
}

macro_rules! text_type {
    ($(#[doc = $doc:literal])+ $Name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(Box<str>);

        impl $Name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// A request method such as `GET`. Methods are case-sensitive, so one of the standard ones must be in upper case.
    MethodName
);

impl FromStr for MethodName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        token(text, "a method")?;
        const KNOWN: [&str; 9] = [
            "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
        ];
        let upper = text.to_ascii_uppercase();
        if upper != text && KNOWN.contains(&upper.as_str()) {
            return Err(Invalid::new(format!(
                "{} is not a method; methods are case-sensitive",
                quoted(text)
            ))
            .help(format!("write \"{upper}\"")));
        }
        Ok(Self(text.into()))
    }
}

text_type!(
    /// A header field name in lower case, such as `x-request-id`.
    FieldName
);

impl FromStr for FieldName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(name) = text.strip_suffix(':') {
            return Err(Invalid::new(format!("{} ends with a colon", quoted(text)))
                .help(format!("write \"{name}\"")));
        }
        token(text, "a header name")?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

text_type!(
    /// A header field value: visible characters, spaces and tabs, without space at either end.
    FieldValue
);

impl FromStr for FieldValue {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_field_value(text)?;
        Ok(Self(text.into()))
    }
}

/// Whether `text` may be a field value (RFC 9110 section 5.5), with the byte to blame when not.
pub(super) fn check_field_value(text: &str) -> Result<(), Invalid> {
    if let Some((at, c)) = text
        .char_indices()
        .find(|(_, c)| c.is_control() && *c != '\t')
    {
        return Err(
            Invalid::new(format!("a header value must not hold {}", character(c)))
                .at(at..at + c.len_utf8()),
        );
    }
    if text.trim_matches([' ', '\t']) != text {
        return Err(
            Invalid::new("a header value must not begin or end with a space")
                .help(format!("write \"{}\"", text.trim())),
        );
    }
    Ok(())
}

text_type!(
    /// A token such as the name of an upgrade protocol, in lower case.
    Token
);

impl FromStr for Token {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        token(text, "a token")?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

text_type!(
    /// The name of a cookie; case-sensitive (RFC 6265 section 4.1.1).
    CookieName
);

impl FromStr for CookieName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        token(text, "a cookie name")?;
        Ok(Self(text.into()))
    }
}

text_type!(
    /// The value of a cookie as it is sent, quotes included.
    CookieValue
);

impl FromStr for CookieValue {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_field_value(text)?;
        match text.find(';') {
            Some(at) => {
                Err(Invalid::new("a cookie value must not hold `;`, which ends it").at(at..at + 1))
            }
            None => Ok(Self(text.into())),
        }
    }
}

text_type!(
    /// The name of a query parameter, decoded; case-sensitive.
    ParameterName
);

impl FromStr for ParameterName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.len() {
            0 => Err(Invalid::new(
                "an empty string is not the name of a parameter",
            )),
            1..=256 => Ok(Self(text.into())),
            length => Err(
                Invalid::new(format!("a parameter name of {length} bytes is too long"))
                    .help("at most 256"),
            ),
        }
    }
}

/// A response status from 100 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(u16);

impl Status {
    /// The status with this number, when there can be one.
    #[must_use]
    pub fn new(code: u16) -> Option<Self> {
        (100..=599).contains(&code).then_some(Self(code))
    }

    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }
}

impl From<Status> for u64 {
    fn from(status: Status) -> Self {
        Self::from(status.0)
    }
}

impl FromStr for Status {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| text.parse().ok().and_then(Self::new))
            .flatten()
            .ok_or_else(|| {
                Invalid::new(format!("{} is not a status", quoted(text)))
                    .help("a status is a number from 100 to 599")
            })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Some statuses: single ones and whole classes such as `2xx`. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusSet(Vec<(u16, u16)>);

impl StatusSet {
    /// The set of these ranges, bounds included; `None` when there are none.
    pub(crate) fn from_ranges(ranges: Vec<(u16, u16)>) -> Option<Self> {
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// Whether `code` is one of them.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&code))
    }

    /// The ranges, bounds included, as they were written.
    #[must_use]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }
}

/// One item of a status set: `200` or `2xx`.
pub(crate) fn status_range(text: &str) -> Result<(u16, u16), Invalid> {
    if let Some(class) = text
        .strip_suffix("xx")
        .and_then(|digit| digit.parse::<u16>().ok())
        && (1..=5).contains(&class)
    {
        return Ok((class * 100, class * 100 + 99));
    }
    text.parse::<Status>()
        .map(|status| (status.code(), status.code()))
        .map_err(|_| {
            Invalid::new(format!("{} is not a status", quoted(text)))
                .help("write a status such as 200 or a class such as \"2xx\"")
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn methods_keep_their_case_and_known_ones_must_be_upper() {
        assert!(
            "get"
                .parse::<MethodName>()
                .unwrap_err()
                .help
                .unwrap()
                .contains("GET")
        );
        assert_eq!(
            "m-search".parse::<MethodName>().unwrap().as_str(),
            "m-search"
        );
        assert!("GE T".parse::<MethodName>().is_err());
        assert!("".parse::<MethodName>().is_err());
    }

    #[test]
    fn field_names_are_lower_case_tokens() {
        assert_eq!(
            "X-Tenant".parse::<FieldName>().unwrap().as_str(),
            "x-tenant"
        );
        for bad in ["", "x:", "x y", "x\n", "ä"] {
            assert!(bad.parse::<FieldName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn field_values_have_no_controls() {
        assert!("a\tb c".parse::<FieldValue>().is_ok());
        for bad in ["a\r\nb", "\0", " a", "a "] {
            assert!(bad.parse::<FieldValue>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn statuses_and_classes() {
        assert_eq!(status_range("2xx"), Ok((200, 299)));
        assert_eq!(status_range("404"), Ok((404, 404)));
        for bad in ["6xx", "0xx", "xx", "99", "600", "+200", "20x"] {
            assert!(status_range(bad).is_err(), "{bad}");
        }
    }
}
