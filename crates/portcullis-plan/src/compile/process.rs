//! `[global]`, `[admin]` and `[log]`.

use std::sync::Arc;

use portcullis_config as config;

use super::{Compiler, Machine, count, size};
use crate::headers::Template;
use crate::log_format::LogFormat;
use crate::plan::{AccessLog, AdminHttp, AdminLevel, AdminSocket, LogTarget, Process};

impl Compiler<'_> {
    pub(super) fn process(&mut self, machine: Machine) -> Process {
        let global = &self.config.global;
        let threads = match global.threads.value {
            config::Threads::Auto => machine.threads,
            config::Threads::Count(threads) => size(threads),
        };
        Process {
            threads: threads.max(1),
            max_connections: count(*global.max_connections),
            shutdown_timeout: *global.shutdown_timeout,
            drain_timeout: *global.drain_timeout,
            watch: *global.watch,
            certificate_warning: *global.certificate_warning,
            lame_duck: *global.lame_duck,
            tunnel_drain: *global.tunnel_drain,
            sandbox: *global.sandbox,
            user: global.user.as_ref().map(|user| user.as_str().into()),
            group: global.group.as_ref().map(|group| group.as_str().into()),
            log_level: log_level(self.config.log.level.value).into(),
            admin_socket: self
                .config
                .admin
                .socket
                .as_ref()
                .map(|socket| admin_socket(socket)),
            admin_http: self.admin_http(),
        }
    }

    fn admin_http(&mut self) -> Option<AdminHttp> {
        let http = self.config.admin.http.as_ref()?;
        let config::Bind::Tcp(bind) = http.bind.value else {
            let problem =
                config::Diagnostic::error("invalid-value", "the admin pages need a TCP address");
            self.diagnostics.push(
                problem
                    .at(http.bind.span, "no TCP address")
                    .help("write one such as \"127.0.0.1:8404\""),
            );
            return None;
        };
        Some(AdminHttp {
            bind,
            metrics: http.metrics.as_str().into(),
            health: http.health.as_str().into(),
            stats: http.stats.as_str().into(),
        })
    }

    pub(super) fn access_log(&self) -> AccessLog {
        let access = &self.config.log.access;
        let to = match &access.to.value {
            config::LogTarget::Off => LogTarget::Off,
            config::LogTarget::Stdout => LogTarget::Stdout,
            config::LogTarget::Stderr => LogTarget::Stderr,
            config::LogTarget::File(path) => LogTarget::File(path.clone()),
        };
        let template = || {
            access
                .template
                .as_ref()
                .map_or_else(Template::default, |text| Template::from(&text.value))
        };
        let format = match access.format.value {
            config::AccessFormat::Json => LogFormat::Json,
            config::AccessFormat::Combined => LogFormat::Combined,
            config::AccessFormat::Haproxy => LogFormat::Haproxy,
            config::AccessFormat::Template => LogFormat::Template(template()),
        };
        AccessLog {
            to,
            format: Arc::new(format),
        }
    }
}

fn admin_socket(socket: &config::AdminSocket) -> AdminSocket {
    AdminSocket {
        path: socket.path.value.clone(),
        mode: socket.mode.0,
        level: match socket.level.value {
            config::AdminLevel::User => AdminLevel::User,
            config::AdminLevel::Operator => AdminLevel::Operator,
            config::AdminLevel::Admin => AdminLevel::Admin,
        },
    }
}

const fn log_level(level: config::LogLevel) -> &'static str {
    match level {
        config::LogLevel::Error => "error",
        config::LogLevel::Warn => "warn",
        config::LogLevel::Info => "info",
        config::LogLevel::Debug => "debug",
        config::LogLevel::Trace => "trace",
    }
}
