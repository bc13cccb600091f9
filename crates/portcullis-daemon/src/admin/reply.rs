//! What a command gives back, and the bytes that makes on the wire.

use super::command::SeverityOutput;

/// The output of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A success that needs no words.
    Silent,
    /// Lines of data, never marked with a severity; each ends with a newline.
    Dump(String),
    /// A sentence to the operator, without a newline at its end.
    Message(Severity, String),
    /// The session ends without another byte.
    Close,
}

/// How grave a message is, as syslog numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// A refusal or failure.
    Error,
    /// Worth telling.
    Info,
}

impl Severity {
    const fn number(self) -> &'static str {
        match self {
            Self::Error => "3",
            Self::Info => "6",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Error => "err",
            Self::Info => "info",
        }
    }
}

impl Reply {
    /// An error message.
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::Message(Severity::Error, text.into())
    }

    /// An informing message.
    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self::Message(Severity::Info, text.into())
    }

    /// The bytes of this reply, the empty line that ends it included. The output itself holds no empty line.
    #[must_use]
    pub(crate) fn to_wire(&self, marks: SeverityOutput) -> String {
        match self {
            Self::Close => String::new(),
            Self::Silent => "\n".to_owned(),
            Self::Dump(text) => closed(text),
            Self::Message(severity, text) => match marks {
                SeverityOutput::None => closed(text),
                SeverityOutput::Number => closed(&format!("[{}]: {text}", severity.number())),
                SeverityOutput::String => closed(&format!("[{}]: {text}", severity.word())),
            },
        }
    }
}

/// `text` with one newline at its end and an empty line after it.
fn closed(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        "\n".to_owned()
    } else {
        format!("{text}\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_ends_with_one_empty_line() {
        let reply = Reply::info("2.6.12");
        assert_eq!(reply.to_wire(SeverityOutput::None), "2.6.12\n\n");
        assert_eq!(
            Reply::Dump("a\nb\n".to_owned()).to_wire(SeverityOutput::None),
            "a\nb\n\n"
        );
        assert_eq!(Reply::Silent.to_wire(SeverityOutput::Number), "\n");
        assert_eq!(
            Reply::Dump(String::new()).to_wire(SeverityOutput::None),
            "\n"
        );
    }

    #[test]
    fn severities_mark_messages_but_never_dumps() {
        let error = Reply::error("No such server.");
        assert_eq!(
            error.to_wire(SeverityOutput::Number),
            "[3]: No such server.\n\n"
        );
        assert_eq!(
            error.to_wire(SeverityOutput::String),
            "[err]: No such server.\n\n"
        );
        assert_eq!(
            Reply::info("admin").to_wire(SeverityOutput::String),
            "[info]: admin\n\n"
        );
        assert_eq!(
            Reply::Dump("x\n".to_owned()).to_wire(SeverityOutput::Number),
            "x\n\n"
        );
    }
}
