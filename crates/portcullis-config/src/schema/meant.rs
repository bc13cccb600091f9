//! What was meant by a key or word that is not known: the nearest by spelling, or what other proxies call the same thing.

use crate::diagnostic::nearest;

/// The key that was meant: the nearest by spelling, or the one that does what a key of this name does in other proxies.
pub(super) fn meant_key<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    const ELSEWHERE: &[(&str, &[&str])] = &[
        (
            "threads",
            &["worker_processes", "nbthread", "workers", "concurrency"],
        ),
        ("max_connections", &["maxconn", "worker_connections"]),
        ("shutdown_timeout", &["hard_stop_after", "grace_period"]),
        ("bind", &["listen", "address", "addr", "port", "entrypoint"]),
        ("address", &["addr", "url", "host", "server"]),
        ("tls", &["ssl", "certificates", "https"]),
        ("cert", &["certificate", "crt", "ssl_certificate", "chain"]),
        ("key", &["private_key", "ssl_certificate_key"]),
        ("hosts", &["host", "server_name", "domain", "domains"]),
        ("path", &["location", "prefix", "path_prefix", "uri"]),
        (
            "service",
            &[
                "backend",
                "upstream",
                "proxy_pass",
                "proxy",
                "use_backend",
                "target",
            ],
        ),
        (
            "servers",
            &[
                "server",
                "upstreams",
                "endpoints",
                "backends",
                "targets",
                "addresses",
            ],
        ),
        ("balance", &["lb", "load_balancing", "algorithm", "policy"]),
        (
            "health",
            &["check", "healthcheck", "health_check", "option_httpchk"],
        ),
        ("respond", &["return", "response", "static_response"]),
        ("redirect", &["rewrite_to", "redirection", "redir"]),
        ("timeouts", &["timeout"]),
        ("trusted_proxies", &["set_real_ip_from", "real_ip"]),
        ("service", &["services"]),
        (
            "listener",
            &["listeners", "server", "frontend", "entrypoints"],
        ),
        ("service", &["backend", "upstream"]),
        ("defaults", &["timeouts"]),
    ];
    nearest(key, known.iter().copied()).or_else(|| {
        let plain = key.to_ascii_lowercase().replace('-', "_");
        let names = |(_, names): &&(&str, &[&str])| names.contains(&plain.as_str());
        let here = |meant: &str| known.iter().copied().find(|known| *known == meant);
        ELSEWHERE
            .iter()
            .filter(names)
            .find_map(|(meant, _)| here(meant))
    })
}

/// The word that was meant: the nearest by spelling, or the one other proxies have another word for.
pub(super) fn meant_word(text: &str, words: &[&'static str]) -> Option<&'static str> {
    const ELSEWHERE: &[(&str, &[&str])] = &[
        (
            "least-requests",
            &[
                "leastconn",
                "least_conn",
                "least-connections",
                "least_request",
            ],
        ),
        ("round-robin", &["rr", "static-rr"]),
        ("debug", &["verbose", "notice"]),
        (
            "error",
            &["err", "crit", "critical", "emerg", "alert", "fatal"],
        ),
        ("warn", &["warning"]),
        ("haproxy", &["httplog"]),
        ("combined", &["common", "clf", "apache", "nginx", "main"]),
        ("required", &["require", "on", "always", "verify"]),
        ("optional", &["optional_no_ca", "request"]),
        (
            "1.2",
            &["TLSv1.2", "tls1.2", "TLS1.2", "tlsv1.2", "1.1", "1.0"],
        ),
        ("1.3", &["TLSv1.3", "tls1.3", "TLS1.3", "tlsv1.3"]),
        ("connect", &["conn-failure", "connect-failure", "error"]),
        ("reset", &["empty-response", "refused-stream"]),
        (
            "http/1.1",
            &["http1", "http/1", "h1", "http", "HTTP/1.1", "1.1"],
        ),
    ];
    let here = |meant: &str| words.iter().copied().find(|word| *word == meant);
    let other = ELSEWHERE
        .iter()
        .filter(|(_, names)| names.contains(&text))
        .find_map(|(meant, _)| here(meant));
    other.or_else(|| nearest(text, words.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_proxies_lead_to_ours_where_there_is_one() {
        assert_eq!(
            meant_key("proxy_pass", &["service", "path"]),
            Some("service")
        );
        assert_eq!(meant_key("proxy_pass", &["path"]), None);
        assert_eq!(meant_key("nb-thread", &["threads"]), None);
        assert_eq!(
            meant_word("leastconn", &["round-robin", "least-requests"]),
            Some("least-requests")
        );
        assert_eq!(
            meant_word("round_robin", &["round-robin"]),
            Some("round-robin")
        );
        assert_eq!(meant_word("whatever", &["round-robin"]), None);
    }
}
