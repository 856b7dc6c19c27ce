//! What people can say to the bot, beside what they say to a model.

use teloxide_core::types::BotCommand;

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Links oneself by the code of an administrator.
    Start(String),
    /// What there is.
    Help,
    /// A greeting.
    Hello,
    /// The same back.
    Echo(String),
    /// What models there are.
    Models,
    /// Another model.
    Model(String),
    /// A new conversation.
    New,
    /// The latest conversations; with a number, one of them.
    History(String),
    /// Everything as a file.
    Export,
    /// The end of what is being written.
    Stop,
}

/// Names, and what Telegram shows of them while one types `/`.
const TOLD: [(&str, &str); 10] = [
    ("start", "Link yourself: /start CODE, by the code of an administrator"),
    ("help", "What I can do"),
    ("hello", "Am I there, and which model do you talk to?"),
    ("echo", "The same back, without a model"),
    ("models", "The models you may use"),
    ("model", "Talk to another model: /model NAME"),
    ("new", "Begin a new conversation"),
    ("history", "Your latest conversations; /history 2 goes on with the second"),
    ("export", "All your conversations as a file"),
    ("stop", "End the answer that is being written"),
];

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

/// Reads a text; `name` is the bot's, which a command may be addressed to (`/help@fleet_bot`).
pub fn read(text: &str, name: &str) -> Said {
    let text = text.trim();
    let Some(command) = text.strip_prefix('/') else { return Said::Text(text.to_owned()) };
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let (word, addressed) = word.split_once('@').unwrap_or((word, name));
    if !addressed.eq_ignore_ascii_case(name) {
        return Said::NotForUs;
    }
    named(&word.to_lowercase(), rest.trim()).map_or(Said::UnknownCommand, Said::Command)
}

fn named(word: &str, rest: &str) -> Option<Command> {
    let rest = rest.to_owned();
    Some(match word {
        "start" => Command::Start(rest),
        "help" => Command::Help,
        "hello" => Command::Hello,
        "echo" => Command::Echo(rest),
        "models" => Command::Models,
        "model" => Command::Model(rest),
        "new" => Command::New,
        "history" => Command::History(rest),
        "export" => Command::Export,
        "stop" => Command::Stop,
        _ => return None,
    })
}

/// The list that Telegram shows.
pub fn listed() -> Vec<BotCommand> {
    TOLD.iter().map(|(name, what)| BotCommand::new(*name, *what)).collect()
}

/// The same for /help.
pub fn described() -> String {
    TOLD.map(|(name, what)| format!("/{name} – {what}")).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_what_is_behind_them() {
        let command = |text: &str| read(text, "fleet_bot");
        assert_eq!(command("/start ABC-DEF"), Said::Command(Command::Start("ABC-DEF".to_owned())));
        assert_eq!(command("/start"), Said::Command(Command::Start(String::new())));
        assert_eq!(
            command("/echo two  words\n/x"),
            Said::Command(Command::Echo("two  words\n/x".to_owned()))
        );
        assert_eq!(
            command("/Model@Fleet_bot gemma3:4b"),
            Said::Command(Command::Model("gemma3:4b".to_owned()))
        );
        assert_eq!(command(" /help me "), Said::Command(Command::Help));
        assert_eq!(command("/stop@other_bot"), Said::NotForUs);
        assert_eq!(command("/nothing"), Said::UnknownCommand);
        assert_eq!(command("half of / it"), Said::Text("half of / it".to_owned()));
    }

    #[test]
    fn every_command_that_is_told_exists() {
        for (name, _) in TOLD {
            assert!(named(name, "").is_some(), "{name}");
        }
        assert!(described().contains("/model – Talk to another model"), "{}", described());
    }
}
