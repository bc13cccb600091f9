//! Files whose bytes are part of the configuration: error pages and fixed bodies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Context, Out, Shape, Text, Val, Value, text_literal};
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node};
use crate::values::{Invalid, Status};

/// The most bytes a file that becomes a response body may have: 1 MiB. Each is held in memory.
const MAX_PAGE_BYTES: usize = 1 << 20;

/// The replaced error pages by status.
pub type Errors = Vec<(Val<Status>, Val<LoadedFile>)>;

/// A file that was read while the configuration was loaded, so that nothing can go wrong with it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// What was in it.
    pub bytes: Arc<[u8]>,
}

impl LoadedFile {
    /// The content type its name suggests.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        content_type(&self.path).unwrap_or("application/octet-stream")
    }
}

fn content_type(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "html" | "htm" => Some("text/html; charset=utf-8"),
        "json" => Some("application/json"),
        "txt" => Some("text/plain; charset=utf-8"),
        "xml" => Some("application/xml"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

impl Value for LoadedFile {
    fn shape() -> Shape {
        Shape::Text {
            what: "a file path",
            example: "pages/503.html",
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let path = PathBuf::decode(node, cx)?;
        let Kind::Text(text) = &node.kind else {
            return None;
        };
        match cx.loader.read(&path) {
            Ok(bytes) if bytes.len() > MAX_PAGE_BYTES => cx.invalid(
                node,
                text,
                Invalid::new(format!("`{}` is larger than 1 MiB", path.display()))
                    .help("fixed bodies are held in memory; serve large files by a service"),
            ),
            Ok(bytes) => Some(Self {
                path,
                bytes: bytes.into(),
            }),
            Err(error) => {
                cx.report(unreadable(&path, &error).at(node.span, ""));
                None
            }
        }
    }

    fn write(&self) -> Out {
        Out::Inline(text_literal(&self.path.display().to_string()))
    }
}

/// The diagnostic for a file that could not be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic::error(
        "unreadable-file",
        format!("cannot read `{}`: {reason}", path.display()),
    )
}

/// As a key of `[errors]`.
impl Text for Status {
    const WHAT: &'static str = "a status from 400 to 599";
    const EXAMPLE: &'static str = "503";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let help = "pages are replaced by status, from 400 to 599, each by itself";
        let status: Self = text.parse().map_err(|error: Invalid| error.help(help))?;
        if status.code() < 400 {
            return Err(Invalid::new(format!("{status} is not an error")).help(help));
        }
        Ok(status)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl Value for Status {
    fn shape() -> Shape {
        Shape::Integer { min: 100, max: 599 }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let number = u64::decode(node, cx)?;
        let code = super::decode::in_range(number, &(100..=599), node, cx)?;
        u16::try_from(code).ok().and_then(Self::new)
    }

    fn write(&self) -> Out {
        Out::Inline(self.to_string())
    }
}
