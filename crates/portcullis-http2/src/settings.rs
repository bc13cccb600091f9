//! What we announce and enforce, and what the peer announced.

/// Our side of a connection. The default is safe for strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Streams that a client may have open at the same time; one counts until it is released. Servers only.
    pub max_streams: u32,
    /// Bytes of data that a peer may send on a stream before they are read: the bound of a stream's receive buffer. At most 2^31 - 1.
    pub stream_window: u32,
    /// The same for all streams together, at least 65,535, at most 2^31 - 1.
    pub connection_window: u32,
    /// Bytes of the longest frame accepted, from 16,384 to 2^24 - 1.
    pub max_frame: u32,
    /// Bytes that the heads of all open requests may take together before no more are let in.
    pub heads: usize,
    /// Bytes of a head, counted as RFC 9113 section 6.5.2 does: names, values, and 32 a field.
    pub header_list: u32,
    /// Fields of a head.
    pub header_fields: u32,
    /// Bytes of the table that the peer's header compression may fill, at most 65,536.
    pub header_table: u32,
    /// Whether clients may open tunnels by extended CONNECT (RFC 8441).
    pub connect_protocol: bool,
    /// Bytes of unsent output above which no data is taken.
    pub output: usize,
    /// How much of what costs work and brings nothing is borne.
    pub budgets: Budgets,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_streams: 100,
            stream_window: 65_535,
            connection_window: 1024 * 1024,
            max_frame: 16_384,
            heads: 1024 * 1024,
            header_list: 64 * 1024,
            header_fields: 128,
            header_table: 4096,
            connect_protocol: true,
            output: 64 * 1024,
            budgets: Budgets::default(),
        }
    }
}

/// How often something is borne: `burst` at once, and `per_second` in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// How many at once.
    pub burst: u32,
    /// How many are added in a second, up to `burst`.
    pub per_second: u32,
}

/// An allowance for each kind of flood. What exceeds one ends the connection with ENHANCE_YOUR_CALM and the reason of that kind.
///
/// Where honest peers send control frames in answer to work (WINDOW_UPDATE for data, PING to measure), work adds to the allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Streams that the peer resets ("rapid reset"), besides one for each stream that came to its end: callers with
    /// deadlines cancel much and mean no harm.
    pub resets: Allowance,
    /// Streams that we reset because of what the peer sent ("made you reset"), malformed requests included.
    pub faults: Allowance,
    /// Streams opened beyond the number announced.
    pub refused: Allowance,
    /// SETTINGS frames.
    pub settings: Allowance,
    /// PING frames, besides one for each frame with data or a head.
    pub pings: Allowance,
    /// PRIORITY frames, besides two for each stream.
    pub priorities: Allowance,
    /// WINDOW_UPDATE frames, besides four for each DATA frame that we sent and two for each stream.
    pub window_updates: Allowance,
    /// Frames without content that end nothing: DATA, CONTINUATION.
    pub empty: Allowance,
    /// Frames of unknown types, besides one for each stream.
    pub unknown: Allowance,
    /// CONTINUATION frames of one header block.
    pub continuations: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        let allow = |burst, per_second| Allowance { burst, per_second };
        Self {
            resets: allow(1000, 200),
            faults: allow(100, 20),
            refused: allow(500, 50),
            settings: allow(32, 4),
            pings: allow(64, 16),
            priorities: allow(256, 64),
            window_updates: allow(1024, 256),
            empty: allow(64, 16),
            unknown: allow(64, 16),
            continuations: 16,
        }
    }
}

/// What the peer announced; the defaults of RFC 9113 section 6.5.2 until it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerSettings {
    /// Whether a SETTINGS frame of the peer has arrived.
    pub received: bool,
    /// Bytes of the table that our header compression may fill.
    pub header_table: u32,
    /// Streams that we may have open at the same time.
    pub max_streams: u32,
    /// The window that a new stream of ours begins with.
    pub initial_window: u32,
    /// Bytes of the longest frame that we may send.
    pub max_frame: u32,
    /// Whether extended CONNECT may be used (RFC 8441).
    pub connect_protocol: bool,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            received: false,
            header_table: 4096,
            max_streams: u32::MAX,
            initial_window: 65_535,
            max_frame: 16_384,
            connect_protocol: false,
        }
    }
}
