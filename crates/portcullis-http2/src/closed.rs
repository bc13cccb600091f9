//! A bounded memory of streams that are over, to tell honest latecomers from broken peers.

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// We sent RST_STREAM: the peer may not know yet.
    ResetByUs,
    /// Both sides ended it, or the peer reset it: the peer knows.
    Known,
}

/// How many of each kind are remembered at least and at most.
const FEWEST: usize = 128;
const MOST: usize = 4096;

/// The last streams that were reset by us, and the last others.
#[derive(Debug)]
pub(crate) struct Closed {
    reset: Ring,
    known: Ring,
    /// How a stream that is not remembered is taken to have ended.
    forgotten: Option<Ending>,
}

#[derive(Debug)]
struct Ring {
    numbers: Vec<u32>,
    next: usize,
    most: usize,
}

impl Ring {
    fn new(most: usize) -> Self {
        Self {
            numbers: Vec::new(),
            next: 0,
            most,
        }
    }

    fn push(&mut self, number: u32) {
        if self.numbers.len() < self.most {
            self.numbers.push(number);
        } else if let Some(slot) = self.numbers.get_mut(self.next) {
            *slot = number;
            self.next = (self.next + 1) % self.most;
        }
    }
}

impl Closed {
    /// Of streams that the peer opens, so many at the same time: all of them may be reset and have frames under way.
    pub(crate) fn of_peer(streams: u32) -> Self {
        Self::new(streams as usize * 2, None)
    }

    /// Of streams that we open: what the peer sends on one that is forgotten was under way when we reset it.
    pub(crate) fn of_ours() -> Self {
        Self::new(FEWEST, Some(Ending::ResetByUs))
    }

    fn new(remembered: usize, forgotten: Option<Ending>) -> Self {
        let most = remembered.clamp(FEWEST, MOST);
        Self {
            reset: Ring::new(most),
            known: Ring::new(most),
            forgotten,
        }
    }

    pub(crate) fn push(&mut self, number: u32, ending: Ending) {
        match ending {
            Ending::ResetByUs => self.reset.push(number),
            Ending::Known => self.known.push(number),
        }
    }

    /// How a stream ended; `None` when that is forgotten or it never was.
    pub(crate) fn ending(&self, number: u32) -> Option<Ending> {
        if self.reset.numbers.contains(&number) {
            return Some(Ending::ResetByUs);
        }
        match self.known.numbers.contains(&number) {
            true => Some(Ending::Known),
            false => self.forgotten,
        }
    }
}
