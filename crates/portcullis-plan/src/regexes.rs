//! Regular expressions that whole values are matched with, several at once.
//!
//! They are one automaton, whose states are made as they are needed and kept, so the cost is one step for each byte, whatever
//! the expressions say and however many there are. Each worker finds its states again without waiting for others;
//! once they are there, nothing is allocated.

use std::fmt;

use portcullis_config::Regex;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind};

/// The most bytes of states that one worker keeps for one set; what does not fit is made anew.
const MAX_STATES: usize = 1 << 20;

/// Some expressions, each bound to both ends of the value.
pub struct Regexes {
    texts: Box<[Box<str>]>,
    dfa: DFA,
    caches: Pool<
        Cache,
        Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>,
    >,
}

impl Regexes {
    /// The set of these expressions; `None` if there are too many for one automaton.
    pub fn new<'r>(regexes: impl IntoIterator<Item = &'r Regex>) -> Option<Self> {
        let regexes: Vec<_> = regexes.into_iter().collect();
        let hirs: Vec<_> = regexes.iter().map(|regex| regex.hir()).collect();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(thompson::WhichCaptures::None),
            )
            .build_many_from_hir(&hirs)
            .ok()?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(MAX_STATES)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        let own = dfa.clone();
        Some(Self {
            texts: regexes.iter().map(|regex| regex.as_str().into()).collect(),
            dfa,
            caches: Pool::new(Box::new(move || own.create_cache())),
        })
    }

    /// The expressions as written.
    #[must_use]
    pub fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// Whether any of them matches the whole of `value`.
    #[must_use]
    pub fn is_match(&self, value: &[u8]) -> bool {
        self.any(value, |_| true)
    }

    /// Gives `visit` the number of each expression that matches the whole of `value`, in their order, until it says `true`.
    pub fn any(&self, value: &[u8], mut visit: impl FnMut(usize) -> bool) -> bool {
        let mut cache = self.caches.get();
        let Some(end) = self.run(&mut cache, value) else {
            return false;
        };
        let count = self.dfa.match_len(&cache, end);
        let mut from = 0;
        // The automaton does not promise an order.
        while let Some(next) = (0..count)
            .map(|index| self.dfa.match_pattern(&cache, end, index).as_usize())
            .filter(|number| *number >= from)
            .min()
        {
            if visit(next) {
                return true;
            }
            from = next + 1;
        }
        false
    }

    /// The state at the end of `value`, if it is one of a match. The automaton never gives up, as nothing in its
    /// configuration lets it.
    fn run(&self, cache: &mut Cache, value: &[u8]) -> Option<LazyStateID> {
        let input = Input::new(value).anchored(Anchored::Yes);
        let mut state = self.dfa.start_state_forward(cache, &input).ok()?;
        for &byte in value {
            state = self.dfa.next_state(cache, state, byte).ok()?;
            if state.is_dead() {
                return None;
            }
        }
        let end = self.dfa.next_eoi_state(cache, state).ok()?;
        end.is_match().then_some(end)
    }
}

impl fmt::Debug for Regexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.texts).finish()
    }
}

impl PartialEq for Regexes {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(texts: &[&str]) -> Regexes {
        let regexes: Vec<Regex> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Regexes::new(&regexes).unwrap()
    }

    fn matching(set: &Regexes, value: &str) -> Vec<usize> {
        let mut found = Vec::new();
        set.any(value.as_bytes(), |number| {
            found.push(number);
            false
        });
        found
    }

    #[test]
    fn whole_values_match_and_all_that_do_are_told_in_order() {
        let set = set(&["a+", "^b$", "[ab]+", "(?i)AB", "a|ab"]);
        assert_eq!(matching(&set, "a"), [0, 2, 4]);
        assert_eq!(matching(&set, "ab"), [2, 3, 4]);
        assert_eq!(matching(&set, "b"), [1, 2]);
        assert_eq!(matching(&set, "xa"), [] as [usize; 0]);
        assert_eq!(matching(&set, "ax"), [] as [usize; 0]);
        assert_eq!(matching(&set, ""), [] as [usize; 0]);
        assert!(set.is_match(b"aaaa") && !set.is_match(b"aaac"));
    }

    #[test]
    fn bytes_beyond_ascii_are_bytes() {
        let set = set(&[".+", r"\w+"]);
        assert_eq!(matching(&set, "ä"), [0]);
        assert!(set.is_match(b"\xFF"));
    }

    #[test]
    fn lines_in_a_value_end_nothing() {
        assert!(!set(&["a"]).is_match(b"a\n"));
        assert!(
            !set(&["(?m)^a$"]).is_match(b"a\nb"),
            "both ends are those of the value"
        );
    }
}
