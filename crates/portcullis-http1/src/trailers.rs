//! The trailer section of a chunked body (RFC 9112 section 7.1.2).
//!
//! Trailers are small and rare, and their input does not stay: they are gathered in a bounded buffer and read by the
//! scanner of heads.

use crate::head::fields::Fields;
use crate::known::{Known, KnownSet};
use crate::{Reject, write};

const MAX_BYTES: usize = 8 * 1024;
const MAX_FIELDS: usize = 64;

/// Fields that may come late. Every field known here concerns framing, routing, authentication, caching or how to read the
/// content, and may not (RFC 9110 section 6.5.1), but for ETag (section 8.8.3).
const ALLOWED: KnownSet = KnownSet::of(&[Known::Other, Known::ETag]);

#[derive(Debug, Clone)]
pub(crate) struct Trailers {
    raw: Vec<u8>,
    fields: Fields,
    clean: Vec<u8>,
}

impl Default for Trailers {
    fn default() -> Self {
        Self {
            raw: Vec::new(),
            fields: Fields::new(),
            clean: Vec::new(),
        }
    }
}

impl Trailers {
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.clean.clear();
        self.fields.restart(0);
    }

    /// Whether a byte was taken.
    pub(crate) fn has_begun(&self) -> bool {
        !self.raw.is_empty()
    }

    /// Takes more input; `Some(used)` when the section is complete, else all of it was used.
    pub(crate) fn take(&mut self, input: &[u8]) -> Result<Option<usize>, Reject> {
        let before = self.raw.len();
        let room = MAX_BYTES.saturating_sub(before);
        self.raw
            .extend_from_slice(input.get(..room).unwrap_or(input));
        match self.fields.scan(&self.raw, MAX_FIELDS) {
            Ok(Some(end)) => {
                self.clean()?;
                Ok(Some(end.saturating_sub(before)))
            }
            Ok(None) if self.raw.len() >= MAX_BYTES => Err(Reject::TrailersTooLarge),
            Ok(None) => Ok(None),
            Err(Reject::FieldsTooMany) => Err(Reject::TrailersTooMany),
            Err(reject) => Err(reject),
        }
    }

    fn clean(&mut self) -> Result<(), Reject> {
        let fields = self.fields.list();
        if fields.iter().any(|field| !ALLOWED.contains(field.known)) {
            return Err(Reject::TrailerForbidden);
        }
        write::copy_fields(&mut self.clean, &self.raw, fields, KnownSet::EMPTY, |_| {
            false
        });
        Ok(())
    }

    /// The trailers in normal form.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.clean
    }
}
