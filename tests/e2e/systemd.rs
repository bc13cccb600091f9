//! What a service manager sees and gives: sockets it passes, signs of life, deadlines it moves; and the units we ship.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use portcullis_harness::{Client, Origin, Setup, eventually, ok, repository};
use rustix::process::Signal;

const WEB: &str =
    "[listener.web]\nbind = \"fd:web\"\n[[route]]\nrespond = { status = 200, body = \"one\" }\n";

fn open() -> (TcpListener, u16) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

fn asked(port: u16) -> String {
    Client::tcp(("127.0.0.1", port)).get("a", "/").text()
}

#[test]
fn a_passed_socket_is_served_and_kept_across_reloads() {
    let (socket, port) = open();
    let mut proxy = Setup::new().pass(socket, "web:spare").start(WEB);
    assert_eq!(asked(port), "one");
    assert!(
        proxy.errors().contains("the socket `spare` was passed"),
        "nobody accepts from it:\n{}",
        proxy.errors()
    );
    proxy.reload(&WEB.replace("one", "two")).expect(0);
    assert_eq!(asked(port), "two");
    let elsewhere = WEB.replace("fd:web", "unix:@dir@/in.sock");
    proxy.reload(&elsewhere).expect(0);
    let waiting = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    proxy.reload(&WEB.replace("one", "three")).expect(0);
    assert_eq!(asked(port), "three", "the manager's socket never closes");
    drop(waiting);
}

#[test]
fn a_passed_unix_socket_keeps_its_file_at_the_end() {
    let setup = Setup::new();
    let path = setup.folder().join("web.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let mut proxy = setup.pass(socket, "web").start(WEB);
    assert_eq!(Client::unix(&path).get("a", "/").text(), "one");
    assert_eq!(proxy.stop(), 0);
    assert!(path.exists(), "its file is the manager's");
}

#[test]
fn a_socket_that_nobody_passed_is_named() {
    let said = Setup::new().run(WEB, &["run"]).expect(1);
    assert!(
        said.err.contains("no socket named `web`") && said.err.contains("socket activation"),
        "{}",
        said.err
    );
    let (socket, port) = open();
    let mut proxy = Setup::new().pass(socket, "web").start(WEB);
    let said = proxy.reload(&WEB.replace("fd:web", "fd:wep"));
    assert_eq!(said.code, 1);
    let text = format!("{}{}", said.out, said.err);
    assert!(text.contains("passed: web"), "{text}");
    assert_eq!(asked(port), "one");
}

#[test]
fn the_manager_is_told_alive_ready_and_how_long_a_stop_takes() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::answering(move |_| {
        let _ = gate.lock().unwrap().recv();
        ok("at last")
    });
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n";
    let mut proxy = Setup::new()
        .set("app", origin.address())
        .env("WATCHDOG_USEC", "150000")
        .start(config);
    for _ in 0..3 {
        proxy.wait_notice("WATCHDOG=1");
    }
    proxy.signal(Signal::HUP);
    assert!(proxy.notice("RELOADING=1").contains("MONOTONIC_USEC="));
    assert!(proxy.notice("READY=1").contains("STATUS=serving"));
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_count(1);
    proxy.signal(Signal::TERM);
    let first = proxy.notice("STOPPING=1");
    assert!(first.contains("EXTEND_TIMEOUT_USEC="), "{first}");
    let progress = proxy.notice("STATUS=draining: 1 request");
    assert!(progress.contains("EXTEND_TIMEOUT_USEC="), "{progress}");
    go.send(()).unwrap();
    assert_eq!(proxy.wait(), 0);
}

fn is_installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output();
    found.is_ok_and(|output| output.status.success())
}

/// The exposure that systemd reckons for a unit, drop-ins beside it included; 0 is none, 10 is everything.
fn exposure(unit: &Path) -> f32 {
    let mut analyze = Command::new("systemd-analyze");
    analyze
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit);
    let output = analyze.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let level = text
        .lines()
        .find_map(|line| line.split("exposure level for").nth(1));
    let level = level
        .and_then(|rest| rest.split_whitespace().nth(1))
        .and_then(|word| word.parse().ok());
    level.unwrap_or_else(|| {
        panic!(
            "no exposure in {text}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

#[test]
fn the_units_are_tight() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let setup = Setup::new();
    let units = repository().join("deploy/systemd");
    let unit = setup.folder().join("portcullis.service");
    std::fs::copy(units.join("portcullis.service"), &unit).unwrap();
    let alone = exposure(&unit);
    assert!(alone <= 2.0, "portcullis.service: {alone}");
    let shipped = std::fs::read_to_string(&unit).unwrap();
    let here = portcullis_harness::binary().display().to_string();
    let checked = setup.folder().write(
        "here.service",
        shipped.replace("/usr/bin/portcullis", &here),
    );
    assert_eq!(complaints(&checked), "");
    std::fs::create_dir(setup.folder().join("portcullis.service.d")).unwrap();
    let packaged = setup.folder().join("portcullis.service.d/user.conf");
    std::fs::copy(repository().join("deploy/debian/user.conf"), &packaged).unwrap();
    let of_package = exposure(&unit);
    assert!(
        of_package <= 2.0,
        "with the package's drop-in: {of_package}"
    );
    std::fs::remove_file(packaged).unwrap();
    let drop_in = "portcullis.service.d/sockets.conf";
    std::fs::copy(units.join(drop_in), setup.folder().join(drop_in)).unwrap();
    let with_sockets = exposure(&unit);
    assert!(with_sockets < alone, "with passed sockets: {with_sockets}");
}

/// What `systemd-analyze verify` says of a unit.
fn complaints(unit: &Path) -> String {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["verify", "--man=no", "--recursive-errors=no"]);
    let output = analyze.arg(unit).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_unit_is_made_to_measure() {
    let low = "[global]\nlame_duck = \"5s\"\n[listener.web]\nbind = [\":80\", \"unix:/run/shop/web.sock\"]\n[[route]]\nrespond = { status = 200 }\n[log]\naccess = { to = \"/var/log/shop/access.log\" }\n[admin]\nsocket = \"/run/shop/admin.sock\"\n";
    let high = low
        .replace(":80", ":8080")
        .replace("[global]", "[global]\nuser = \"daemon\"");
    let rows = [
        (
            low,
            &[
                "AmbientCapabilities=CAP_NET_BIND_SERVICE",
                "DynamicUser=yes",
                "RuntimeDirectory=shop",
                "LogsDirectory=shop",
                "TimeoutStopSec=45",
                "PrivateTmp=no",
            ][..],
        ),
        (
            &high,
            &["AmbientCapabilities=", "User=daemon", "PrivateUsers=yes"],
        ),
    ];
    for (config, wanted) in rows {
        let mut setup = Setup::new();
        let unit = setup.run(config, &["harden"]).expect(0).out;
        for line in wanted {
            assert!(
                unit.lines().any(|found| found == *line),
                "{line} is missing in\n{unit}"
            );
        }
        let place = setup.folder().join("portcullis.toml");
        assert!(
            unit.contains(&format!(" run -c {}\n", place.display())),
            "{unit}"
        );
        if is_installed("systemd-analyze") {
            let file = setup.folder().write("shop.service", &unit);
            assert!(exposure(&file) <= 2.0, "{}", exposure(&file));
            assert_eq!(complaints(&file), "");
        }
    }
    Setup::new().run("[listener.web]\n", &["harden"]).expect(1);
}

#[test]
fn an_application_starts_on_its_first_request() {
    if !is_installed("systemd-socket-activate") || !is_installed("python3") {
        return;
    }
    let setup = Setup::new();
    let socket = setup.folder().join("hello.sock");
    let app = repository().join("deploy/systemd/example-app/hello.py");
    let mut manager = Command::new("systemd-socket-activate")
        .arg("-l")
        .arg(&socket)
        .arg("python3")
        .arg(app)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the socket is there", || socket.exists().then_some(()));
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"hello\"\n[service.hello]\nservers = [\"unix:@dir@/hello.sock\"]\n";
    let proxy = setup.start(config);
    let response = proxy.connect("web").get("a", "/");
    manager.kill().unwrap();
    manager.wait().unwrap();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "hello\n")
    );
}
