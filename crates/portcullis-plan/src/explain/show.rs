//! An explanation as text for people and as JSON for programs.

use std::fmt;

use serde_json::{Value, json};

use super::{Candidate, Explanation, Forwarding};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        writeln!(f, "  listener  {} ({})", self.listener, self.listener_place)?;
        writeln!(f, "  protocol  {}", self.protocol)?;
        if let Some(name) = self.tls_name.as_ref().filter(|name| **name != self.host) {
            let name = if name.is_empty() { "(none)" } else { name };
            writeln!(f, "  tls name  {name}")?;
        }
        if let Some(certificate) = &self.certificate {
            writeln!(f, "  certificate  {certificate}")?;
        }
        writeln!(
            f,
            "  host      {}",
            if self.host.is_empty() {
                "(none)"
            } else {
                &self.host
            }
        )?;
        writeln!(
            f,
            "  path      {}",
            if self.path.is_empty() {
                "(none)"
            } else {
                &self.path
            }
        )?;
        if let Some(client) = self.client {
            let believed = if self.trusted {
                ", as a trusted proxy says"
            } else {
                ""
            };
            writeln!(
                f,
                "  client    {client} by {}{believed}",
                self.scheme.as_str()
            )?;
        }
        if !self.candidates.is_empty() {
            writeln!(f, "\nroutes")?;
            candidates(f, &self.candidates)?;
        }
        match &self.verdict_place {
            Some(place) => writeln!(f, "\n=> {} ({place})", self.verdict)?,
            None => writeln!(f, "\n=> {}", self.verdict)?,
        }
        self.answer
            .iter()
            .try_for_each(|(name, value)| writeln!(f, "  answered  {name}: {value}"))?;
        self.forwarding
            .as_ref()
            .map_or(Ok(()), |forwarding| forwarding.fmt(f))
    }
}

fn candidates(f: &mut fmt::Formatter<'_>, candidates: &[Candidate]) -> fmt::Result {
    let width = |text: fn(&Candidate) -> &str| {
        candidates
            .iter()
            .map(|c| text(c).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (names, places) = (width(|c| &c.route), width(|c| &c.place));
    candidates.iter().try_for_each(|candidate| {
        let mark = if candidate.won { '*' } else { '-' };
        write!(
            f,
            "  {mark} {:names$}  {:places$}  {}",
            candidate.route, candidate.place, candidate.reason
        )?;
        match &candidate.condition_place {
            Some(place) => writeln!(f, " ({place})"),
            None => writeln!(f),
        }
    })
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  service   {} ({})", self.service, self.service_place)?;
        self.connection
            .iter()
            .try_for_each(|(text, place)| writeln!(f, "  by        {text} ({place})"))?;
        writeln!(f, "  target    {}", self.target)?;
        writeln!(f, "  host      {}", self.host)?;
        self.traffic
            .iter()
            .try_for_each(|line| writeln!(f, "  traffic   {line}"))?;
        self.rewrites
            .iter()
            .try_for_each(|change| writeln!(f, "  rewrite   {change}"))?;
        let place = self.edits_place.as_ref();
        let place = place.map_or(String::new(), |place| format!("  ({place})"));
        self.request_edits
            .iter()
            .try_for_each(|edit| writeln!(f, "  request   {edit}{place}"))?;
        self.response_edits
            .iter()
            .try_for_each(|edit| writeln!(f, "  response  {edit}{place}"))?;
        self.sent
            .iter()
            .try_for_each(|(name, value)| writeln!(f, "  sent      {name}: {value}"))?;
        match self.body_limit {
            Some(limit) => writeln!(f, "  body      at most {limit} bytes")?,
            None => writeln!(f, "  body      of any size")?,
        }
        self.limits
            .iter()
            .try_for_each(|limit| writeln!(f, "  limit     {limit}"))?;
        writeln!(f, "  timeouts")?;
        for (key, value, place) in &self.timeouts {
            writeln!(f, "    {key:16}  {value:8}  {place}")?;
        }
        writeln!(f, "  servers")?;
        for server in &self.servers {
            let out = server
                .out
                .as_ref()
                .map_or(String::new(), |why| format!("  out: {why}"));
            writeln!(
                f,
                "    {}  {}  weight {}  ({}){out}",
                server.name, server.address, server.weight, server.place
            )?;
        }
        Ok(())
    }
}

impl Explanation {
    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let candidates = self.candidates.iter().map(|candidate| {
            json!({ "route": candidate.route, "place": candidate.place, "won": candidate.won, "reason": candidate.reason, "condition_place": candidate.condition_place })
        });
        json!({
            "request": self.request,
            "listener": { "name": self.listener, "place": self.listener_place },
            "protocol": self.protocol,
            "tls_name": self.tls_name,
            "certificate": self.certificate,
            "host": self.host,
            "path": self.path,
            "client": self.client.map(|client| client.to_string()),
            "trusted": self.trusted,
            "scheme": self.scheme.as_str(),
            "routes": candidates.collect::<Vec<_>>(),
            "verdict": self.verdict,
            "verdict_place": self.verdict_place,
            "route": self.route,
            "status": self.status,
            "answer": fields(&self.answer),
            "forward": self.forwarding.as_ref().map(Forwarding::json),
        })
    }
}

/// Fields in their order; a name may come more than once.
fn fields(fields: &[(String, String)]) -> Vec<Value> {
    let pair = |(name, value): &(String, String)| json!({ "name": name, "value": value });
    fields.iter().map(pair).collect()
}

impl Forwarding {
    fn json(&self) -> Value {
        let timeouts = self.timeouts.iter().map(|(key, value, place)| {
            let value = json!({ "value": value, "place": place });
            ((*key).to_owned(), value)
        });
        let servers = self.servers.iter().map(|server| {
            json!({ "name": server.name, "place": server.place, "address": server.address, "weight": server.weight, "out": server.out })
        });
        json!({
            "service": { "name": self.service, "place": self.service_place },
            "connection": self.connection.iter().map(|(text, place)| json!({ "by": text, "place": place })).collect::<Vec<_>>(),
            "target": self.target,
            "host": self.host,
            "traffic": self.traffic,
            "rewrites": self.rewrites,
            "sent": fields(&self.sent),
            "request_headers": self.request_edits,
            "response_headers": self.response_edits,
            "edits_place": self.edits_place,
            "body_limit": self.body_limit,
            "limits": self.limits,
            "timeouts": timeouts.collect::<serde_json::Map<_, _>>(),
            "servers": servers.collect::<Vec<_>>(),
        })
    }
}
