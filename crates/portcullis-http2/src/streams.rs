//! The streams of a connection: what each holds, and finding them.

use crate::flow::Credit;
use crate::{Cause, HeadInfo, StreamId};
use std::collections::VecDeque;

/// Memory of a buffer that outlives its stream; what is larger is given back.
const KEPT_BUFFER: usize = 4096;
/// Slots that outlive a crowd of streams.
const KEPT_SLOTS: usize = 16;

/// How far one side of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Side {
    /// Its head has not come.
    #[default]
    Idle,
    /// After its final head.
    Open,
    /// After END_STREAM.
    Ended,
}

/// What is to be told of a stream, as bits, in the order of telling.
pub(crate) mod news {
    pub(crate) const HEAD: u8 = 1;
    pub(crate) const DATA: u8 = 2;
    pub(crate) const ROOM: u8 = 4;
    pub(crate) const RESET: u8 = 8;
}

/// One stream. A slot is reused, with its memory.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// 0 in a free slot.
    pub(crate) number: u32,
    pub(crate) receiving: Side,
    pub(crate) sending: Side,
    /// Set when it is over before its end.
    pub(crate) reset: Option<Cause>,
    /// Whether RST_STREAM went out.
    pub(crate) reset_sent: bool,
    /// Whether it is an extended CONNECT.
    pub(crate) is_tunnel: bool,
    /// Clients: the response has no content whatever its Content-Length says (HEAD).
    pub(crate) is_head: bool,

    /// Unread data, from `inbox_at` on.
    pub(crate) inbox: Vec<u8>,
    pub(crate) inbox_at: usize,
    pub(crate) credit: Credit,
    /// Data still to come, when that was said.
    pub(crate) expected: Option<u64>,
    /// Bytes of the head that it began with.
    held: usize,
    /// Texts of heads not taken yet, one behind the other, and what is not in them.
    pub(crate) heads: Vec<u8>,
    pub(crate) infos: VecDeque<(usize, HeadInfo)>,
    pub(crate) trailers: Vec<u8>,

    /// What the peer lets us send; negative after it shrank its windows.
    pub(crate) window: i64,
    /// Where the last HEADERS or DATA frame begins in the output.
    pub(crate) last_frame: u64,
    /// Whether something was refused for lack of room.
    pub(crate) wants_room: bool,
    /// Whether that was a header block, which needs no window.
    pub(crate) waits_for_output: bool,
    pub(crate) granted: bool,
    pub(crate) news: u8,

    /// Whether the slot is in the queue of news, of room. These two outlive the stream, as the queues' entries do.
    pub(crate) in_ready: bool,
    pub(crate) in_waiting: bool,
}

impl Stream {
    pub(crate) fn unread(&self) -> &[u8] {
        self.inbox.get(self.inbox_at..).unwrap_or_default()
    }

    /// Forgets all but memory worth keeping. The inbox was given back before.
    fn clear(&mut self) {
        let (mut heads, mut trailers) = (
            std::mem::take(&mut self.heads),
            std::mem::take(&mut self.trailers),
        );
        let mut infos = std::mem::take(&mut self.infos);
        heads.clear();
        trailers.clear();
        infos.clear();
        if heads.capacity() > KEPT_BUFFER {
            heads = Vec::new();
        }
        *self = Self {
            heads,
            trailers,
            infos,
            in_ready: self.in_ready,
            in_waiting: self.in_waiting,
            ..Self::default()
        };
    }
}

/// All streams that are not released.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    slots: Vec<Stream>,
    free: Vec<u32>,
    /// Number and slot, ascending: numbers only grow, so a new one belongs at the end.
    by_number: Vec<(u32, u32)>,
    /// Bytes of the heads that they began with.
    held: usize,
}

impl Streams {
    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Bytes of the heads that all of them began with.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Counts the head that a stream begins with.
    pub(crate) fn hold(&mut self, slot: u32, bytes: usize) {
        if let Some(stream) = self.slots.get_mut(slot as usize) {
            stream.held = bytes;
            self.held += bytes;
        }
    }

    /// The slot of a stream.
    #[inline]
    pub(crate) fn find(&self, number: u32) -> Option<u32> {
        match self.by_number.last() {
            Some(&(last, slot)) if last == number => return Some(slot),
            Some(&(last, _)) if last < number => return None,
            _ => {}
        }
        let place = self
            .by_number
            .binary_search_by_key(&number, |&(n, _)| n)
            .ok()?;
        self.by_number.get(place).map(|&(_, slot)| slot)
    }

    /// What is in a slot; an empty stream in a free one.
    #[inline]
    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Stream> {
        self.slots.get_mut(slot as usize)
    }

    #[inline]
    pub(crate) fn get(&self, id: StreamId) -> Option<&Stream> {
        self.slots
            .get(id.slot as usize)
            .filter(|stream| stream.number == id.number)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.slots
            .get_mut(id.slot as usize)
            .filter(|stream| stream.number == id.number)
    }

    /// A slot for a stream whose number is above all others.
    pub(crate) fn insert(&mut self, number: u32) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Stream::default());
            self.slots.len() as u32 - 1
        });
        if let Some(stream) = self.at(slot) {
            stream.number = number;
        }
        self.by_number.push((number, slot));
        slot
    }

    /// Frees a slot.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(stream) = self.slots.get_mut(slot as usize) else {
            return;
        };
        let number = stream.number;
        self.held -= stream.held;
        stream.clear();
        if let Ok(place) = self.by_number.binary_search_by_key(&number, |&(n, _)| n) {
            self.by_number.remove(place);
            self.free.push(slot);
        }
    }

    /// The slot of the stream that is at `place` in the order in which they were opened; no slot beyond the last.
    pub(crate) fn slot_of(&self, place: usize) -> u32 {
        self.by_number
            .get(place)
            .map_or(u32::MAX, |&(_, slot)| slot)
    }

    /// Gives back what a crowd of streams needed and one does not. Only when there is none.
    pub(crate) fn shrink(&mut self) {
        if self.len() == 0 && self.slots.len() > KEPT_SLOTS {
            self.slots.truncate(KEPT_SLOTS);
            self.slots.shrink_to_fit();
            self.free.clear();
            self.free.extend((0..KEPT_SLOTS as u32).rev());
        }
    }
}
