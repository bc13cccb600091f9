//! A configuration to a plan: names to ids, inheritance resolved, everything ready to execute.
//!
//! The configuration has been validated, so little can go wrong here: what can be known only when all
//! parts are together. The modules mirror the sections of the configuration.

mod edits;
mod listener;
mod process;
mod rewrite;
mod route;
mod rule;
mod service;
mod timeouts;
mod tls;
mod traffic;

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use portcullis_config::{Config, Diagnostic, SourceMap, Span};

use crate::limit::{LimitKey, RateLimit};
use crate::plan::{Page, Plan};
use crate::{LimitId, ServiceId};

/// What a plan needs to know about the machine, passed in so that compiling stays pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Worker threads for `threads = "auto"`: the processors this process may use.
    pub threads: usize,
}

/// Compiles a configuration. The plan is `None` if any diagnostic is an error.
#[must_use]
pub fn compile(
    config: &Config,
    sources: &SourceMap,
    machine: Machine,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut compiler = Compiler::new(config, sources);
    let plan = compiler.plan(machine);
    let failed = compiler.diagnostics.iter().any(Diagnostic::is_error);
    ((!failed).then_some(plan), compiler.diagnostics)
}

/// What all sections share while they are compiled.
struct Compiler<'c> {
    config: &'c Config,
    sources: &'c SourceMap,
    diagnostics: Vec<Diagnostic>,
    limits: Vec<RateLimit>,
    /// Services in the order of their names, which is the order of their ids.
    services: Vec<&'c portcullis_config::Val<portcullis_config::Service>>,
    service_ids: HashMap<&'c str, ServiceId>,
    origins: timeouts::Origins,
    /// The last few distinct ones of the routes to each service, and of those to none or several.
    conducts: HashMap<Option<ServiceId>, Vec<Arc<crate::plan::Conduct>>>,
    /// The conditions with names, as far as they were needed.
    conditions: HashMap<String, Arc<[crate::route::Condition]>>,
}

impl<'c> Compiler<'c> {
    fn new(config: &'c Config, sources: &'c SourceMap) -> Self {
        let mut services: Vec<_> = config.services.iter().collect();
        services.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        let ids = services
            .iter()
            .enumerate()
            .map(|(index, service)| (service.name.as_str(), ServiceId::new(index)));
        Self {
            service_ids: ids.collect(),
            services,
            config,
            sources,
            diagnostics: Vec::new(),
            limits: Vec::new(),
            origins: timeouts::Origins::default(),
            conducts: HashMap::new(),
            conditions: HashMap::new(),
        }
    }

    fn plan(&mut self, machine: Machine) -> Plan {
        let routes = self.routes();
        let listeners = self.listeners(&routes);
        let (services, servers) = self.all_services();
        let mut plan = Plan {
            process: self.process(machine),
            listeners,
            routes,
            services,
            servers,
            limits: std::mem::take(&mut self.limits).into(),
            error_pages: self.error_pages(),
            access_log: self.access_log(),
            fingerprint: 0,
        };
        plan.fingerprint = fingerprint(&plan);
        plan
    }

    /// `file:line` of a span; empty for what nobody wrote.
    fn place(&self, span: Option<Span>) -> Arc<str> {
        let Some(span) = span else {
            return Arc::from("");
        };
        let place = self.sources.place(span);
        format!("{}:{}", place.file, place.line).into()
    }

    fn rate_limit(&mut self, owner: String, limit: &portcullis_config::RateLimit) -> LimitId {
        let key = match &limit.key.value {
            portcullis_config::RateKey::ClientIp => LimitKey::ClientIp,
            portcullis_config::RateKey::Header(name) => LimitKey::Header(name.as_str().into()),
        };
        self.limits.push(RateLimit {
            name: owner.into(),
            key,
            count: limit.rate.count.max(1),
            per: limit.rate.per,
            burst: limit.burst().max(1),
            status: limit.status.code(),
            max_keys: size(*limit.max_keys),
        });
        LimitId::new(self.limits.len() - 1)
    }

    fn error_pages(&self) -> BTreeMap<u16, Page> {
        let pages = self.config.errors.iter().map(|(status, file)| {
            let page = Page {
                content_type: file.content_type().into(),
                body: Arc::clone(&file.bytes),
            };
            (status.code(), page)
        });
        pages.collect()
    }
}

/// A number of the configuration as a size; on the 64-bit machines we run on, the same.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A number of the configuration that its section bounds far below `u32::MAX`.
fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A hash over everything in the plan, places included: equal for equal configurations on every run, because what
/// is hashed is text in file order.
fn fingerprint(plan: &Plan) -> u64 {
    let mut hasher = TextHasher(0xCBF2_9CE4_8422_2325);
    // A hasher takes everything.
    let _ = write!(hasher, "{plan:?}");
    hasher.0
}

/// FNV-1a over eight bytes at a time; it tells configurations apart and resists nobody.
struct TextHasher(u64);

impl TextHasher {
    fn fold(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x0000_0100_0000_01B3)
            .rotate_left(23);
    }
}

impl fmt::Write for TextHasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        words
            .iter()
            .for_each(|word| self.fold(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.fold(u64::from_le_bytes(last));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
