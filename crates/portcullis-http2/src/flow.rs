//! The windows that we grant (RFC 9113 section 5.2).

/// What a peer may still send, and what it is owed for bytes that were used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Credit {
    window: u32,
    size: u32,
    owed: u32,
}

impl Credit {
    /// A window that is announced as `size` bytes, of a peer that may believe in `window` bytes until it has read that.
    pub(crate) fn announced(size: u32, window: u32) -> Self {
        Self {
            window: window.max(size),
            size,
            owed: 0,
        }
    }

    /// A window that is of `window` bytes now and of `size` in the long run.
    pub(crate) fn growing(window: u32, size: u32) -> Self {
        Self {
            window,
            size,
            owed: size.saturating_sub(window),
        }
    }

    /// The increment that takes the window to its size at once, if it is smaller.
    pub(crate) fn grow(&mut self) -> Option<u32> {
        self.window += self.owed;
        Some(std::mem::take(&mut self.owed)).filter(|&increment| increment > 0)
    }

    /// `bytes` came; false when the window did not allow them.
    #[inline]
    pub(crate) fn spend(&mut self, bytes: u32) -> bool {
        match self.window.checked_sub(bytes) {
            Some(window) => {
                self.window = window;
                true
            }
            None => false,
        }
    }

    /// `bytes` were used. Gives the increment to announce once half of the window is owed, so that few frames do.
    #[inline]
    pub(crate) fn owe(&mut self, bytes: u32) -> Option<u32> {
        self.owed += bytes;
        if self.owed < self.size.div_ceil(2) || self.owed == 0 {
            return None;
        }
        self.window += self.owed;
        Some(std::mem::take(&mut self.owed))
    }
}

#[cfg(test)]
mod tests {
    use super::Credit;

    #[test]
    fn half_a_window_is_owed_before_it_is_announced() {
        let mut credit = Credit::announced(100, 0);
        assert!(credit.spend(80) && !credit.spend(21));
        assert_eq!(credit.owe(49), None);
        assert_eq!(credit.owe(1), Some(50));
        assert!(credit.spend(70) && !credit.spend(1));
    }

    #[test]
    fn a_peer_that_believes_in_more_is_owed_by_what_was_announced() {
        let mut credit = Credit::announced(10, 65_535);
        assert!(credit.spend(65_535));
        assert_eq!(
            credit.owe(5),
            Some(5),
            "it may know by now that 10 is all it has"
        );
    }

    #[test]
    fn a_growing_window_is_announced_at_once() {
        assert_eq!(
            Credit::growing(65_535, 100_000).grow(),
            Some(100_000 - 65_535)
        );
        assert_eq!(Credit::growing(65_535, 65_535).grow(), None);
    }
}
