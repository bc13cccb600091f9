//! `portcullis demo`: the product on embedded apps, with one command.

use portcullis_harness::{Ports, Setup, binary, eventually, run};
use std::process::{Command, Stdio};

#[test]
fn the_demo_serves_over_tls_and_plain() {
    let setup = Setup::new();
    let mut ports = Ports::default();
    let (http, https) = (ports.reserve().to_string(), ports.reserve().to_string());
    let log = std::fs::File::create(setup.folder().join("demo.log")).unwrap();
    let mut child = Command::new(binary())
        .args(["demo", "--http", &http, "--https", &https])
        .current_dir(setup.folder().path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let curl = |arguments: &[&str]| {
        run(Command::new("curl")
            .args(["-sS", "--max-time", "15", "-k"])
            .args(arguments))
    };
    let url = format!("https://localhost:{https}/");
    eventually("the demo answers", || {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the demo has ended:\n{}",
            setup.folder().read("demo.log")
        );
        (curl(&[&url]).code == 0).then_some(())
    });
    let page = curl(&["-i", &url]);
    assert!(page.out.starts_with("HTTP/2 200"), "{}", page.out);
    let plain = curl(&["-i", &format!("http://localhost:{http}/")]);
    assert!(
        plain.out.starts_with("HTTP/1.1 200") || plain.out.starts_with("HTTP/1.1 308"),
        "{}",
        plain.out
    );
    assert!(
        setup.folder().read("demo.log").contains("curl"),
        "it prints commands to try:\n{}",
        setup.folder().read("demo.log")
    );
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let code = eventually("the demo ends", || child.try_wait().unwrap());
    assert_eq!(code.code(), Some(0), "{}", setup.folder().read("demo.log"));
}

#[test]
fn the_demo_is_an_ordinary_config() {
    let setup = Setup::new();
    let said = run(&mut setup.command(&["demo", "--print-config"])).expect(0);
    assert!(
        said.out.contains("[listener.") && said.out.contains("[service."),
        "{}",
        said.out
    );
}
