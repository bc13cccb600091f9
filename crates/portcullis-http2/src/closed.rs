//! A bounded memory of streams that are over, to tell honest latecomers from broken peers.

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// We sent RST_STREAM: the peer may not know yet.
    ResetByUs,
    /// Both sides ended it, or the peer reset it: the peer knows.
    Known,
}

const REMEMBERED: usize = 128;

/// The last streams that were reset by us, and the last others.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    reset: Ring,
    known: Ring,
}

#[derive(Debug, Default)]
struct Ring {
    numbers: Vec<u32>,
    next: usize,
}

impl Ring {
    fn push(&mut self, number: u32) {
        if self.numbers.len() < REMEMBERED {
            self.numbers.push(number);
        } else if let Some(slot) = self.numbers.get_mut(self.next) {
            *slot = number;
            self.next = (self.next + 1) % REMEMBERED;
        }
    }
}

impl Closed {
    pub(crate) fn push(&mut self, number: u32, ending: Ending) {
        match ending {
            Ending::ResetByUs => self.reset.push(number),
            Ending::Known => self.known.push(number),
        }
    }

    /// How a stream ended; `None` when it is forgotten or never was.
    pub(crate) fn ending(&self, number: u32) -> Option<Ending> {
        if self.reset.numbers.contains(&number) {
            return Some(Ending::ResetByUs);
        }
        self.known
            .numbers
            .contains(&number)
            .then_some(Ending::Known)
    }
}
