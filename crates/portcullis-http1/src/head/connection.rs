//! The options of Connection (RFC 9110 section 7.6.1): persistence, upgrades, and fields that end here.

use crate::bytes::{is_token_word, trim};
use crate::head::fields::Fields;
use crate::head::{Field, Version};
use crate::known::{Known, KnownSet};
use crate::{Reject, Span};

/// More options than this serve only to make a proxy work.
const MAX_OPTIONS: usize = 16;

/// Known fields that are about one connection, so that naming them is right or does no harm.
const PER_CONNECTION: KnownSet = KnownSet::of(&[
    Known::Other,
    Known::Connection,
    Known::KeepAlive,
    Known::Te,
    Known::Trailer,
    Known::Upgrade,
    Known::Http2Settings,
    Known::ProxyConnection,
    Known::ProxyAuthenticate,
    Known::ProxyAuthorization,
    Known::ProxyOther,
]);

/// What a message's Connection fields say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    /// Whether a field was marked as nominated.
    pub(crate) nominated: bool,
}

/// Whose options are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

impl Options {
    /// Reads all Connection fields and marks the fields that they name.
    ///
    /// Refused are lists with something else than tokens, over 16 elements, and options that name a field every
    /// recipient must see: framing, routing, forwarding, authentication, caching, representation - every field known here
    /// that is not about the connection. A client could otherwise have us remove what the server's decisions
    /// rest on. The one exception: servers may name Transfer-Encoding, as some do; we frame anew anyway.
    #[inline]
    pub(crate) fn read(buf: &[u8], fields: &mut Fields, sender: Sender) -> Result<Self, Reject> {
        let mut options = Self::default();
        if !fields.set().contains(Known::Connection) {
            return Ok(options);
        }
        match fields.value_of(Known::Connection, buf) {
            // The two that nearly all clients send, alone in their field.
            Some(b"keep-alive") if options.is_alone(fields) => options.keep_alive = true,
            Some(b"close") if options.is_alone(fields) => options.close = true,
            _ => options.read_lists(buf, fields, sender)?,
        }
        Ok(options)
    }

    /// Whether there is nothing else to do: one Connection field, and no Keep-Alive field to mark.
    fn is_alone(self, fields: &Fields) -> bool {
        !fields.set().contains(Known::KeepAlive) && fields.all(Known::Connection).count() == 1
    }

    fn read_lists(
        &mut self,
        buf: &[u8],
        fields: &mut Fields,
        sender: Sender,
    ) -> Result<(), Reject> {
        let mut count = 0;
        let lists = fields.list().len();
        for index in 0..lists {
            let Some(value) = connection_at(fields, index) else {
                continue;
            };
            for option in value.of(buf).split(|&byte| byte == b',').map(trim) {
                count += 1;
                if count > MAX_OPTIONS {
                    return Err(Reject::ConnectionTooMany);
                }
                self.read_option(buf, fields, option, sender)?;
            }
        }
        Ok(())
    }

    fn read_option(
        &mut self,
        buf: &[u8],
        fields: &mut Fields,
        option: &[u8],
        sender: Sender,
    ) -> Result<(), Reject> {
        if option.is_empty() {
            // Recipients must ignore empty elements (RFC 9110 section 5.6.1.2); they were counted.
            return Ok(());
        }
        if !is_token_word(option) {
            return Err(Reject::ConnectionInvalid);
        }
        let known = Known::of_token(option);
        let tolerated = sender == Sender::Server && known == Known::TransferEncoding;
        if !PER_CONNECTION.contains(known) && !tolerated {
            return Err(Reject::ConnectionForbidden);
        }
        self.keep_alive |= known == Known::KeepAlive;
        self.upgrade |= known == Known::Upgrade;
        if option.eq_ignore_ascii_case(b"close") {
            self.close = true;
        } else if fields.set().contains(known) {
            self.nominated |= nominate(buf, fields, option, known);
        }
        Ok(())
    }

    /// Whether the connection goes on after this message (RFC 9112 section 9.3); close wins.
    pub(crate) fn keeps_alive(self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// The protocols asked for, when the sender of 1.1 named Upgrade (RFC 9110 section 7.8).
    pub(crate) fn upgrade(self, version: Version, fields: &Fields) -> Option<Span> {
        if !self.upgrade || version != Version::Http11 {
            return None;
        }
        let value = fields.first(Known::Upgrade)?.value;
        (!value.is_empty()).then_some(value)
    }
}

/// The value of the field at `index` if it is a Connection.
fn connection_at(fields: &Fields, index: usize) -> Option<Span> {
    let field = fields.list().get(index)?;
    (field.known == Known::Connection).then_some(field.value)
}

/// Marks every field called `option`; says whether there was one.
fn nominate(buf: &[u8], fields: &mut Fields, option: &[u8], known: Known) -> bool {
    let is_named =
        |field: &Field| field.known == known && field.name.of(buf).eq_ignore_ascii_case(option);
    let mut found = false;
    for field in fields.list_mut().iter_mut().filter(|field| is_named(field)) {
        field.nominated = true;
        found = true;
    }
    found
}
