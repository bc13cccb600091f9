#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::schema::Origin;
use std::collections::BTreeMap;
use std::time::Duration;

/// Files by path, from memory.
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
                .collect(),
        )
    }
}

impl Loader for Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, dir: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let matches = |path: &&PathBuf| {
            path.strip_prefix(dir).is_ok_and(|rest| {
                crate::source::matches_pattern(pattern, &rest.display().to_string())
            })
        };
        Ok(self.0.keys().filter(matches).cloned().collect())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

const LEAST: &str = "[listener.web]\nbind = ':8080'\n[[route]]\nservice = 'app'\n[service.app]\nservers = ['127.0.0.1:3000']\n";

fn good(text: &str) -> Config {
    let loaded = load_text("t.toml", text, &NoLoader);
    match loaded.config {
        Some(config) => config,
        None => panic!(
            "{}",
            crate::render(&loaded.diagnostics, &loaded.sources, false)
        ),
    }
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn the_least_configuration_has_all_defaults() {
    let config = good(LEAST);
    assert_eq!(*config.global.max_connections, 20_000);
    assert_eq!(config.global.max_connections.origin, Origin::Default);
    assert_eq!(config.listeners[0].name.value, "web");
    assert_eq!(config.routes[0].name.value, "route-1");
    assert_eq!(config.services[0].servers[0].name.value, "s1");
    assert_eq!(
        config.listeners[0]
            .request_id
            .as_ref()
            .unwrap()
            .header
            .as_str(),
        "x-request-id"
    );
    assert_eq!(config.timeouts.request.value, None);
}

#[test]
fn timeouts_are_inherited_with_the_place_they_were_written() {
    let text = format!(
        "[defaults.timeouts]\nrequest = '9s'\nconnect = '1s'\n{LEAST}timeouts = {{ request = '5s' }}\n"
    );
    let config = good(&text);
    let timeouts = config.request_timeouts(&config.listeners[0], &config.routes[0]);
    assert_eq!(timeouts.request.value, Some(Duration::from_secs(5)));
    assert_eq!(
        timeouts.request.origin,
        Origin::Inherited,
        "the service wrote it, not the route"
    );
    let own = config.service_timeouts(&config.services[0]);
    assert_eq!(own.request.origin, Origin::Written);
    assert_eq!(timeouts.connect.value, Some(Duration::from_secs(1)));
    assert_eq!(timeouts.connect.origin, Origin::Inherited);
    assert_eq!(timeouts.handshake.origin, Origin::Default);
    let span = timeouts.connect.span.unwrap();
    assert_eq!(&text[span.start as usize..span.end as usize], "'1s'");
}

#[test]
fn every_problem_is_found_at_once() {
    let text = "[listener.web]\nbind = 80\nbakclog = 1\n[[route]]\nservice = 'ap'\nhosts = ['a:1']\n[service.app]\nservers = ['x']\n[global]\nshutdown_timeout = 10\n";
    let found = codes(&load_text("t.toml", text, &NoLoader));
    assert_eq!(
        found,
        [
            "wrong-type",
            "unknown-key",
            "unknown-service",
            "invalid-value",
            "invalid-value",
            "missing-unit"
        ]
    );
}

#[test]
fn includes_are_read_in_order_and_their_routes_come_last() {
    let files = Files::of(&[
        (
            "etc/main.toml",
            &format!("include = ['conf.d/*.toml']\n{LEAST}"),
        ),
        (
            "etc/conf.d/b.toml",
            "[[route]]\nname = 'b'\npath = '/b'\nservice = 'app'\n",
        ),
        (
            "etc/conf.d/a.toml",
            "[[route]]\nname = 'a'\npath = '/a'\nservice = 'app'\n",
        ),
    ]);
    let loaded = load(Path::new("etc/main.toml"), &files);
    let names: Vec<_> = loaded
        .config
        .unwrap()
        .routes
        .iter()
        .map(|route| route.name.value.clone())
        .collect();
    assert_eq!(names, ["route-1", "a", "b"]);
}

#[test]
fn the_same_name_in_two_files_is_shown_with_both() {
    let files = Files::of(&[
        ("m.toml", &format!("include = 'x.toml'\n{LEAST}")),
        ("x.toml", "[service.app]\nservers = ['[::1]:1']\n"),
    ]);
    let loaded = load(Path::new("m.toml"), &files);
    assert_eq!(codes(&loaded), ["duplicate-name"]);
    let places: Vec<_> = loaded.diagnostics[0]
        .notes
        .iter()
        .map(|(span, _)| loaded.sources.place(*span).file)
        .collect();
    assert_eq!(places, ["m.toml"]);
}

#[test]
fn an_include_that_leads_back_is_an_error_and_ends() {
    let files = Files::of(&[
        ("m.toml", &format!("include = 'x.toml'\n{LEAST}")),
        ("x.toml", "include = './m.toml'\n"),
    ]);
    assert_eq!(
        codes(&load(Path::new("m.toml"), &files)),
        ["included-twice"]
    );
}

#[test]
fn too_many_files_are_one_error() {
    let mut files = Files::of(&[("m.toml", &format!("include = 'c/*'\n{LEAST}"))]);
    for n in 0..300 {
        files.0.insert(format!("c/{n}").into(), Vec::new());
    }
    assert_eq!(codes(&load(Path::new("m.toml"), &files)), ["too-large"]);
}

#[test]
fn what_is_no_text_is_said_with_its_offset() {
    let files = Files(BTreeMap::from([(
        PathBuf::from("m.toml"),
        b"a = 1\nb = \xff".to_vec(),
    )]));
    let loaded = load(Path::new("m.toml"), &files);
    assert_eq!(codes(&loaded), ["not-utf8"]);
    assert!(
        loaded.diagnostics[0]
            .message
            .ends_with("byte 0xff at offset 10")
    );
}

#[test]
fn missing_and_empty_files_are_errors() {
    assert_eq!(
        codes(&load(Path::new("m.toml"), &NoLoader)),
        ["unreadable-file"]
    );
    assert_eq!(
        codes(&load_text("m.toml", "", &NoLoader)),
        ["nothing-served"]
    );
    assert_eq!(
        codes(&load_text("m.toml", "# nothing\n", &NoLoader)),
        ["nothing-served"]
    );
}

#[test]
fn a_file_that_is_too_large_is_not_parsed() {
    let files = Files(BTreeMap::from([(
        PathBuf::from("m.toml"),
        vec![b'#'; crate::MAX_FILE_BYTES + 1],
    )]));
    assert_eq!(codes(&load(Path::new("m.toml"), &files)), ["too-large"]);
}

#[test]
fn keys_of_later_versions_are_refused_by_name() {
    let text = LEAST
        .replace("[[route]]", "protocols = ['h3']\n[[route]]")
        .replace("[service.app]", "[service.app]\nsticky = 1");
    assert_eq!(
        codes(&load_text("t.toml", &text, &NoLoader)),
        ["not-yet", "not-yet"]
    );
}

#[test]
fn relative_paths_start_from_the_file_that_names_them() {
    let files = Files::of(&[
        ("m.toml", &format!("include = 'd/x.toml'\n{LEAST}")),
        ("d/x.toml", "[errors]\n503 = 'p/503.html'\n"),
        ("d/p/503.html", "sorry"),
    ]);
    let config = load(Path::new("m.toml"), &files).config.unwrap();
    let (status, page) = &config.errors[0];
    assert_eq!(
        (status.code(), &*page.bytes, page.content_type()),
        (503, &b"sorry"[..], "text/html; charset=utf-8")
    );
}
