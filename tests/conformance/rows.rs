//! Running tables of messages: every row on a connection of its own, all mismatches told at once.

use portcullis_harness::{Origin, Proxy};

/// Sends each request and expects the status, a close after it, and that no byte of it reached the server.
#[track_caller]
pub(crate) fn refused(rows: &[(&str, &[u8], u16)]) {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut wrong = Vec::new();
    for (what, bytes, status) in rows {
        if let Err(problem) = refused_row(&proxy, bytes, *status) {
            wrong.push(format!("{what}: {problem}"));
        }
    }
    assert_eq!(
        origin.count(),
        0,
        "nothing of a refused request reaches a server: {:#?}",
        origin.requests()
    );
    assert!(
        wrong.is_empty(),
        "rows that were not refused as they must be:\n{}",
        wrong.join("\n")
    );
}

fn refused_row(proxy: &Proxy, bytes: &[u8], status: u16) -> Result<(), String> {
    let mut client = proxy.connect("web");
    client
        .try_send(bytes)
        .map_err(|error| format!("not taken: {error}"))?;
    let response = client
        .try_response_to("GET")
        .map_err(|error| format!("no response: {error}"))?;
    let response = response.ok_or("closed without a response")?;
    if response.status != status {
        return Err(format!(
            "status {} where {status} was expected",
            response.status
        ));
    }
    let rest = client.rest();
    if !rest.is_empty() {
        return Err(format!(
            "more after the refusal: {:?}",
            String::from_utf8_lossy(&rest)
        ));
    }
    Ok(())
}

/// Sends each request and expects that it is served: 200 by the echo.
#[track_caller]
pub(crate) fn accepted(rows: &[(&str, &[u8])]) {
    let origin = Origin::echo();
    let proxy = Proxy::before(&origin);
    let mut wrong = Vec::new();
    for (what, bytes) in rows {
        let mut client = proxy.connect("web");
        client.send(bytes);
        match client.try_response_to("GET") {
            Ok(Some(response)) if response.status == 200 => {}
            Ok(Some(response)) => wrong.push(format!("{what}: status {}", response.status)),
            other => wrong.push(format!("{what}: {other:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "rows that must be served:\n{}",
        wrong.join("\n")
    );
}

/// What a client gets when the server says these bytes and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gets {
    /// A whole response with this status.
    Status(u16),
    /// A response whose end is missing, visibly.
    Cut,
}

/// Plays each response to a fresh proxied GET and compares what the client gets.
#[track_caller]
pub(crate) fn responses(rows: &[(&str, &[u8], Gets)]) {
    let mut wrong = Vec::new();
    let answer = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let shared = std::sync::Arc::clone(&answer);
    let origin = Origin::tcp(move |peer| {
        if peer.request().is_some() {
            let bytes: Vec<u8> = shared.lock().unwrap().clone();
            peer.send(bytes);
        }
    });
    let proxy = Proxy::before(&origin);
    for (what, bytes, wanted) in rows {
        *answer.lock().unwrap() = bytes.to_vec();
        let mut client = proxy.connect("web");
        client.send("GET /row HTTP/1.1\r\nHost: a\r\n\r\n");
        let got = match client.try_response_to("GET") {
            Ok(Some(response)) if response.truncated => Ok(Gets::Cut),
            Ok(Some(response)) => Ok(Gets::Status(response.status)),
            other => Err(format!("{other:?}")),
        };
        if got != Ok(*wanted) {
            wrong.push(format!("{what}: {got:?} where {wanted:?} was expected"));
        }
    }
    assert!(
        wrong.is_empty(),
        "rows that went wrong:\n{}",
        wrong.join("\n")
    );
}
