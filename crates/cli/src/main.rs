//! `postq`: signs by the API, verifies offline. Data on standard output, words on standard error; exit 0 for good, 1 for an
//! error, 2 for what does not verify.
#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

mod args;
mod commands;
mod config;
mod message;
mod output;
mod prompt;
mod trust;

use std::process::ExitCode;

use anstream::eprintln;
use clap::Parser;
use serde_json::json;

use crate::{args::Cli, output::Output};

/// What a command that ran came to.
pub(crate) enum Outcome {
    /// It did what it should.
    Done,
    /// What it checked does not verify.
    DoesNotVerify,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are what was asked for; all else is an error, and 2 means something else here.
            let asked_for = !error.use_stderr();
            let _ = error.print();
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::from(1) };
        }
    };
    let output = Output { json: cli.json };
    match commands::run(cli, output) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::DoesNotVerify) => ExitCode::from(2),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(1),
        Err(error) => {
            if output.json {
                eprintln!("{}", as_json(&error));
            } else {
                eprintln!("{}: {}", output::bad("error"), words(&error));
            }
            ExitCode::from(1)
        }
    }
}

fn words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<client::Error>() {
        Some(client::Error::Refused { code, request_id, message, .. }) => match request_id {
            Some(id) => format!("{message} ({code}, {id})"),
            None => format!("{message} ({code})"),
        },
        _ => format!("{error:#}"),
    }
}

fn as_json(error: &anyhow::Error) -> serde_json::Value {
    match error.downcast_ref::<client::Error>() {
        Some(client::Error::Refused { code, message, request_id, details, status, .. }) => {
            json!({"error": message, "code": code, "requestId": request_id, "status": status, "details": details})
        }
        Some(other) => json!({"error": other.to_string(), "code": "connection_failed"}),
        None => json!({"error": format!("{error:#}"), "code": "usage"}),
    }
}

/// Whoever read our output has read enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|why| why.kind() == std::io::ErrorKind::BrokenPipe)
}
