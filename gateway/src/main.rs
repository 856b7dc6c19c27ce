//! The `gateway` program: reads its configuration, serves, drains.

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match command::Command::try_parse() {
        Ok(command) => command.run(),
        Err(told) => command::told(&told),
    }
}
