//! Secrets, which are never written in a configuration themselves.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Invalid;
use crate::source::Loader;

/// Where a secret is: `env:NAME` or `file:/path`. Printing one never shows the secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Secret {
    /// In an environment variable.
    Env(Box<str>),
    /// In a file, without its final line break.
    File(PathBuf),
}

impl FromStr for Secret {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable_name(name) => Ok(Self::Env(name.into())),
            Some(("env", _)) => Err(Invalid::new(
                "`env:` must be followed by the name of an environment variable",
            )),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // The text is not repeated: it may be the secret.
            _ => Err(
                Invalid::new("a secret must not be written in the configuration itself")
                    .help("write \"env:NAME\" or \"file:/path\" to say where it is"),
            ),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Secret {
    /// Fetches the secret; a relative path starts from `directory`.
    ///
    /// # Errors
    /// When the variable is unset or the file unreadable, empty or not UTF-8.
    pub fn reveal(&self, loader: &dyn Loader, directory: &Path) -> io::Result<String> {
        let text = match self {
            Self::Env(name) => loader.env(name).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("the environment variable {name} is not set"),
                )
            })?,
            Self::File(path) => String::from_utf8(loader.read(&directory.join(path))?)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?,
        };
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
        }
        Ok(secret.to_owned())
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plain_text_is_refused_without_repeating_it() {
        let error = "hunter2".parse::<Secret>().unwrap_err();
        assert!(!error.message.contains("hunter2"));
        assert!(!error.help.unwrap().contains("hunter2"));
    }

    #[test]
    fn places_read_and_print() {
        for text in ["env:API_KEY", "file:/run/secrets/key"] {
            assert_eq!(text.parse::<Secret>().unwrap().to_string(), text);
        }
        assert!("env:".parse::<Secret>().is_err());
        assert!("file:".parse::<Secret>().is_err());
    }
}
