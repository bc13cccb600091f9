//! The servers that one exchange has already tried.

use crate::ServerId;

/// Up to eight servers, on the stack. Servers tried after the eighth are not remembered and may come again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    servers: [Option<ServerId>; 8],
}

impl Tried {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { servers: [None; 8] }
    }

    /// Remembers `server`.
    pub fn add(&mut self, server: ServerId) {
        if self.contains(server) {
            return;
        }
        if let Some(free) = self.servers.iter_mut().find(|place| place.is_none()) {
            *free = Some(server);
        }
    }

    /// Whether `server` was tried.
    #[must_use]
    #[inline]
    pub fn contains(&self, server: ServerId) -> bool {
        // Filled from the front, so the first empty place ends the list: the common case is one comparison.
        self.servers
            .iter()
            .map_while(|place| *place)
            .any(|tried| tried == server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_eight() {
        let mut tried = Tried::none();
        for index in 0..10 {
            tried.add(ServerId::new(index));
            tried.add(ServerId::new(index));
        }
        assert!((0..8).all(|index| tried.contains(ServerId::new(index))));
        assert!(!tried.contains(ServerId::new(9)));
    }
}
