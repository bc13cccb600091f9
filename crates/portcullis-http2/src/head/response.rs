//! Responses (RFC 9113 section 8.3.2).

use super::{Bounds, Tally, content_length};
use crate::hpack::{Field, Kind, Sink};
use crate::{HeadInfo, Refusal};
use portcullis_http1::write;

/// Writes the text of one response head while its fields come; reused for the next.
#[derive(Debug, Default)]
pub(crate) struct ResponseDraft {
    pub(crate) text: Vec<u8>,
    status: Option<u16>,
    tally: Tally,
    content_length: Option<u64>,
    bounds: Option<Bounds>,
    fault: Option<Refusal>,
}

impl ResponseDraft {
    /// Begins a head whose text goes behind what is in `text`.
    pub(crate) fn begin(&mut self, text: Vec<u8>, bounds: Bounds) {
        *self = Self {
            text,
            bounds: Some(bounds),
            ..Self::default()
        };
    }

    /// Ends the text; gives the status and what is not in the text.
    pub(crate) fn conclude(&mut self, end_stream: bool) -> Result<(u16, HeadInfo), Refusal> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let status = self.status.ok_or(Refusal::PseudoMissing)?;
        let interim = status < 200;
        if interim && end_stream {
            return Err(Refusal::InterimEnds);
        }
        self.text.extend_from_slice(b"\r\n");
        let info = HeadInfo {
            interim,
            end_stream,
            content_length: self.content_length,
            over: self.tally.over,
            ..HeadInfo::default()
        };
        Ok((status, info))
    }

    fn take(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.kind {
            Kind::Status => return self.take_status(field),
            Kind::Method | Kind::Path | Kind::Scheme | Kind::Authority => {
                return Err(Refusal::PseudoUnknown);
            }
            Kind::Protocol | Kind::UnknownPseudo => return Err(Refusal::PseudoUnknown),
            Kind::Invalid => return Err(Refusal::NameInvalid),
            Kind::Forbidden | Kind::Te => return Err(Refusal::FieldForbidden),
            Kind::ContentLength => {
                self.content_length = Some(content_length(field, self.content_length)?);
            }
            _ => {}
        }
        if self.status.is_none() {
            return Err(Refusal::PseudoMissing);
        }
        if !field.sound {
            return Err(Refusal::ValueInvalid);
        }
        let none = Bounds {
            bytes: 0,
            fields: 0,
        };
        if self.tally.admits(field.size(), self.bounds.unwrap_or(none)) {
            self.text.extend_from_slice(field.line);
        }
        Ok(())
    }

    fn take_status(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if self.status.is_some() {
            return Err(Refusal::PseudoRepeated);
        }
        let status = match *field.value() {
            [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                let digit = |byte: u8| u16::from(byte - b'0');
                digit(a) * 100 + digit(b) * 10 + digit(c)
            }
            _ => return Err(Refusal::StatusInvalid),
        };
        // There is no 101 in HTTP/2 (RFC 9113 section 8.6).
        if status == 101 {
            return Err(Refusal::StatusInvalid);
        }
        self.status = Some(status);
        write::status_line(&mut self.text, status);
        Ok(())
    }
}

impl Sink for ResponseDraft {
    #[inline]
    fn field(&mut self, field: &Field<'_>) {
        if self.fault.is_none()
            && let Err(fault) = self.take(field)
        {
            self.fault = Some(fault);
        }
    }
}
