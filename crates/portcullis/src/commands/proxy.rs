//! `portcullis proxy`.

use std::process::ExitCode;

use portcullis_daemon::{ConfigSource, Options};

use super::{Result, quoted};
use crate::cli::ProxyArgs;
use crate::output::print;

/// Serves one address in front of others.
pub(crate) fn proxy(arguments: &ProxyArgs) -> Result {
    let text = config(arguments);
    if arguments.print_config {
        print(text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let source = ConfigSource::Text {
        name: "proxy".to_owned(),
        text,
    };
    let exit = portcullis_daemon::run(Options {
        source,
        strict: false,
        ready: None,
    });
    Ok(ExitCode::from(exit.code()))
}

fn config(arguments: &ProxyArgs) -> String {
    let servers: Vec<String> = arguments.to.iter().map(|to| quoted(to)).collect();
    format!(
        "[listener.proxy]\nbind = {}\n\n[[route]]\nname = \"all\"\nservice = \"app\"\n\n[service.app]\nservers = [{}]\n",
        quoted(&arguments.from),
        servers.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_cannot_break_out_of_their_strings() {
        let arguments = ProxyArgs {
            from: ":80\"\n[x]".to_owned(),
            to: vec!["a\\".to_owned(), "b".to_owned()],
            print_config: true,
        };
        let text = config(&arguments);
        assert!(text.contains(r#"bind = ":80\"\n[x]""#), "{text}");
        assert!(text.contains(r#"servers = ["a\\", "b"]"#), "{text}");
    }
}
