//! What loading a configuration and deciding about a request cost; `make bench-decide` counts instructions with it.
//!
//! `decide SCENARIO ROUNDS` decides about some requests ROUNDS times, inside `counted`, which callgrind is told to look at.
//! `decide load HOSTS PATHS` says how long each step of loading a generated configuration takes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use anyhow::Context as _;
use portcullis_config::{FsLoader, load_text};
use portcullis_plan::compile::Machine;
use portcullis_plan::{
    Chance, Decision, Facts, Fields, ListenerId, Live, Moment, Plan, Scheme, compile, decide,
};

/// Runs what the words after `decide` ask for; `false` when they ask for nothing that there is.
pub(crate) fn run(words: &[&str]) -> anyhow::Result<bool> {
    let number = |at: usize, otherwise: usize| {
        let word = words.get(at).and_then(|word| word.parse().ok());
        word.unwrap_or(otherwise)
    };
    match words.first() {
        Some(&"load") => load(number(1, 10_000), number(2, 10))?,
        Some(scenario) => decide_about(scenario, number(1, 1))?,
        None => return Ok(false),
    }
    Ok(true)
}

const HEAD: &str =
    "[listener.web]\nbind = \"127.0.0.1:8080\"\n[service.app]\nservers = [\"127.0.0.1:9000\"]\n";

/// A configuration of so many hosts with so many paths each.
fn hosts(hosts: usize, paths: usize) -> String {
    let mut text = String::from(HEAD);
    for host in 0..hosts {
        for path in 0..paths {
            let _ = writeln!(
                text,
                "[[route]]\nname = \"r{host}-{path}\"\nhosts = [\"h{host}.example.com\"]\npath = \"/p{path}\"\nservice = \"app\""
            );
        }
    }
    text
}

/// A configuration of one route for each of these lines of conditions.
fn routes(conditions: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from(HEAD);
    for (line, index) in conditions.into_iter().zip(0..) {
        let _ = writeln!(
            text,
            "[[route]]\nname = \"r{index}\"\n{line}\nservice = \"app\""
        );
    }
    text
}

fn scenario(name: &str) -> (String, usize, usize) {
    match name {
        "hosts" => (hosts(10_000, 10), 10_000, 10),
        "small-hosts" => (hosts(100, 10), 100, 10),
        "regex" => (routes((0..100).map(|n| format!("path = {{ regex = '/p{n}/\\d+' }}"))), 1, 100),
        "templates" => (routes((0..100).map(|n| format!("path = {{ template = \"/p{n}/{{id}}\" }}"))), 1, 100),
        "conditions" => (
            routes((0..3).map(|n| format!("path = \"/\"\nheaders = {{ x-variant = \"v{n}\" }}\nquery = {{ page = true }}\nclients = [\"10.0.0.0/8\"]"))),
            1,
            1,
        ),
        _ => (routes(["path = \"/p0\"".to_owned()]), 1, 1),
    }
}

fn plan(text: &str) -> anyhow::Result<Plan> {
    let loaded = load_text("bench.toml", text, &FsLoader);
    let config = loaded.config.context("the configuration is valid")?;
    let (plan, _) = compile(&config, &loaded.sources, Machine { threads: 1 });
    plan.context("the configuration compiles")
}

fn decide_about(name: &str, rounds: usize) -> anyhow::Result<()> {
    let (text, hosts, paths) = scenario(name);
    let plan = plan(&text)?;
    let live = Live::new(&plan, 1);
    let requests: Vec<(String, String)> = (0..rounds)
        .map(|round| {
            let at = round.wrapping_mul(7919);
            (
                format!("h{}.example.com", at % hosts),
                format!("/p{}/4711", at % paths),
            )
        })
        .collect();
    // Once without being looked at, so that lazily made states are there.
    let warm = requests
        .iter()
        .filter(|(host, path)| measured(&plan, &live, host, path))
        .count();
    let begin = Instant::now();
    let forwarded = requests
        .iter()
        .filter(|(host, path)| counted(&plan, &live, host, path))
        .count();
    let took = begin.elapsed();
    println!(
        "{name}: {forwarded} of {rounds} forwarded ({warm} before), {} ns each",
        took.as_nanos() / rounds.max(1) as u128
    );
    Ok(())
}

/// The requests that callgrind counts.
#[inline(never)]
fn counted(plan: &Plan, live: &Live, host: &str, path: &str) -> bool {
    measured(plan, live, host, path)
}

#[inline(always)]
fn measured(plan: &Plan, live: &Live, host: &str, path: &str) -> bool {
    let Some(listener) = plan.listeners.first() else {
        return false;
    };
    let facts = Facts {
        listener_id: ListenerId::new(0),
        listener,
        peer: None,
        local: None,
        client: Some([10, 0, 0, 1].into()),
        client_port: None,
        scheme: Scheme::Http,
        tls: None,
        version: "HTTP/1.1",
        method: b"GET",
        target: path.as_bytes(),
        host,
        authority: host.as_bytes(),
        path: path.as_bytes(),
        query: Some(b"page=1"),
        request_id: b"",
        fields: &Head,
        route: None,
        service: None,
        server: None,
    };
    let decision = decide(
        black_box(plan),
        black_box(live),
        black_box(&facts),
        Moment::default(),
        Chance::none(),
    );
    matches!(black_box(decision), Decision::Forward(_))
}

/// The fields of a small request.
struct Head;

const FIELDS: [(&str, &[u8]); 4] = [
    ("host", b"h"),
    ("user-agent", b"bench"),
    ("accept", b"*/*"),
    ("x-variant", b"v2"),
];

impl Fields for Head {
    fn first(&self, name: &str) -> Option<&[u8]> {
        FIELDS
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| *value)
    }

    fn each(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        FIELDS
            .iter()
            .filter(|(own, _)| *own == name)
            .for_each(|(_, value)| each(value));
    }
}

fn load(hosts: usize, paths: usize) -> anyhow::Result<()> {
    let text = self::hosts(hosts, paths);
    let begin = Instant::now();
    let loaded = load_text("bench.toml", &text, &FsLoader);
    let read = begin.elapsed();
    let config = loaded.config.context("the configuration is valid")?;
    let begin = Instant::now();
    let (plan, _) = compile(&config, &loaded.sources, Machine { threads: 1 });
    let compiled = begin.elapsed();
    let plan = plan.context("the configuration compiles")?;
    println!(
        "{} routes, {} bytes: read and checked in {read:?}, compiled in {compiled:?}, a route takes {} bytes",
        plan.routes.len(),
        text.len(),
        size_of::<portcullis_plan::plan::Route>()
    );
    Ok(())
}
