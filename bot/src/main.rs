//! The `bot` program: reads its configuration and talks, or does what else the line says.

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match command::Command::try_parse() {
        Ok(command) => command.run(),
        Err(told) => command::told(&told),
    }
}
