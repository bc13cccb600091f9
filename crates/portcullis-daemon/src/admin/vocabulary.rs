//! The commands of the admin socket as operators see them: usage, one line of help, and the level each needs.
//!
//! The words come first in a usage; what follows them is for the reader's eye only. A command that is not in
//! this table does not exist, so the help and the parser cannot drift apart: a test parses every entry.

use std::fmt::Write as _;

use portcullis_plan::plan::AdminLevel;

/// One command of the table.
pub(crate) struct Entry {
    /// The words that select it, single-spaced.
    pub(crate) words: &'static str,
    /// How it is written, placeholders included.
    pub(crate) usage: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
    /// Who may use it.
    pub(crate) level: AdminLevel,
}

const fn entry(
    words: &'static str,
    usage: &'static str,
    level: AdminLevel,
    help: &'static str,
) -> Entry {
    Entry {
        words,
        usage,
        help,
        level,
    }
}

use AdminLevel::{Admin, Operator, User};

/// Every command but the three that close each list.
pub(crate) const TABLE: &[Entry] = &[
    entry(
        "clear counters",
        "clear counters [all]",
        Operator,
        "reset maxima (all: every counter, admin level)",
    ),
    entry(
        "disable server",
        "disable server <bk>/<srv>",
        Admin,
        "put a server into maintenance",
    ),
    entry(
        "enable server",
        "enable server <bk>/<srv>",
        Admin,
        "take a server out of maintenance",
    ),
    entry(
        "get weight",
        "get weight <bk>/<srv>",
        User,
        "tell a server's weight",
    ),
    entry(
        "operator",
        "operator",
        User,
        "give up admin rights in this session",
    ),
    entry(
        "plan",
        "plan [json] [<file>]",
        Operator,
        "tell what a reload would do (<file>: admin level)",
    ),
    entry(
        "reload",
        "reload [json] [plan <hash>] [guard <time> [errors <points>] [latency <factor>]]",
        Admin,
        "load the configuration again and report",
    ),
    entry(
        "rollback",
        "rollback [json] [<generation>]",
        Admin,
        "go back to an earlier configuration",
    ),
    entry(
        "set server",
        "set server <bk>/<srv> [opts]",
        Admin,
        "change a server's state, weight or health",
    ),
    entry(
        "set severity-output",
        "set severity-output [none|number|string]",
        User,
        "mark messages with their severity",
    ),
    entry(
        "set timeout",
        "set timeout [cli] <delay>",
        User,
        "change this session's idle limit",
    ),
    entry(
        "set weight",
        "set weight <bk>/<srv> <weight>[%]",
        Admin,
        "change a server's weight",
    ),
    entry("show backend", "show backend", User, "list the services"),
    entry(
        "show cli level",
        "show cli level",
        User,
        "tell this session's level",
    ),
    entry(
        "show cli sockets",
        "show cli sockets",
        User,
        "list the admin sockets",
    ),
    entry(
        "show config",
        "show config",
        Operator,
        "print the effective configuration",
    ),
    entry(
        "show errors",
        "show errors [<px>] [request|response]",
        Operator,
        "count captured protocol errors",
    ),
    entry(
        "show generations",
        "show generations [json]",
        Operator,
        "tell what happened to the configuration",
    ),
    entry(
        "show info",
        "show info [desc|json|typed|float]*",
        User,
        "describe the running process",
    ),
    entry(
        "show routes",
        "show routes",
        User,
        "list routes with place, action and counters",
    ),
    entry(
        "show servers state",
        "show servers state [<backend>]",
        User,
        "list the servers' changing state",
    ),
    entry(
        "show stat",
        "show stat [desc|json|no-maint|typed|up]*",
        User,
        "list counters of listeners, services, servers",
    ),
    entry("show version", "show version", User, "tell the version"),
    entry(
        "upgrade",
        "upgrade",
        Admin,
        "hand over to a new process of the program",
    ),
    entry(
        "user",
        "user",
        User,
        "give up operator and admin rights in this session",
    ),
];

/// The commands that close each list.
const ALWAYS: &[Entry] = &[
    entry(
        "help",
        "help [<command>]",
        User,
        "list matching or all commands",
    ),
    entry(
        "prompt",
        "prompt",
        User,
        "toggle interactive mode with prompt",
    ),
    entry("quit", "quit", User, "disconnect"),
];

/// At most this many commands are offered instead of an unknown one.
const SUGGESTIONS: usize = 5;

/// The answer to `help`, for a session of `level`; `about` narrows it down.
pub(crate) fn help(about: &str, level: AdminLevel) -> String {
    let found = matching(about, level);
    list("The following commands are valid at this level:", &found)
}

/// The answer to a command that does not exist.
pub(crate) fn unknown(words: &str, level: AdminLevel) -> String {
    if words.is_empty() {
        return list(
            "Unknown command. Please enter one of the following commands only:",
            &matching("", level),
        );
    }
    let headline = "Unknown command, but maybe one of the following ones is a better match:";
    list(headline, &matching(words, level))
}

fn list(headline: &str, entries: &[&Entry]) -> String {
    let mut text = format!("{headline}\n");
    for entry in entries.iter().copied().chain(ALWAYS) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<40}: {}", entry.usage, entry.help);
    }
    text
}

/// Commands that begin as `words` do; without any, those that look most like it. All of them for no words.
fn matching(words: &str, level: AdminLevel) -> Vec<&'static Entry> {
    let visible = || TABLE.iter().filter(|entry| entry.level <= level);
    let beginning: Vec<_> = visible()
        .filter(|entry| is_beginning(words, entry.words))
        .collect();
    if !beginning.is_empty() || ALWAYS.iter().any(|entry| entry.words == words) {
        return beginning;
    }
    let mut near: Vec<_> = visible()
        .map(|entry| (distance(words, entry.words), entry))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.truncate(SUGGESTIONS);
    near.sort_by_key(|(_, entry)| entry.words);
    near.into_iter().map(|(_, entry)| entry).collect()
}

/// Whether one of the two is the beginning of the other, by characters for what was typed, by words for the command.
fn is_beginning(typed: &str, words: &str) -> bool {
    words.starts_with(typed)
        || typed
            .strip_prefix(words)
            .is_some_and(|rest| rest.starts_with(' '))
}

/// Edit distance between the ends that matter: long input is cut, since it cannot come near anything.
fn distance(typed: &str, words: &str) -> usize {
    let typed: Vec<u8> = typed.bytes().take(40).collect();
    let mut row: Vec<usize> = (0..=typed.len()).collect();
    for (i, wanted) in words.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, given) in typed.iter().enumerate() {
            let cost = diagonal + usize::from(*given != wanted);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[typed.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_pads_usages_to_forty_columns() {
        let text = help("quit", User);
        assert_eq!(
            text,
            "The following commands are valid at this level:\n\
             \x20 help [<command>]                        : list matching or all commands\n\
             \x20 prompt                                  : toggle interactive mode with prompt\n\
             \x20 quit                                    : disconnect\n",
            "the layout is HAProxy's"
        );
    }

    #[test]
    fn help_narrows_by_prefix() {
        let text = help("set server", Admin);
        assert_eq!(
            text.lines().count(),
            5,
            "headline, the command, and the three that always close: {text}"
        );
        assert!(text.contains("  set server <bk>/<srv> [opts]            : "));
    }

    #[test]
    fn help_hides_what_the_level_does_not_allow() {
        assert!(!help("", User).contains("set server"));
        assert!(help("", Admin).contains("set server"));
    }

    #[test]
    fn a_first_word_alone_lists_all_that_begin_with_it() {
        let text = unknown("show", Admin);
        let listed = text
            .lines()
            .filter(|line| line.starts_with("  show "))
            .count();
        assert_eq!(
            listed,
            TABLE
                .iter()
                .filter(|entry| entry.words.starts_with("show "))
                .count()
        );
    }

    #[test]
    fn an_unknown_command_offers_the_five_nearest() {
        let text = unknown("show stats", Admin);
        assert!(text.starts_with("Unknown command, but maybe"));
        assert!(text.contains("  show stat ["), "{text}");
        assert_eq!(text.lines().count(), 1 + SUGGESTIONS + 3);
    }

    #[test]
    fn an_empty_command_lists_everything() {
        assert!(
            unknown("", Admin)
                .starts_with("Unknown command. Please enter one of the following commands only:\n")
        );
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
