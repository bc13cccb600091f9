//! When a server counts as up: the state machine behind active checks. It runs no check and asks no clock.
//!
//! A server nobody has checked yet is [`HealthState::Unknown`] and gets traffic; the first check decides at once.
//! After that it takes `rise` passes in a row to come up and `fall` failures in a row to go down.

use std::time::Duration;

use crate::Moment;
use crate::plan::HealthCheck;

/// Whether checks say that a server works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// No check has ended yet, or none is configured.
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
}

/// A change of state, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: HealthState,
    /// Now.
    pub to: HealthState,
}

/// Passes and failures in a row that change the state, at least 1 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Passes that bring a server up.
    pub rise: u32,
    /// Failures that take it down.
    pub fall: u32,
}

impl From<&HealthCheck> for Thresholds {
    fn from(check: &HealthCheck) -> Self {
        Self {
            rise: check.rise.max(1),
            fall: check.fall.max(1),
        }
    }
}

/// What checks have said of one server so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    state: HealthState,
    /// Results in a row that contradict the state.
    against: u32,
    since: Moment,
    down_before: Duration,
    failures: u64,
    downs: u64,
}

impl Health {
    /// A server not checked yet.
    #[must_use]
    pub fn unknown(now: Moment) -> Self {
        Self {
            state: HealthState::Unknown,
            against: 0,
            since: now,
            down_before: Duration::ZERO,
            failures: 0,
            downs: 0,
        }
    }

    /// A check passed.
    pub fn passed(&mut self, thresholds: Thresholds, now: Moment) -> Option<Transition> {
        match self.state {
            HealthState::Up => {
                self.against = 0;
                None
            }
            HealthState::Unknown => Some(self.become_state(HealthState::Up, now)),
            HealthState::Down => self.count_against(thresholds.rise, HealthState::Up, now),
        }
    }

    /// A check failed.
    pub fn failed(&mut self, thresholds: Thresholds, now: Moment) -> Option<Transition> {
        self.failures += u64::from(self.state != HealthState::Down);
        match self.state {
            HealthState::Down => {
                self.against = 0;
                None
            }
            HealthState::Unknown => Some(self.become_state(HealthState::Down, now)),
            HealthState::Up => self.count_against(thresholds.fall, HealthState::Down, now),
        }
    }

    /// An operator, or a configuration without checks, says how it is.
    pub fn force(&mut self, state: HealthState, now: Moment) -> Option<Transition> {
        self.against = 0;
        (state != self.state).then(|| self.become_state(state, now))
    }

    fn count_against(&mut self, needed: u32, to: HealthState, now: Moment) -> Option<Transition> {
        self.against = self.against.saturating_add(1);
        (self.against >= needed).then(|| self.become_state(to, now))
    }

    fn become_state(&mut self, to: HealthState, now: Moment) -> Transition {
        let from = self.state;
        self.down_before = self.downtime(now);
        self.downs += u64::from(to == HealthState::Down);
        self.state = to;
        self.against = 0;
        self.since = now;
        Transition { from, to }
    }

    /// The state now.
    #[must_use]
    pub const fn state(&self) -> HealthState {
        self.state
    }

    /// When the state last changed.
    #[must_use]
    pub const fn since(&self) -> Moment {
        self.since
    }

    /// Time spent down, up to `now`.
    #[must_use]
    pub fn downtime(&self, now: Moment) -> Duration {
        let running = match self.state {
            HealthState::Down => now.since(self.since),
            HealthState::Unknown | HealthState::Up => Duration::ZERO,
        };
        self.down_before + running
    }

    /// Checks that failed while the server counted as up (HAProxy's `chkfail`).
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// How often the server went down (HAProxy's `chkdown`).
    #[must_use]
    pub const fn downs(&self) -> u64 {
        self.downs
    }

    /// HAProxy's health number: 0 to `rise - 1` while down, `rise` to `rise + fall - 1` while up.
    #[must_use]
    pub fn score(&self, thresholds: Thresholds) -> u32 {
        let (rise, fall) = (thresholds.rise.max(1), thresholds.fall.max(1));
        match self.state {
            HealthState::Down => self.against.min(rise - 1),
            HealthState::Unknown => rise,
            HealthState::Up => (rise + fall - 1).saturating_sub(self.against).max(rise),
        }
    }

    /// `UP`, `UP 1/3` on the way down, `DOWN`, `DOWN 1/2` on the way up: what HAProxy shows of a checked server.
    #[must_use]
    pub fn word(&self, thresholds: Thresholds) -> String {
        let (rise, fall) = (thresholds.rise.max(1), thresholds.fall.max(1));
        let score = self.score(thresholds);
        match self.state {
            HealthState::Down if score == 0 => "DOWN".to_owned(),
            HealthState::Down => format!("DOWN {score}/{rise}"),
            HealthState::Unknown => "UP".to_owned(),
            HealthState::Up if score + 1 == rise + fall => "UP".to_owned(),
            HealthState::Up => format!("UP {}/{fall}", score + 1 - rise),
        }
    }
}

/// How a check went, in HAProxy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// The check could not be started.
    SocketError,
    /// A connection was made, and more was not asked.
    L4Ok,
    /// No connection in time.
    L4Timeout,
    /// Connection refused, no route and the like.
    L4Connection,
    /// A TLS session was made, and more was not asked.
    L6Ok,
    /// No TLS session in time.
    L6Timeout,
    /// TLS failed, or the certificate is not the server's.
    L6Response,
    /// An expected answer.
    L7Ok,
    /// No answer in time.
    L7Timeout,
    /// Not an HTTP answer.
    L7Response,
    /// An answer with another status than expected.
    L7Status,
}

impl CheckStatus {
    /// Whether it speaks for the server.
    #[must_use]
    pub const fn is_pass(self) -> bool {
        matches!(self, Self::L4Ok | Self::L6Ok | Self::L7Ok)
    }

    /// HAProxy's short word, as in the column `check_status`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SocketError => "SOCKERR",
            Self::L4Ok => "L4OK",
            Self::L4Timeout => "L4TOUT",
            Self::L4Connection => "L4CON",
            Self::L6Ok => "L6OK",
            Self::L6Timeout => "L6TOUT",
            Self::L6Response => "L6RSP",
            Self::L7Ok => "L7OK",
            Self::L7Timeout => "L7TOUT",
            Self::L7Response => "L7RSP",
            Self::L7Status => "L7STS",
        }
    }

    /// HAProxy's description, as in the column `check_desc`.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::SocketError => "Socket error",
            Self::L4Ok => "Layer4 check passed",
            Self::L4Timeout => "Layer4 timeout",
            Self::L4Connection => "Layer4 connection problem",
            Self::L6Ok => "Layer6 check passed",
            Self::L6Timeout => "Layer6 timeout",
            Self::L6Response => "Layer6 invalid response",
            Self::L7Ok => "Layer7 check passed",
            Self::L7Timeout => "Layer7 timeout",
            Self::L7Response => "Layer7 invalid response",
            Self::L7Status => "Layer7 wrong status",
        }
    }
}

/// One check that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// How it went.
    pub status: CheckStatus,
    /// HTTP status of the answer, if one came.
    pub code: Option<u16>,
    /// How long it took.
    pub duration: Duration,
    /// Details for people, such as `Connection refused`; may be empty.
    pub text: Box<str>,
    /// When it ended.
    pub at: Moment,
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Thresholds = Thresholds { rise: 2, fall: 3 };

    fn at(secs: u64) -> Moment {
        Moment::default().plus(Duration::from_secs(secs))
    }

    fn up() -> Health {
        let mut health = Health::unknown(at(0));
        health.passed(RULE, at(0));
        health
    }

    #[test]
    fn the_first_check_decides_at_once() {
        let mut health = Health::unknown(at(0));
        assert_eq!(
            health.failed(RULE, at(1)).map(|change| change.to),
            Some(HealthState::Down)
        );
        let mut health = Health::unknown(at(0));
        assert_eq!(
            health.passed(RULE, at(1)).map(|change| change.to),
            Some(HealthState::Up)
        );
    }

    #[test]
    fn goes_down_after_fall_failures_in_a_row() {
        let mut health = up();
        assert_eq!(health.failed(RULE, at(1)), None);
        assert_eq!(health.failed(RULE, at(2)), None);
        assert_eq!(
            health.passed(RULE, at(3)),
            None,
            "a pass starts the count again"
        );
        assert_eq!(health.failed(RULE, at(4)), None);
        assert_eq!(health.failed(RULE, at(5)), None);
        let change = health.failed(RULE, at(6));
        assert_eq!(change.map(|change| change.to), Some(HealthState::Down));
        assert_eq!(
            (health.since(), health.failures(), health.downs()),
            (at(6), 5, 1)
        );
    }

    #[test]
    fn comes_up_after_rise_passes_in_a_row() {
        let mut health = Health::unknown(at(0));
        health.failed(RULE, at(1));
        assert_eq!(health.passed(RULE, at(2)), None);
        assert_eq!(
            health.failed(RULE, at(3)),
            None,
            "a failure starts the count again"
        );
        assert_eq!(health.passed(RULE, at(4)), None);
        assert_eq!(
            health.passed(RULE, at(5)).map(|change| change.to),
            Some(HealthState::Up)
        );
        assert_eq!(health.downtime(at(100)), Duration::from_secs(4));
    }

    #[test]
    fn words_are_those_of_haproxy() {
        let mut health = up();
        assert_eq!(
            (health.word(RULE), health.score(RULE)),
            ("UP".to_owned(), 4)
        );
        health.failed(RULE, at(1));
        assert_eq!(
            (health.word(RULE), health.score(RULE)),
            ("UP 2/3".to_owned(), 3)
        );
        health.failed(RULE, at(2));
        assert_eq!(
            (health.word(RULE), health.score(RULE)),
            ("UP 1/3".to_owned(), 2)
        );
        health.failed(RULE, at(3));
        assert_eq!(
            (health.word(RULE), health.score(RULE)),
            ("DOWN".to_owned(), 0)
        );
        health.passed(RULE, at(4));
        assert_eq!(
            (health.word(RULE), health.score(RULE)),
            ("DOWN 1/2".to_owned(), 1)
        );
    }

    #[test]
    fn forcing_a_state_is_a_transition_once() {
        let mut health = up();
        assert!(health.force(HealthState::Down, at(1)).is_some());
        assert!(health.force(HealthState::Down, at(2)).is_none());
    }

    #[test]
    fn rise_and_fall_of_one_switch_at_once() {
        let rule = Thresholds { rise: 1, fall: 1 };
        let mut health = up();
        assert!(health.failed(rule, at(1)).is_some());
        assert!(health.passed(rule, at(2)).is_some());
        assert_eq!(health.word(rule), "UP");
    }
}
