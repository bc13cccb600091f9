//! Running out of file descriptors: the limit is raised at start, and one descriptor is kept in reserve so that the
//! accept loop can always take a waiting connection off the queue and close it instead of spinning.

use std::fs::File;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not client connections: sockets, logs, epoll, probes.
const OVERHEAD: u64 = 256;

/// Raises the soft limit on open files to the hard limit and gives the limit then in force; `None` is no limit.
pub(crate) fn raise_limit() -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    if found.current == found.maximum {
        return found.current;
    }
    let wanted = Rlimit {
        current: found.maximum,
        maximum: found.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => found.maximum,
        Err(_) => found.current,
    }
}

/// The connections that fit when each may need a second descriptor towards a server; `None` if `wanted` fits.
pub(crate) fn too_few_for(wanted: u32, limit: Option<u64>) -> Option<u64> {
    let fits = limit?.saturating_sub(OVERHEAD) / 2;
    (fits < u64::from(wanted)).then_some(fits)
}

/// Whether accepting failed because the process or the machine has no descriptor or memory left.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// A descriptor kept for the day there is no other.
#[derive(Debug, Default)]
pub(crate) struct Reserve(Option<File>);

impl Reserve {
    /// Takes a descriptor into reserve, if there is one.
    pub(crate) fn new() -> Self {
        let mut reserve = Self::default();
        reserve.refill();
        reserve
    }

    /// Gives the descriptor back to the system, for a moment.
    pub(crate) fn release(&mut self) {
        self.0 = None;
    }

    /// Takes a descriptor into reserve again, if there is one.
    pub(crate) fn refill(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }

    /// Whether a descriptor is in reserve.
    #[cfg(test)]
    pub(crate) fn is_full(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_holds_a_descriptor_until_it_is_released() {
        let mut reserve = Reserve::new();
        assert!(reserve.is_full());
        reserve.release();
        assert!(!reserve.is_full());
        reserve.refill();
        assert!(reserve.is_full());
    }

    #[test]
    fn two_descriptors_are_reckoned_for_each_connection() {
        assert_eq!(too_few_for(20_000, None), None, "no limit");
        assert_eq!(too_few_for(20_000, Some(1_048_576)), None);
        assert_eq!(too_few_for(20_000, Some(1_024)), Some(384));
        assert_eq!(too_few_for(1, Some(10)), Some(0));
    }

    #[test]
    fn running_out_is_told_from_other_failures() {
        assert!(is_exhaustion(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!is_exhaustion(&io::Error::from_raw_os_error(
            libc::ECONNABORTED
        )));
    }
}
