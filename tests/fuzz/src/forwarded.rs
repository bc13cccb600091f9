//! Forwarding fields: a stranger is never believed, and what is told to servers is made of addresses.

use std::net::SocketAddr;
use std::sync::LazyLock;

use portcullis_config::{FsLoader, load_text};
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::{Fields, Plan, forwarded};

const TRUSTING: &str = "[listener.web]\nbind = \"127.0.0.1:0\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n\
forwarded_headers = \"both\"\n[[route]]\nrespond = { status = 204 }\n";

static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
    let loaded = load_text("fuzz.toml", TRUSTING, &FsLoader);
    compile(&loaded.config?, &loaded.sources, Machine { threads: 1 }).0
});

/// Lines of the input, alternately values of the two fields.
struct Lines<'a>(Vec<&'a [u8]>);

impl Fields for Lines<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let mut first = None;
        self.each(name, &mut |value| first = first.or_else(|| self.0.iter().position(|line| line.trim_ascii() == value)));
        first.and_then(|at| self.0.get(at)).map(|line| line.trim_ascii())
    }

    fn each(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let parity = match name {
            "x-forwarded-for" => 0,
            "forwarded" => 1,
            _ => return,
        };
        for line in self.0.iter().skip(parity).step_by(2) {
            each(line.trim_ascii());
        }
    }
}

/// From a stranger nothing is believed; from a trusted peer the client is at least the peer.
pub fn strangers_are_never_believed(bytes: &[u8]) {
    let plan = PLAN.as_ref().expect("proof: the text above is a configuration");
    let listener = plan.listeners.first().expect("proof: it has one listener");
    let fields = Lines(bytes.split(|&byte| byte == b'\n').collect());
    let stranger = SocketAddr::from(([192, 0, 2, 1], 5));
    let believed = forwarded::client(listener, Some(stranger), &fields);
    assert_eq!((believed.client, believed.trusted), (Some(stranger.ip()), false));
    assert_eq!(believed.scheme, None);
    let trusted = SocketAddr::from(([10, 0, 0, 1], 5));
    assert!(forwarded::client(listener, Some(trusted), &fields).client.is_some());
}
