//! With real parts: a Python app on waitress that writes a row per request, four of it over TCP and one over a
//! Unix socket, real load tools and real clients. As many rows as answers with 200, never more, never fewer.

use portcullis_harness::{
    Folder, Ports, Proxy, Setup, eventually, python, repository, run, run_bounded,
};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const APPS: [&str; 4] = ["one", "two", "three", "four"];

/// The instances of the app, ended with the test.
struct Apps {
    children: Vec<Child>,
    database: PathBuf,
    ports: Vec<u16>,
    _folder: Folder,
    _held: Ports,
}

impl Apps {
    fn start(socket: &Path) -> Self {
        let folder = Folder::new();
        let database = folder.join("hits.db");
        let mut held = Ports::default();
        let ports: Vec<u16> = APPS.iter().map(|_| held.reserve()).collect();
        let mut children = vec![launch(&database, "local", &socket.display().to_string())];
        eventually("the app on the Unix socket listens", || {
            UnixStream::connect(socket).ok()
        });
        for (name, port) in APPS.iter().zip(&ports) {
            children.push(launch(&database, name, &port.to_string()));
        }
        for port in &ports {
            eventually("an app listens", || {
                TcpStream::connect(("127.0.0.1", *port)).ok()
            });
        }
        Self {
            children,
            database,
            ports,
            _folder: folder,
            _held: held,
        }
    }

    /// How many rows satisfy a condition.
    fn rows(&self, condition: &str) -> usize {
        let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('select count(*) from hit where ' + sys.argv[2]).fetchone()[0])";
        let said = run(Command::new(python())
            .arg("-c")
            .arg(script)
            .arg(&self.database)
            .arg(condition))
        .expect(0);
        said.out.trim().parse().unwrap()
    }
}

impl Drop for Apps {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn launch(database: &Path, name: &str, listen: &str) -> Child {
    let script = repository().join("tests/e2e/real/app.py");
    Command::new(python())
        .arg(script)
        .arg(database)
        .arg(name)
        .arg(listen)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

const CONFIG: &str = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/local"
service = "local"
[[route]]
service = "four"
[service.local]
servers = ["unix:@dir@/app.sock"]
[service.four]
servers = ["127.0.0.1:@app1@", "127.0.0.1:@app2@", "127.0.0.1:@app3@", "127.0.0.1:@app4@"]
"#;

fn stage() -> (Proxy, Apps) {
    let mut setup = Setup::new();
    let apps = Apps::start(&setup.folder().join("app.sock"));
    for (number, port) in apps.ports.iter().enumerate() {
        setup = setup.set(&format!("app{}", number + 1), port.to_string());
    }
    (setup.start(CONFIG), apps)
}

fn h2load(proxy: &Proxy, path: &str, requests: usize) -> usize {
    let mut command = Command::new("h2load");
    command.args([
        "--h1",
        "-t1",
        "-c16",
        &format!("-n{requests}"),
        &format!("http://127.0.0.1:{}{path}", proxy.port("web")),
    ]);
    let said = run_bounded(&mut command, b"", Duration::from_secs(120)).expect(0);
    let line = said
        .out
        .lines()
        .find(|line| line.starts_with("status codes:"))
        .unwrap_or_else(|| panic!("{}", said.out));
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

#[test]
fn thousands_of_requests_leave_as_many_rows_as_answers() {
    let (proxy, apps) = stage();
    let answered = h2load(&proxy, "/load", 3000);
    assert_eq!(answered, 3000, "every request is answered with 200");
    assert_eq!(apps.rows("path = '/load'"), answered);
    for name in APPS {
        let share = apps.rows(&format!("path = '/load' and app = '{name}'"));
        assert!((700..=800).contains(&share), "{name} has {share} of 3000");
    }
    let answered = h2load(&proxy, "/local/load", 1000);
    assert_eq!(answered, 1000);
    assert_eq!(
        apps.rows("path = '/local/load' and app = 'local'"),
        answered
    );
}

#[test]
fn wrk_and_the_rows_agree() {
    let (proxy, apps) = stage();
    let mut command = Command::new("wrk");
    command.args([
        "-t1",
        "-c8",
        "-d1",
        &format!("http://127.0.0.1:{}/wrk", proxy.port("web")),
    ]);
    let said = run_bounded(&mut command, b"", Duration::from_secs(60)).expect(0);
    assert!(
        !said.out.contains("Non-2xx") && !said.out.contains("Socket errors"),
        "{}",
        said.out
    );
    let counted: usize = said
        .out
        .lines()
        .find(|line| line.contains(" requests in "))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let logged = eventually("the log is written", || {
        let lines = proxy
            .output()
            .lines()
            .filter(|line| line.contains("\"/wrk\"") && line.contains("\"status\":200"))
            .count();
        (lines >= counted).then_some(lines)
    });
    let rows = apps.rows("path = '/wrk'");
    // wrk leaves when its time is up: of each of its connections one request may be on the way.
    assert!(
        (counted..=counted + 8).contains(&rows),
        "wrk counts {counted}, the app {rows}"
    );
    assert!(
        (counted..=rows).contains(&logged),
        "wrk counts {counted}, the log {logged}, the app {rows}"
    );
}

#[test]
fn python_clients_are_served() {
    let (proxy, apps) = stage();
    let url = format!("http://127.0.0.1:{}", proxy.port("web"));
    let script = repository().join("tests/e2e/real/clients.py");
    let said = run_bounded(
        Command::new(python()).arg(script).arg(url),
        b"",
        Duration::from_secs(60),
    )
    .expect(0);
    assert_eq!(
        said.out
            .lines()
            .filter(|line| line.starts_with("200 "))
            .count(),
        11,
        "{}",
        said.out
    );
    assert_eq!(apps.rows("path like '/requests/%' and body = 10000"), 5);
    assert_eq!(apps.rows("path = '/requests/chunked' and body = 4"), 1);
    assert_eq!(
        apps.rows("path like '/httpx/%' and client = '127.0.0.1'"),
        5
    );
}

#[test]
fn nodes_fetch_is_served() {
    let (proxy, apps) = stage();
    let script = "
const url = process.argv[1];
const all = Array.from({ length: 20 }, (_, turn) => fetch(`${url}/node/${turn}`, { method: 'POST', body: 'x'.repeat(turn) }));
for (const answer of await Promise.all(all)) console.log(answer.status, (await answer.text()).trim());
";
    let url = format!("http://127.0.0.1:{}", proxy.port("web"));
    let mut command = Command::new("node");
    command.args(["--input-type=module", "-e", script, &url]);
    let said = run_bounded(&mut command, b"", Duration::from_secs(60)).expect(0);
    assert_eq!(
        said.out
            .lines()
            .filter(|line| line.starts_with("200 "))
            .count(),
        20,
        "{}{}",
        said.out,
        said.err
    );
    assert_eq!(apps.rows("path like '/node/%'"), 20);
}

#[test]
fn curl_is_served_in_all_its_moods() {
    let (proxy, apps) = stage();
    let url = format!("http://127.0.0.1:{}", proxy.port("web"));
    let folder = Folder::new();
    let upload = folder.write("upload", vec![b'u'; 2_000_000]);
    let upload = upload.display().to_string();
    let rows: [&[&str]; 6] = [
        &["/curl/get"],
        &["/curl/http10", "--http1.0"],
        &["/curl/post", "-d", "a=b"],
        &["/curl/upload", "-T", &upload],
        &[
            "/curl/chunked",
            "-T",
            &upload,
            "-H",
            "Transfer-Encoding: chunked",
        ],
        &["/curl/expect", "-T", &upload, "-H", "Expect: 100-continue"],
    ];
    for row in rows {
        let [path, options @ ..] = row else {
            unreachable!("every row has a path")
        };
        let said = run(Command::new("curl")
            .args(["-sS", "-f", "--max-time", "30"])
            .args(options)
            .arg(format!("{url}{path}")))
        .expect(0);
        assert!(said.out.contains(path), "{path}: {}", said.out);
    }
    assert_eq!(apps.rows("path like '/curl/%'"), 6);
    assert_eq!(apps.rows("body = 2000000"), 3);
    let head = run(Command::new("curl").args([
        "-sS",
        "-f",
        "-I",
        "--max-time",
        "30",
        &format!("{url}/curl/head"),
    ]))
    .expect(0);
    assert!(head.out.starts_with("HTTP/1.1 200"), "{}", head.out);
}

#[test]
fn an_app_that_dies_under_load_costs_no_answered_request() {
    let (proxy, mut apps) = stage();
    let counted = std::thread::scope(|scope| {
        let load = scope.spawn(|| h2load(&proxy, "/dying", 2000));
        eventually("the load has begun", || {
            (proxy.output().lines().count() > 200).then_some(())
        });
        let _ = apps.children[4].kill();
        load.join().unwrap()
    });
    let rows = apps.rows("path = '/dying'");
    // A request whose app dies between its row and its answer is answered with 502 or tried again, if it may be.
    assert!(
        rows >= counted && rows <= 2000 + 16,
        "{counted} answers, {rows} rows"
    );
    assert!(counted >= 1950, "{counted} of 2000 answered with 200");
}
