//! From a line to commands. Total: any line gives some command.

use std::time::Duration;

use portcullis_plan::plan::AdminLevel;

use super::{
    AdminState, Command, ForcedHealth, Form, GuardWords, ProxyRef, ServerChange, SeverityOutput,
    StatFilter, StatQuery, Target, Weight,
};

/// Splits a line at its `;` into commands and each of them into words. A backslash takes the next character as it is;
/// at the end of the line it takes none and is none.
#[must_use]
pub(crate) fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    let close = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(last)) = (word.take(), commands.last_mut()) {
            last.push(word);
        }
    };
    while let Some(character) = characters.next() {
        match character {
            ';' => {
                close(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            ' ' | '\t' => close(&mut word, &mut commands),
            '\\' => {
                if let Some(taken) = characters.next() {
                    word.get_or_insert_default().push(taken);
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    close(&mut word, &mut commands);
    commands
}

/// The command these words spell.
#[must_use]
pub(crate) fn parse(words: &[String]) -> Command {
    let spelled: Vec<&str> = words.iter().map(String::as_str).collect();
    match spelled.as_slice() {
        ["help", about @ ..] => Command::Help(about.join(" ")),
        ["prompt", ..] => Command::Prompt,
        ["quit", ..] => Command::Quit,
        ["show", rest @ ..] => parse_show(rest).unwrap_or_else(|| unknown(&spelled)),
        ["set", rest @ ..] => parse_set(rest).unwrap_or_else(|| unknown(&spelled)),
        ["get", "weight", rest @ ..] => Command::GetWeight(target(rest.first())),
        ["enable", "server", rest @ ..] => server_state(rest, AdminState::Ready),
        ["disable", "server", rest @ ..] => server_state(rest, AdminState::Maint),
        ["clear", "counters", rest @ ..] => Command::ClearCounters {
            all: rest.first() == Some(&"all"),
        },
        ["operator", ..] => Command::Lower(AdminLevel::Operator),
        ["user", ..] => Command::Lower(AdminLevel::User),
        ["reload", rest @ ..] => Command::Reload {
            json: rest.contains(&"json"),
            plan: after(rest, "plan"),
            guard: after(rest, "guard").map(|window| GuardWords {
                window,
                errors: after(rest, "errors"),
                latency: after(rest, "latency"),
            }),
        },
        ["plan", rest @ ..] => Command::Plan {
            json: rest.first() == Some(&"json"),
            path: argument(rest),
        },
        ["rollback", rest @ ..] => Command::Rollback {
            json: rest.first() == Some(&"json"),
            to: argument(rest),
        },
        ["upgrade", ..] => Command::Upgrade,
        _ => unknown(&spelled),
    }
}

/// The word after `name`.
fn after(words: &[&str], name: &str) -> Option<String> {
    let at = words.iter().position(|word| *word == name)?;
    Some((*words.get(at + 1).unwrap_or(&"")).to_owned())
}

/// The first word that is not the form of the answer.
fn argument(words: &[&str]) -> Option<String> {
    let rest = words.strip_prefix(&["json"]).unwrap_or(words);
    rest.first().map(|word| (*word).to_owned())
}

fn unknown(words: &[&str]) -> Command {
    Command::Unknown(words.join(" "))
}

fn parse_show(words: &[&str]) -> Option<Command> {
    let named = |rest: &[&str]| rest.first().map(|name| (*name).to_owned());
    Some(match words {
        ["info", rest @ ..] => Command::Info(form(rest)),
        ["stat", rest @ ..] => Command::Stat(stat_query(rest)),
        ["version", ..] => Command::Version,
        ["servers", "state", rest @ ..] => Command::ServersState(named(rest)),
        ["backend", ..] => Command::Backends,
        ["errors", rest @ ..] => Command::Errors(named(rest)),
        ["routes", ..] => Command::Routes,
        ["generations", rest @ ..] => Command::Generations {
            json: rest.contains(&"json"),
        },
        ["config", ..] => Command::Config,
        ["cli", "level", ..] => Command::CliLevel,
        ["cli", "sockets", ..] => Command::CliSockets,
        _ => return None,
    })
}

fn parse_set(words: &[&str]) -> Option<Command> {
    Some(match words {
        ["server", rest @ ..] => Command::Server(
            target(rest.first()),
            server_change(rest.get(1..).unwrap_or_default()),
        ),
        ["weight", rest @ ..] => Command::Server(
            target(rest.first()),
            weight(rest.get(1)).map(ServerChange::Weight),
        ),
        ["timeout", rest @ ..] => Command::Timeout(cli_timeout(rest)),
        ["severity-output", rest @ ..] => Command::SeverityOutput(match rest.first() {
            Some(&"none") => Some(SeverityOutput::None),
            Some(&"number") => Some(SeverityOutput::Number),
            Some(&"string") => Some(SeverityOutput::String),
            _ => None,
        }),
        _ => return None,
    })
}

fn form(words: &[&str]) -> Form {
    let has = |word| words.contains(&word);
    Form {
        typed: has("typed"),
        json: has("json"),
        desc: has("desc"),
        float: has("float"),
    }
}

/// Three arguments that do not begin with an option are a filter; fewer are ignored, as HAProxy does.
fn stat_query(words: &[&str]) -> StatQuery {
    const OPTIONS: [&str; 6] = ["typed", "json", "desc", "up", "no-maint", "float"];
    let filter = words
        .iter()
        .position(|word| !OPTIONS.contains(word))
        .and_then(|at| match words.get(at..at + 3) {
            Some([proxy, types, server]) => Some(StatFilter {
                proxy: proxy_ref(proxy),
                types: leading_number(types),
                server: leading_number(server),
            }),
            _ => None,
        });
    StatQuery {
        form: form(words),
        only_up: words.contains(&"up"),
        no_maint: words.contains(&"no-maint"),
        filter,
    }
}

fn proxy_ref(word: &str) -> ProxyRef {
    match word.parse::<i64>() {
        Ok(-1) => ProxyRef::Any,
        Ok(number) => ProxyRef::Number(number),
        Err(_) => ProxyRef::Name(word.to_owned()),
    }
}

/// The number at the beginning of a word, 0 without one: what C's `atoi` makes of it.
fn leading_number(word: &str) -> i64 {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |rest| (-1, rest));
    let end = digits
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    digits
        .get(..end)
        .and_then(|digits| digits.parse::<i64>().ok())
        .map_or(0, |number| sign * number)
}

fn target(word: Option<&&str>) -> Target {
    let (service, server) = word?.split_once('/')?;
    (!service.is_empty() && !server.is_empty()).then(|| (service.to_owned(), server.to_owned()))
}

fn server_state(words: &[&str], state: AdminState) -> Command {
    Command::Server(target(words.first()), Ok(ServerChange::State(state)))
}

fn server_change(words: &[&str]) -> Result<ServerChange, &'static str> {
    match words {
        ["state", rest @ ..] => match rest.first() {
            Some(&"ready") => Ok(ServerChange::State(AdminState::Ready)),
            Some(&"drain") => Ok(ServerChange::State(AdminState::Drain)),
            Some(&"maint") => Ok(ServerChange::State(AdminState::Maint)),
            _ => Err("'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
        },
        ["health", rest @ ..] => match rest.first() {
            Some(&"up") => Ok(ServerChange::Health(ForcedHealth::Up)),
            Some(&"stopping") => Ok(ServerChange::Health(ForcedHealth::Stopping)),
            Some(&"down") => Ok(ServerChange::Health(ForcedHealth::Down)),
            _ => Err("'set server <srv> health' expects 'up', 'stopping', or 'down'."),
        },
        ["weight", rest @ ..] => weight(rest.first()).map(ServerChange::Weight),
        ["agent", ..] => Err("agent checks are not enabled on this server."),
        // HAProxy's own words, to the letter, though what it lists beyond health, state and weight is not offered here.
        _ => Err(
            "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr \
             | check-port | fqdn | health | ssl | state | weight",
        ),
    }
}

fn weight(word: Option<&&str>) -> Result<Weight, &'static str> {
    let word = word.ok_or("Require <weight> or <weight%>.")?;
    let (digits, percent) = word
        .strip_suffix('%')
        .map_or((*word, false), |digits| (digits, true));
    let magnitude = digits.strip_prefix('-').unwrap_or(digits);
    if !magnitude.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("Empty weight string empty or preceded by garbage");
    }
    if !magnitude.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("Trailing garbage in weight string");
    }
    // Only a sign or a number too large is left to fail.
    match (digits.parse::<u32>(), percent) {
        (Ok(percent), true) => Ok(Weight::Percent(percent)),
        (Ok(weight @ 0..=256), false) => Ok(Weight::Absolute(weight)),
        (Err(_), true) => Err("Relative weight must be positive."),
        (_, false) => Err("Absolute weight can only be between 0 and 256 inclusive."),
    }
}

fn cli_timeout(words: &[&str]) -> Result<Duration, &'static str> {
    match words {
        ["cli", delay, ..] => duration(delay).ok_or("Invalid timeout value."),
        ["cli"] => Err("Expects an integer value."),
        _ => Err("'set timeout' only supports 'cli'."),
    }
}

/// A positive number of seconds, or of the unit written after it.
fn duration(word: &str) -> Option<Duration> {
    let end = word
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(word.len());
    let (digits, unit) = word.split_at_checked(end)?;
    let number = digits.parse::<u64>().ok()?;
    let micros = match unit {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    // HAProxy keeps times in a signed 32-bit number of milliseconds.
    let bound = Duration::from_millis(i32::MAX.unsigned_abs().into());
    let duration = Duration::from_micros(number.checked_mul(micros)?);
    (!duration.is_zero() && duration <= bound).then_some(duration)
}

/// Holds for any line: it is commands of words that, escaped, read again as the same, and each is answered.
#[cfg(any(test, fuzzing))]
#[allow(
    unreachable_pub,
    reason = "public for the fuzz target, which is another crate"
)]
pub fn any_line_is_commands(line: &str) {
    use crate::admin::vocabulary;
    let escaped = |word: &String| word.chars().flat_map(|letter| ['\\', letter]).collect();
    let line_of =
        |words: &Vec<String>| words.iter().map(escaped).collect::<Vec<String>>().join(" ");
    let commands = split(line);
    let again = commands.iter().map(line_of).collect::<Vec<_>>().join(";");
    assert_eq!(split(&again), commands, "{line:?} written as {again:?}");
    for words in commands {
        let command = parse(&words);
        let _ = vocabulary::unknown(&words.join(" "), command.level());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::vocabulary;

    fn one(line: &str) -> Command {
        let commands = split(line);
        assert_eq!(commands.len(), 1, "{line:?} is one command");
        commands.first().map_or(Command::Quit, |words| parse(words))
    }

    fn change(line: &str) -> Result<ServerChange, &'static str> {
        match one(line) {
            Command::Server(_, change) => change,
            other => Err(Box::leak(format!("{other:?}").into_boxed_str())),
        }
    }

    #[test]
    fn splits_at_semicolons_and_respects_escapes() {
        assert_eq!(split("a b ;c"), [vec!["a", "b"], vec!["c"]]);
        assert_eq!(split(r"a\;b \\ c\ d"), [vec!["a;b", r"\", "c d"]]);
        assert_eq!(split("a;;b"), [vec!["a"], vec![], vec!["b"]]);
        assert_eq!(split(""), [Vec::<String>::new()]);
        assert_eq!(
            split("a\\"),
            [vec!["a"]],
            "a backslash at the end stands for nothing"
        );
    }

    #[test]
    fn spaces_do_not_matter_but_case_does() {
        assert_eq!(one("  show   version  "), Command::Version);
        assert_eq!(
            one("SHOW version"),
            Command::Unknown("SHOW version".to_owned())
        );
        assert_eq!(one("sh inf"), Command::Unknown("sh inf".to_owned()));
    }

    #[test]
    fn dumps_ignore_arguments_they_do_not_know() {
        assert_eq!(one("show info zz"), Command::Info(Form::default()));
        assert_eq!(one("show stat zz"), Command::Stat(StatQuery::default()));
        assert_eq!(one("show backend zz"), Command::Backends);
    }

    #[test]
    fn forms_combine() {
        assert_eq!(
            one("show info typed desc float"),
            Command::Info(Form {
                typed: true,
                desc: true,
                float: true,
                json: false
            })
        );
        let Command::Stat(query) = one("show stat json up no-maint") else {
            unreachable!()
        };
        assert_eq!(
            (query.form.json, query.only_up, query.no_maint, query.filter),
            (true, true, true, None)
        );
    }

    #[test]
    fn three_arguments_are_a_filter_wherever_options_stand() {
        let filter = Some(StatFilter {
            proxy: ProxyRef::Any,
            types: 4,
            server: -1,
        });
        for line in [
            "show stat -1 4 -1",
            "show stat -1 4 -1 typed",
            "show stat typed -1 4 -1",
        ] {
            let Command::Stat(query) = one(line) else {
                unreachable!()
            };
            assert_eq!(query.filter, filter, "{line}");
        }
        let Command::Stat(query) = one("show stat app 6 #3") else {
            unreachable!()
        };
        assert_eq!(
            query.filter,
            Some(StatFilter {
                proxy: ProxyRef::Name("app".to_owned()),
                types: 6,
                server: 0
            })
        );
        assert_eq!(
            one("show stat -1"),
            Command::Stat(StatQuery::default()),
            "one number alone filters nothing"
        );
    }

    #[test]
    fn weights_are_numbers_or_percent() {
        assert_eq!(
            change("set weight app/s1 10"),
            Ok(ServerChange::Weight(Weight::Absolute(10)))
        );
        assert_eq!(
            change("set weight app/s1 50%"),
            Ok(ServerChange::Weight(Weight::Percent(50)))
        );
        assert_eq!(
            change("set server app/s1 weight 256"),
            Ok(ServerChange::Weight(Weight::Absolute(256)))
        );
        for (word, complaint) in [
            ("", "Require <weight> or <weight%>."),
            (
                "257",
                "Absolute weight can only be between 0 and 256 inclusive.",
            ),
            (
                "-1",
                "Absolute weight can only be between 0 and 256 inclusive.",
            ),
            (
                "99999999999",
                "Absolute weight can only be between 0 and 256 inclusive.",
            ),
            ("-5%", "Relative weight must be positive."),
            ("x", "Empty weight string empty or preceded by garbage"),
            ("%", "Empty weight string empty or preceded by garbage"),
            ("1.5", "Trailing garbage in weight string"),
            ("10x", "Trailing garbage in weight string"),
        ] {
            assert_eq!(
                change(&format!("set weight app/s1 {word}")),
                Err(complaint),
                "{word:?}"
            );
        }
    }

    #[test]
    fn server_arguments_complain_in_known_words() {
        assert_eq!(
            change("set server app/s1 state foo"),
            Err("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")
        );
        assert_eq!(
            change("set server app/s1 state"),
            Err("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")
        );
        assert_eq!(
            change("set server app/s1 health x"),
            Err("'set server <srv> health' expects 'up', 'stopping', or 'down'.")
        );
        assert!(
            change("set server app/s1")
                .is_err_and(|text| text.starts_with("usage: set server <backend>/<server> "))
        );
    }

    #[test]
    fn a_target_has_two_parts() {
        assert_eq!(
            one("get weight app/s1"),
            Command::GetWeight(Some(("app".to_owned(), "s1".to_owned())))
        );
        assert_eq!(
            one("get weight #4/#1"),
            Command::GetWeight(Some(("#4".to_owned(), "#1".to_owned())))
        );
        for line in [
            "get weight",
            "get weight app",
            "get weight app/",
            "get weight /s1",
        ] {
            assert_eq!(one(line), Command::GetWeight(None), "{line:?}");
        }
    }

    #[test]
    fn enabling_is_setting_the_state() {
        assert_eq!(
            change("enable server app/s1"),
            Ok(ServerChange::State(AdminState::Ready))
        );
        assert_eq!(
            change("disable server app/s1"),
            Ok(ServerChange::State(AdminState::Maint))
        );
    }

    #[test]
    fn session_timeouts_are_seconds_unless_a_unit_says_otherwise() {
        assert_eq!(
            one("set timeout cli 60"),
            Command::Timeout(Ok(Duration::from_secs(60)))
        );
        assert_eq!(
            one("set timeout cli 250ms"),
            Command::Timeout(Ok(Duration::from_millis(250)))
        );
        assert_eq!(
            one("set timeout cli 5m"),
            Command::Timeout(Ok(Duration::from_secs(300)))
        );
        assert_eq!(
            one("set timeout cli"),
            Command::Timeout(Err("Expects an integer value."))
        );
        assert_eq!(
            one("set timeout x 1"),
            Command::Timeout(Err("'set timeout' only supports 'cli'."))
        );
        for word in ["0", "abc", "1x", "99999999999999999999", "365d"] {
            assert_eq!(
                one(&format!("set timeout cli {word}")),
                Command::Timeout(Err("Invalid timeout value.")),
                "{word}"
            );
        }
    }

    #[test]
    fn changes_need_admin_and_clearing_maxima_operator() {
        assert_eq!(one("set weight").level(), AdminLevel::Admin);
        assert_eq!(one("reload").level(), AdminLevel::Admin);
        assert_eq!(one("clear counters all").level(), AdminLevel::Admin);
        assert_eq!(one("clear counters").level(), AdminLevel::Operator);
        assert_eq!(one("show errors").level(), AdminLevel::Operator);
        assert_eq!(one("get weight a/b").level(), AdminLevel::User);
    }

    #[test]
    fn every_command_of_the_help_is_understood_at_its_level() {
        for entry in vocabulary::TABLE {
            let command = one(entry.words);
            assert!(!matches!(command, Command::Unknown(_)), "{}", entry.words);
            assert_eq!(command.level(), entry.level, "{}", entry.words);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_commands(line in "(set|show|get|clear| |;|/|server|weight|state|%|-|[0-9]|\\\\|.){0,40}") {
            super::any_line_is_commands(&line);
        }
    }
}
