//! Every file of `config/examples` does what its own comments promise.
//!
//! A line `#? GET http://host/path -H "name: value"` is a request, the `#= ` lines after it what it gets: a status, or
//! `field: value`, or `body: text` that the body contains. With `--http2` behind it, it is made over HTTP/2. Each address in the file gives way to a free
//! port or a socket in the test's folder; servers are played by an echo.

use portcullis_harness::{
    Authority, Client, Origin, OriginTls, Proxy, Response, Setup, TlsClient, ok, repository,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug)]
struct Trial {
    request: String,
    expected: Vec<String>,
}

#[test]
fn every_example_does_what_it_says() {
    let mut files: Vec<_> = std::fs::read_dir(repository().join("config/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    assert!(!files.is_empty(), "config/examples has examples");
    let mut failed = Vec::new();
    for path in &files {
        let told = std::panic::catch_unwind(|| perform(path));
        if told.is_err() {
            failed.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    assert!(
        failed.is_empty(),
        "examples that do not do what they say: {failed:?}"
    );
}

fn perform(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let trials = trials(&text);
    assert!(
        !trials.is_empty(),
        "{}: no request to perform",
        path.display()
    );
    let mut stage = Stage::of(&text);
    let setup = std::mem::take(&mut stage.setup);
    let proxy = setup.start(&stage.config);
    for trial in trials {
        stage.perform(&proxy, &trial);
    }
}

fn trials(text: &str) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    for line in text.lines() {
        if let Some(request) = line.strip_prefix("#? ") {
            trials.push(Trial {
                request: request.trim().to_owned(),
                expected: Vec::new(),
            });
        } else if let Some(expected) = line.strip_prefix("#= ") {
            trials
                .last_mut()
                .expect("a `#= ` line follows a `#? ` line")
                .expected
                .push(expected.trim().to_owned());
        }
    }
    trials
}

/// The peers and files of one example.
struct Stage {
    setup: Setup,
    config: String,
    authority: Authority,
    clients: Authority,
    /// Who vouches for servers.
    internal: Authority,
    /// The services whose servers speak TLS, by the name of their table.
    tls: BTreeSet<String>,
    /// Those whose servers speak HTTP/2 in clear text.
    http2: BTreeSet<String>,
    /// Those whose servers expect a PROXY header.
    introduced: BTreeSet<String>,
    origins: Vec<Origin>,
    /// The port written in the file, and the one that took its place.
    ports: BTreeMap<String, String>,
}

impl Stage {
    fn of(text: &str) -> Self {
        let mut stage = Self {
            setup: Setup::new(),
            config: String::new(),
            authority: Authority::new("sites"),
            clients: Authority::new("clients"),
            internal: Authority::new("internal"),
            tls: services_with(text, "tls"),
            http2: services_with(text, "protocols"),
            introduced: services_with(text, "proxy_protocol"),
            origins: Vec::new(),
            ports: BTreeMap::new(),
        };
        let body: String = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect();
        stage.config = stage.rewrite(&body);
        stage
    }

    /// Replaces every quoted address and path of the file.
    fn rewrite(&mut self, text: &str) -> String {
        let mut section = String::new();
        let mut key = String::new();
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
                key.clear();
            } else if let Some((name, _)) = line
                .split_once('=')
                .filter(|_| !line.starts_with([' ', ']', '}']))
            {
                key = name.trim().to_owned();
            }
            lines.push(self.rewrite_line(line, &section, &key));
        }
        lines.join("\n") + "\n"
    }

    fn rewrite_line(&mut self, line: &str, section: &str, key: &str) -> String {
        let mut parts: Vec<String> = line.split('"').map(str::to_owned).collect();
        for index in (1..parts.len()).step_by(2) {
            let before = parts[index - 1].clone();
            parts[index] = self.value(&parts[index].clone(), section, key, &before);
        }
        parts.join("\"")
    }

    fn value(&mut self, value: &str, section: &str, line_key: &str, before: &str) -> String {
        let inner = before.trim_end().strip_suffix('=').map(str::trim_end);
        let inner = inner.and_then(|text| text.rsplit([' ', '{', ',']).next());
        let key = inner.filter(|key| !key.is_empty()).unwrap_or(line_key);
        let is_server = section.starts_with("service.") && line_key == "servers";
        match key {
            "bind" => self.bind(value),
            "servers" | "address" if is_server => self.server(value, section),
            "path" if section == "admin" => "@dir@/admin.sock".to_owned(),
            "cert" | "key" | "ca" | "body_file" | "page" => self.file(value),
            _ if section == "errors" && value.contains('.') => self.file(value),
            _ => value.to_owned(),
        }
    }

    fn bind(&mut self, value: &str) -> String {
        if let Some(path) = value.strip_prefix("unix:") {
            let name = Path::new(path)
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            return format!("unix:@dir@/{name}");
        }
        if value.starts_with("fd:") {
            // Nobody passes sockets here; tests/e2e/systemd.rs does.
            return "127.0.0.1:0".to_owned();
        }
        let port = value.rsplit(':').next().unwrap().to_owned();
        let name = format!("port{port}");
        self.ports.insert(port, name.clone());
        if value.starts_with('[') {
            format!("[::1]:@{name}@")
        } else {
            format!("127.0.0.1:@{name}@")
        }
    }

    fn server(&mut self, value: &str, section: &str) -> String {
        let position = self.origins.len() + 1;
        let label = value.to_owned();
        let answer = move |request: &portcullis_harness::Request| {
            if request.fields.one("upgrade").is_some() {
                return b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec();
            }
            let head = String::from_utf8_lossy(&request.head).into_owned();
            let mut answer = ok(&format!("{head}{}", String::from_utf8_lossy(&request.body)));
            let at = answer.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
            let field = format!("X-Server: {label}\r\nX-Server-Number: {position}\r\n");
            answer.splice(at..at, field.into_bytes());
            answer
        };
        let origin = match value.strip_prefix("unix:") {
            _ if self.tls.contains(section) => {
                let identity = self.internal.issue(&["app.internal"]);
                Origin::tls(&OriginTls::new(&identity), move |peer| {
                    peer.answer_all(&answer);
                })
            }
            _ if self.http2.contains(section) => Origin::tcp(|peer| {
                if let Some(mut http2) = peer.http2(&[]) {
                    http2.answer_all(|call| (200, call.path().as_bytes().to_vec()));
                }
            }),
            _ if self.introduced.contains(section) => Origin::tcp(move |peer| {
                peer.proxy_header();
                peer.answer_all(&answer);
            }),
            Some(_) => {
                let path = self.setup.folder().join(&format!("origin{position}.sock"));
                Origin::unix(&path, move |peer| peer.answer_all(&answer))
            }
            None => Origin::answering(answer),
        };
        let address = origin.address().to_owned();
        self.origins.push(origin);
        address
    }

    /// Certificates are issued for the names that their file's stem and the example suggest; pages get a line of text.
    fn file(&mut self, value: &str) -> String {
        let name = Path::new(value)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let stem = Path::new(value)
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let folder = self.setup.folder();
        if name.ends_with(".key") || name.ends_with(".pem") || name.ends_with(".crt") {
            let is_authority =
                ["ca", "clients", "client-ca", "clients-ca"].contains(&stem.as_str());
            if stem == "internal-ca" {
                folder.write(&name, self.internal.pem());
            } else if is_authority {
                folder.write(&name, self.clients.pem());
            } else if !folder.join(&format!("{stem}.key")).exists() {
                let names = [
                    stem.clone(),
                    format!("www.{stem}"),
                    format!("*.{stem}"),
                    "localhost".to_owned(),
                ];
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let identity = self.authority.issue(&names);
                folder.write(&format!("{stem}.key"), &identity.key);
                folder.write(&format!("{stem}.pem"), &identity.cert);
                folder.write(&format!("{stem}.crt"), &identity.cert);
            }
        } else if !folder.join(&name).exists() {
            folder.write(&name, format!("the file {name}\n"));
        }
        name
    }

    fn perform(&self, proxy: &Proxy, trial: &Trial) {
        let words = words(&trial.request);
        let [method, url, rest @ ..] = words.as_slice() else {
            panic!("not a request: {}", trial.request);
        };
        let (scheme, after) = url.split_once("://").expect("a URL has a scheme");
        let (authority, path) = after
            .find('/')
            .map_or((after, "/"), |at| (&after[..at], &after[at..]));
        let (host, port) = authority
            .rsplit_once(':')
            .unwrap_or((authority, if scheme == "https" { "443" } else { "80" }));
        let mut fields = String::new();
        for pair in rest.chunks(2) {
            if pair[0] == "-H" {
                fields.push_str(&pair[1]);
                fields.push_str("\r\n");
            }
        }
        let wants_certificate = rest.iter().any(|word| word == "--cert");
        let wants_http2 = rest.iter().any(|word| word == "--http2");
        let wishes = (wants_certificate, wants_http2);
        let mut client = self.connect(proxy, scheme, host, port, wishes);
        let response = if wants_http2 {
            over_http2(client, method, scheme, authority, path)
        } else {
            client.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{fields}\r\n"
            ));
            client.response_to(method)
        };
        let told = format!("{}\ngot {response:#?}", trial.request);
        for expected in &trial.expected {
            if let Ok(status) = expected.parse::<u16>() {
                assert_eq!(response.status, status, "{told}");
            } else if let Some(part) = expected.strip_prefix("body: ") {
                // Names of fields have no case.
                let (body, part) = (response.text().to_lowercase(), part.to_lowercase());
                assert!(body.contains(&part), "the body lacks {part:?}: {told}");
            } else {
                let (name, value) = expected
                    .split_once(": ")
                    .unwrap_or_else(|| panic!("not an expectation: {expected}"));
                let same = response.fields.all(name).contains(&value);
                assert!(same, "no `{name}: {value}`: {told}");
            }
        }
    }

    fn connect(
        &self,
        proxy: &Proxy,
        scheme: &str,
        host: &str,
        port: &str,
        (with_certificate, with_http2): (bool, bool),
    ) -> Client {
        let name = self
            .ports
            .get(port)
            .unwrap_or_else(|| panic!("the example has no port {port}"));
        let port = proxy.port(name);
        if scheme == "http" {
            return Client::tcp(("127.0.0.1", port));
        }
        let client: TlsClient = self.authority.client();
        let client = if with_certificate {
            client.presenting(&self.clients.issue(&["client"]))
        } else {
            client
        };
        let client = if with_http2 {
            client.offering(&["h2"])
        } else {
            client
        };
        client.connect(port, host)
    }
}

fn over_http2(client: Client, method: &str, scheme: &str, authority: &str, path: &str) -> Response {
    let mut client = client.http2();
    let fields = [
        (":method", method),
        (":scheme", scheme),
        (":path", path),
        (":authority", authority),
    ];
    let stream = client.open(&fields, true);
    let answer = client.answer(stream);
    Response {
        status: answer.status(),
        reason: String::new(),
        version: "HTTP/2".into(),
        fields: answer.fields,
        body: answer.body,
        trailers: answer.trailers,
        interim: Vec::new(),
        truncated: !answer.ended,
    }
}

/// The tables `service.NAME` that have this key, or a table of that name.
fn services_with(text: &str, key: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut section = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
        }
        let own = section.strip_suffix(&format!(".{key}"));
        if let Some(service) = own.filter(|service| service.starts_with("service.")) {
            found.insert(service.to_owned());
        } else if section.starts_with("service.") && line.starts_with(&format!("{key} =")) {
            found.insert(section.clone());
        }
    }
    found
}

/// Splits a line at spaces, keeping quoted parts whole.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
