//! The layout of the configuration, each key declared once.
//!
//! A `section!` names its keys with type, default, bounds and text; from that one declaration come the struct, its decoding,
//! the JSON Schema, the reference page and the dump. Checks that need more than one value are in `validate`.

mod admin;
mod case;
mod choice;
mod condition;
mod decode;
mod describe;
mod global;
mod health;
mod limit;
mod listener;
mod log;
mod maintenance;
mod matching;
mod meant;
mod page;
mod plain;
mod pool;
mod reader;
mod rewrite;
mod root;
mod route;
mod section;
mod service;
mod service_tls;
mod text;
mod timeouts;
mod tls;
mod traffic;
mod write;

pub use admin::{Admin, AdminHttp, AdminLevel, AdminSocket, FileMode};
pub use case::{Case, ClientAddress, Expect, RequestLine};
pub use condition::{Condition, Conditions};
pub use global::{Global, Threads};
pub use health::Health;
pub use limit::{RateKey, RateLimit};
pub use listener::{
    EscapePolicy, ForwardedHeaders, Hsts, Http2, Limits, Listener, PathParameters, Paths, Protocol,
    ProxyProtocol, RedirectHttps, RequestId, ServerHeader, SlashPolicy,
};
pub use log::{AccessFormat, AccessLog, Log, LogLevel, LogTarget};
pub use maintenance::{Closed, Maintenance};
pub use matching::{CookieMatch, HeaderMatch, QueryMatch, ValueMatch};
pub use page::{Errors, LoadedFile};
pub use pool::{Pool, Retry, RetryCause, RetryMethods};
pub use rewrite::{HeaderEdits, PathChange, QueryEdits, Rewrite, StripPrefix, Substitution};
pub use route::{Redirect, RedirectScheme, RedirectStatus, Respond, Route, RouteAction};
pub use service::{Balance, Server, Service};
pub use service_tls::{ProxyVersion, ServiceHttp2, ServiceTls};
pub use timeouts::{ListenerTimeouts, RouteTimeouts, ServiceTimeouts, TimeoutOverrides, Timeouts};
pub use tls::{Certificate, ClientAuth, ClientAuthMode, Tls, TlsVersion, UnknownNames};
pub use traffic::{Abort, Delay, Fault, Mirror, Split, Sticky, StickyBy, Variant};

pub(crate) use case::CaseFile;
pub(crate) use choice::choice;
pub(crate) use decode::{Context, Section, Value};
pub(crate) use describe::{Description, Field, Shape};
pub(crate) use health::{check_host, check_target};
pub(crate) use page::unreadable;
pub(crate) use reader::Reader;
pub(crate) use root::{Name, Root};
pub(crate) use section::section;
pub(crate) use text::{Text, text_value};
pub(crate) use timeouts::Level as TimeoutLevel;
pub(crate) use write::{Line, Out, key_literal, text_literal};

use std::ops::Deref;

use crate::source::Span;

/// How a value came to be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It is written at this place.
    Written,
    /// It is not written anywhere.
    Default,
    /// It is written elsewhere, in a more general place.
    Inherited,
}

/// A value of the configuration, with where it was written.
///
/// Two of them are equal when their values are, wherever they were written.
#[derive(Clone, Debug)]
pub struct Val<T> {
    /// The value itself.
    pub value: T,
    /// Where it was written, or the place it is inherited from; `None` for a default.
    pub span: Option<Span>,
    /// How it came to be.
    pub origin: Origin,
}

impl<T> Val<T> {
    /// A value written at a place.
    #[must_use]
    pub fn written(value: T, span: Option<Span>) -> Self {
        Self {
            value,
            span,
            origin: Origin::Written,
        }
    }

    /// A value nobody wrote.
    #[must_use]
    pub fn default_value(value: T) -> Self {
        Self {
            value,
            span: None,
            origin: Origin::Default,
        }
    }

    /// Whether the operator wrote it here.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.origin == Origin::Written
    }
}

impl<T> Deref for Val<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Val<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Val<T> {}
