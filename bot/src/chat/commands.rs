//! What people can say to the bot, beside what they say to a model.

use teloxide::types::BotCommand;
use teloxide::utils::command::{BotCommands, ParseError};

/// The commands. Their descriptions are what Telegram shows.
#[derive(BotCommands, Debug, Clone, PartialEq, Eq)]
#[command(rename_rule = "lowercase")]
pub enum Command {
    /// Link yourself by the code of an administrator
    Start(String),
    /// What I can do
    Help,
    /// Am I there, and who are you to me?
    Hello,
    /// Say the same back
    Echo(String),
    /// The models you may use
    Models,
    /// Talk to another model: /model NAME
    Model(String),
    /// Begin a new conversation
    New,
    /// Your latest conversations; /history 2 goes on with the second
    History(String),
    /// All your conversations as a file
    Export,
    /// End the answer that is being written
    Stop,
}

/// What a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A command.
    Command(Command),
    /// One that does not exist.
    UnknownCommand,
    /// A command for another bot of the same group.
    NotForUs,
    /// Anything else: it is for the model.
    Text(String),
}

/// Reads a text; `name` is the bot's.
pub fn read(text: &str, name: &str) -> Said {
    let text = text.trim();
    if !text.starts_with('/') {
        return Said::Text(text.to_owned());
    }
    match Command::parse(text, name) {
        Ok(command) => Said::Command(command),
        Err(ParseError::WrongBotName(_)) => Said::NotForUs,
        // `/help me`: what is behind a command that takes nothing is not worth an error.
        Err(ParseError::TooManyArguments { .. }) => {
            let first = text.split_whitespace().next().unwrap_or(text);
            Command::parse(first, name).map_or(Said::UnknownCommand, Said::Command)
        }
        Err(_) => Said::UnknownCommand,
    }
}

/// The list that Telegram shows while one types `/`.
pub fn listed() -> Vec<BotCommand> {
    Command::bot_commands()
}

/// The same for /help.
pub fn described() -> String {
    let lines = listed().into_iter().map(|command| {
        let name = command.command.trim_start_matches('/').to_owned();
        format!("/{name} – {}", command.description)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_what_is_behind_them() {
        let command = |text: &str| read(text, "fleet_bot");
        assert_eq!(command("/start ABC-DEF"), Said::Command(Command::Start("ABC-DEF".to_owned())));
        assert_eq!(command("/start"), Said::Command(Command::Start(String::new())));
        assert_eq!(command("/echo two  words"), Said::Command(Command::Echo("two  words".to_owned())));
        assert_eq!(
            command("/model@fleet_bot gemma3:4b"),
            Said::Command(Command::Model("gemma3:4b".to_owned()))
        );
        assert_eq!(command(" /help me "), Said::Command(Command::Help));
        assert_eq!(command("/stop@other_bot"), Said::NotForUs);
        assert_eq!(command("/nothing"), Said::UnknownCommand);
        assert_eq!(command("half of / it"), Said::Text("half of / it".to_owned()));
    }

    #[test]
    fn every_command_is_described() {
        assert_eq!(listed().len(), 10);
        assert!(described().contains("/model – Talk to another model"), "{}", described());
    }
}
