//! Trailers of both directions, with the rules that HTTP/1 trailers have here.

use crate::Refusal;
use crate::hpack::{Field, Kind, Sink};

const MAX_BYTES: usize = 8 * 1024;
const MAX_FIELDS: usize = 64;

/// Writes the lines of one trailer section.
#[derive(Debug, Default)]
pub(crate) struct TrailersDraft {
    pub(crate) lines: Vec<u8>,
    fields: usize,
    fault: Option<Refusal>,
}

impl TrailersDraft {
    /// Begins a section whose lines go into `lines`.
    pub(crate) fn begin(&mut self, mut lines: Vec<u8>) {
        lines.clear();
        *self = Self {
            lines,
            ..Self::default()
        };
    }

    pub(crate) fn conclude(&self) -> Result<(), Refusal> {
        self.fault.map_or(Ok(()), Err)
    }

    fn take(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.kind {
            Kind::Plain { late: true } => {}
            Kind::Invalid => return Err(Refusal::NameInvalid),
            Kind::Forbidden => return Err(Refusal::FieldForbidden),
            Kind::Plain { late: false } | Kind::Cookie | Kind::Host => {
                return Err(Refusal::TrailerForbidden);
            }
            Kind::ContentLength | Kind::Te => return Err(Refusal::TrailerForbidden),
            Kind::WebSocketKey => return Err(Refusal::TrailerForbidden),
            _ => return Err(Refusal::PseudoLate),
        }
        if !field.sound {
            return Err(Refusal::ValueInvalid);
        }
        self.fields += 1;
        if self.fields > MAX_FIELDS || self.lines.len() + field.line.len() > MAX_BYTES {
            return Err(Refusal::TrailersTooLarge);
        }
        self.lines.extend_from_slice(field.line);
        Ok(())
    }
}

impl Sink for TrailersDraft {
    fn field(&mut self, field: &Field<'_>) {
        if self.fault.is_none()
            && let Err(fault) = self.take(field)
        {
            self.fault = Some(fault);
        }
    }
}
