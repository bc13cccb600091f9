//! What the demo says once it serves: where, and what to try.

use super::certificate;
use super::config::Places;

/// The guide for a demo that serves on `addresses` (listener and address).
pub(crate) fn text(addresses: &[(String, String)], places: &Places) -> String {
    let of = |listener: &str| {
        let found = addresses.iter().find(|(name, _)| name == listener);
        found
            .and_then(|(_, address)| address.rsplit(':').next())
            .unwrap_or_default()
            .to_owned()
    };
    let (http, https) = (of("http"), of("https"));
    let (cert, admin) = (places.file(certificate::CERT), places.file("admin.sock"));
    format!(
        "\
portcullis demo serves two embedded apps:

  http://localhost:{http}
  https://localhost:{https}   (certificate made on the spot: {cert})

Try, from another terminal:

  curl http://localhost:{http}/                            the request as an app sees it
  curl --cacert {cert} https://localhost:{https}/
  curl http://localhost:{http}/app/some/path               prefix stripped, a field added
  curl -i http://localhost:{http}/hello                    a fixed answer
  curl -iL http://localhost:{http}/old                     a redirect
  curl http://localhost:{http}/slow?seconds=3              then press Ctrl-C here and see it wait
  for i in $(seq 8); do curl -s -o /dev/null -w '%{{http_code}} ' http://localhost:{http}/limited; done
  echo 'show stat' | socat - UNIX-CONNECT:{admin}
  portcullis reload --socket {admin}
  portcullis demo --print-config                         the configuration of all this

A WebSocket echo is at ws://localhost:{http}/ws. Requests are logged below. Ctrl-C stops.

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_the_real_ports() {
        let addresses = [("http", "127.0.0.1:1234"), ("https", "127.0.0.1:5678")];
        let addresses = addresses.map(|(name, address)| (name.to_owned(), address.to_owned()));
        let text = text(&addresses, &Places::shown("0", "0"));
        assert!(text.contains("curl http://localhost:1234/ "), "{text}");
        assert!(text.contains("https://localhost:5678/\n"), "{text}");
        assert!(text.contains("%{http_code}"), "{text}");
    }
}
