//! Text to typed, spanned configuration, and everything that is wrong with it at once.
//!
//! [`load`] reads a file with its includes into a [`Config`] in which every value knows where it was written and whether it was
//! written, defaulted or inherited; what is wrong comes as [`Diagnostic`]s, all of them. Nothing here executes anything.

mod config;
mod diagnostic;
mod dump;
mod format;
mod json_schema;
mod load;
mod reference;
mod render;
mod schema;
mod source;
mod tree;
mod validate;
pub mod values;

pub use config::Config;
pub use diagnostic::{Diagnostic, Level, nearest};
pub use dump::dump;
pub use format::format;
pub use json_schema::schema;
pub use load::{Loaded, LoadedCases, load, load_cases, load_text};
pub use reference::reference;
pub use render::{render, to_json};
pub use schema::{
    Abort, AccessFormat, AccessLog, Admin, AdminHttp, AdminLevel, AdminSocket, Balance, Case,
    Certificate, ClientAddress, ClientAuth, ClientAuthMode, Closed, Condition, Conditions,
    CookieMatch, Delay, Errors, EscapePolicy, Expect, Fault, FileMode, ForwardedHeaders, Global,
    HeaderEdits, HeaderMatch, Health, Hsts, Http2, Limits, Listener, ListenerTimeouts, LoadedFile,
    Log, LogLevel, LogTarget, Maintenance, Mirror, Origin, PathChange, PathParameters, Paths, Pool,
    Protocol, ProxyProtocol, ProxyVersion, QueryEdits, QueryMatch, RateKey, RateLimit, Redirect,
    RedirectHttps, RedirectScheme, RedirectStatus, RequestId, RequestLine, Respond, Retry,
    RetryCause, RetryMethods, Rewrite, Route, RouteAction, RouteTimeouts, Server, ServerHeader,
    Service, ServiceHttp2, ServiceTimeouts, ServiceTls, SlashPolicy, Split, Sticky, StickyBy,
    StripPrefix, Substitution, Threads, TimeoutOverrides, Timeouts, Tls, TlsVersion, UnknownNames,
    Val, ValueMatch, Variant,
};
pub use source::{FileId, FsLoader, Loader, MAX_FILE_BYTES, Place, SourceFile, SourceMap, Span};
pub use values::{
    Address, Bind, ByteRate, ByteSize, CookieName, CookieValue, FieldName, FieldValue, HostMatch,
    HostPattern, MAX_GROUPS, MethodName, Network, ParameterName, Part, PathPattern, PathPrefix,
    PathTemplate, Percent, Rate, Regex, Replacement, ReplacementPart, Scope, Secret, Segment,
    Status, StatusSet, Template, Token, Variable,
};
