//! Which changes an operator should look at twice: those that send clients away or forget what was observed.

use super::{Change, ChangeKind, Effect, Object};

impl Change {
    /// Why it should be looked at twice; `None` where nothing in progress and nothing observed is lost.
    #[must_use]
    pub fn danger(&self) -> Option<&'static str> {
        match self.effect {
            Effect::NeedsRestart => return Some("a running process refuses it"),
            Effect::StateReset => return Some("what was observed of it is forgotten"),
            Effect::LimitReset => return Some("its limiter forgets its clients"),
            Effect::Kept | Effect::Fresh | Effect::Dropped => {}
        }
        match (&self.kind, &self.object) {
            (ChangeKind::Removed, Object::Listener(_)) => Some("its clients are sent away"),
            (ChangeKind::Removed, Object::Route(_)) => Some("its requests go elsewhere"),
            (ChangeKind::Removed, Object::Service(_)) => Some("its servers are left"),
            (ChangeKind::Changed(keys), Object::Listener(_)) => keys
                .iter()
                .any(|key| matches!(*key, "bind" | "tls" | "protocols" | "proxy_protocol"))
                .then_some("clients reach it in another way"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sends_clients_away_is_dangerous_and_an_addition_is_not() {
        let change = |object: &Object, kind, effect| Change {
            object: object.clone(),
            kind,
            effect,
        };
        let listener = Object::Listener("a".into());
        let server = Object::Server {
            service: "a".into(),
            name: "b".into(),
            address: None,
        };
        let removed = change(&listener, ChangeKind::Removed, Effect::Dropped);
        assert!(removed.danger().is_some());
        let moved = ChangeKind::Changed(vec!["backlog", "bind"]);
        assert!(change(&listener, moved, Effect::Kept).danger().is_some());
        let tuned = ChangeKind::Changed(vec!["backlog"]);
        assert!(change(&listener, tuned, Effect::Kept).danger().is_none());
        let added = change(&Object::Route("a".into()), ChangeKind::Added, Effect::Fresh);
        assert!(added.danger().is_none());
        let address = ChangeKind::Changed(vec!["address"]);
        assert!(
            change(&server, address, Effect::StateReset)
                .danger()
                .is_some()
        );
    }
}
