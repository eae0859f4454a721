//! Asking before something that cannot be undone.

use std::io::{BufRead, IsTerminal, Write};

use crate::output::{Failure, failed};

/// Goes on if `--yes` was given or somebody at a terminal types `yes`.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Usage(format!(
            "{question} This cannot be undone: add --yes"
        )));
    }
    let mut stderr = std::io::stderr();
    write!(
        stderr,
        "{question} This cannot be undone. Type yes to go on: "
    )
    .and_then(|()| stderr.flush())
    .map_err(failed)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(failed)?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was done".into())),
    }
}
