//! What the bot says of its own accord.

use crate::gateway::Failure;

/// To whom nobody has linked.
pub const UNLINKED: &str = "I only talk to people whom an administrator of this fleet has linked: ask one for a code, \
and send me /start CODE.";

/// In a group.
pub const PRIVATE_ONLY: &str = "I only talk in private chats, since what is said to a model is one person's. Open a \
chat with me alone.";

/// To a picture, a voice, a sticker.
pub const TEXT_ONLY: &str = "I only read text.";

/// The link that was is no more.
pub const LINK_GONE: &str = "The gateway does not know your link any more: an administrator has ended it, or it has \
expired. I have forgotten it. With a new code, /start CODE links you again.";

/// A code that is good for nothing.
pub const WRONG_CODE: &str = "That code is wrong, used already, or too old: each is good for one hour and one person. \
Ask an administrator for a new one.";

/// Too many of those.
pub const TOO_MANY_CODES: &str = "That were too many wrong codes. Come back in ten minutes.";

/// One turn at a time.
pub const BUSY: &str = "I am still answering. Wait for the end, or /stop it; then ask again.";

/// /stop when nothing runs.
pub const NOTHING_TO_STOP: &str = "I am not answering anything.";

/// /new
pub const NEW: &str =
    "A new conversation begins with your next message. The old one is kept: /history shows it.";

/// No conversation yet.
pub const NO_HISTORY: &str = "There is no conversation yet. Write something, and one begins.";

/// A conversation that is closed or gone.
pub const BEGUN_ANEW: &str = "The conversation was closed or deleted elsewhere; this is a new one.";

/// The page writes in it.
pub const ELSEWHERE: &str = "This conversation is being written to elsewhere, perhaps on the page. Wait for the end \
there, or begin another with /new.";

/// No model at all.
pub const NO_MODEL: &str = "I know of no model that you may use. A fleet that has slept since it was made does not know \
its own: if you know a name, /model NAME; else ask an administrator.";

/// An answer without a word.
pub const NO_ANSWER: &str = "(The model said nothing.)";

/// Below an answer that was stopped.
pub const STOPPED: &str = "(stopped)";

/// Below an answer that broke off.
pub const BROKEN: &str = "(The answer broke off here. Ask again for a new one.)";

/// When even looking again did not help.
pub const LOST: &str = "(The connection to the gateway broke. What was answered is kept there: /history.)";

/// /echo without a text.
pub const ECHO_WHAT: &str = "Write something behind it: /echo Good morning";

/// /export of too much.
pub const EXPORT_TOO_LARGE: &str = "Your conversations are more than the 50 MB that Telegram takes as a file. The page \
exports them without a limit.";

/// With the exported file.
pub const EXPORTED: &str = "All your conversations.";

/// An unknown command.
pub const WHAT: &str = "I do not know that command. /help lists them all.";

/// People are told that they may be looked at, here as on the page.
pub const MODERATORS: &str =
    "Administrators may look at conversations where that is needed; each look is recorded.";

/// What a failed call is to the person who asked.
pub fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Unknown => LINK_GONE.to_owned(),
        Failure::Refused { sentence, retry_after, .. } => match retry_after {
            Some(seconds) => format!("The gateway says: {sentence} (Try again in {}.)", span(*seconds)),
            None => format!("The gateway says: {sentence}"),
        },
        Failure::Told(sentence) => (*sentence).to_owned(),
        Failure::Unreachable(_) => "The gateway cannot be reached. Try again in a minute.".to_owned(),
        Failure::Garbled(_) => {
            "The gateway answered something that I do not understand. Tell an administrator.".to_owned()
        }
        Failure::TooLong(_) => EXPORT_TOO_LARGE.to_owned(),
    }
}

/// What is being waited for.
pub fn waiting(state: &str, seconds: Option<u64>) -> String {
    let what = match state {
        "asleep" => "The fleet is asleep; your message wakes it.",
        "waking" => "The fleet is waking up.",
        _ => "Others are before you.",
    };
    match seconds {
        Some(0) => format!("{what} Any moment now …"),
        Some(seconds) => format!("{what} About {} …", span(seconds)),
        None => format!("{what} …"),
    }
}

/// Below an answer for which the model could not see everything.
pub fn turns_cut(turns: u64) -> String {
    let what = if turns == 1 { "the oldest turn".to_owned() } else { format!("the {turns} oldest turns") };
    format!(
        "(The conversation is longer than the model's memory: it did not see {what}. /new begins afresh.)"
    )
}

/// A time as people say it.
fn span(seconds: u64) -> String {
    match seconds {
        0..=1 => "1 second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_in_what_people_say() {
        assert_eq!(
            waiting("asleep", Some(40)),
            "The fleet is asleep; your message wakes it. About 40 seconds …"
        );
        assert_eq!(waiting("waking", Some(200)), "The fleet is waking up. About 4 minutes …");
        assert_eq!(waiting("queued", None), "Others are before you. …");
        assert_eq!(waiting("waking", Some(0)), "The fleet is waking up. Any moment now …");
    }
}
