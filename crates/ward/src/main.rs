//! `ward`: one binary, nouns then verbs. This file parses, dispatches and prints; each noun has its module.

mod args;
mod output;
mod x509;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use output::Done;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli) {
        Ok(report) => {
            if json {
                println!("{}", report.json);
            } else {
                println!("{}", report.text);
            }
            ExitCode::from(u8::from(!report.good))
        }
        Err(failure) => {
            if json {
                println!("{}", failure.to_json());
            } else {
                eprintln!("ward: {failure}");
            }
            ExitCode::from(failure.exit_status())
        }
    }
}
