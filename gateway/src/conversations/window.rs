//! What of a conversation a model reads: whole turns, the latest, as many as fit beside the system prompt and leave room
//! for an answer. Pure; tokens are the gateway's own estimate, as everywhere.

use fleet::store::{Message, Speaker};

use crate::request::inspect::tokens_of;

/// Part of the window that is left for an answer of unknown length.
const ROOM: u64 = 4;

/// How much a model reads at once, and how much of that is left for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Tokens for everything that is read.
    pub(super) budget: u64,
}

impl Window {
    /// Of a model that reads `tokens` at once; `asked`: the longest answer wanted, if one is.
    pub(super) fn of(tokens: u64, asked: Option<u64>) -> Self {
        let room = asked.filter(|asked| *asked > 0).unwrap_or(u64::MAX).min(tokens / ROOM);
        Self { budget: tokens - room }
    }

    /// The same where the model server said that `tokens` of ours were more than it takes.
    pub(super) fn tightened(self) -> Self {
        Self { budget: self.budget / 3 * 2 }
    }
}

/// What a model is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Context<'m> {
    /// The messages, the oldest first.
    pub(super) messages: Vec<&'m Message>,
    /// Whole turns that are not among them.
    pub(super) turns_cut: u64,
}

/// The last turn alone, with the system prompt, is more than fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong {
    /// Tokens of both.
    pub(super) tokens: u64,
    /// Tokens that fit.
    pub(super) fit: u64,
}

/// Tokens of a message, with what a template puts around it.
pub(super) fn tokens(message: &Message) -> u64 {
    tokens_of(&message.content)
}

/// Takes the latest turns of `said` that fit; `unread` messages stand before them.
pub(super) fn fit<'m>(
    system: &str,
    said: &'m [Message],
    unread: u64,
    window: Window,
) -> Result<Context<'m>, TooLong> {
    let mut used = if system.is_empty() { 0 } else { tokens_of(system) };
    let turns = turns(said);
    let mut taken = 0;
    for turn in turns.iter().rev() {
        let more: u64 = turn.iter().map(|message| tokens(message)).sum();
        if used + more > window.budget {
            break;
        }
        used += more;
        taken += 1;
    }
    if taken == 0 {
        let last: u64 = turns.last().into_iter().flatten().map(|message| tokens(message)).sum();
        return Err(TooLong { tokens: used + last, fit: window.budget });
    }
    let messages: Vec<_> = turns[turns.len() - taken..].iter().flatten().copied().collect();
    // What was not read is counted by two messages a turn; a turn that was read in part is one of them.
    let part = said.iter().take_while(|message| message.role == Speaker::Assistant).count() as u64;
    Ok(Context { messages, turns_cut: (turns.len() - taken) as u64 + (unread + part).div_ceil(2) })
}

/// Turns that are whole: what a person said, and what was answered. Of several answers the last counts.
fn turns(said: &[Message]) -> Vec<Vec<&Message>> {
    let mut turns: Vec<Vec<&Message>> = Vec::new();
    for message in said.iter().filter(|message| is_said(message)) {
        match (message.role, turns.last_mut()) {
            (Speaker::User, _) => turns.push(vec![message]),
            (Speaker::Assistant, Some(turn)) => {
                turn.truncate(1);
                turn.push(message);
            }
            (Speaker::Assistant, None) => {}
        }
    }
    turns
}

fn is_said(message: &Message) -> bool {
    !message.content.is_empty()
}

#[cfg(test)]
mod tests {
    use fleet::store::MessageId;

    use super::*;

    /// Ten messages of about 30 tokens, the last a person's.
    fn said() -> Vec<Message> {
        let role = |n: u64| if n.is_multiple_of(2) { Speaker::User } else { Speaker::Assistant };
        let message =
            |n| Message { id: MessageId(n), role: role(n), content: "x".repeat(100), ..Message::default() };
        (0..11).map(message).collect()
    }

    fn ids(context: &Context<'_>) -> Vec<u64> {
        context.messages.iter().map(|message| message.id.0).collect()
    }

    #[test]
    fn the_latest_whole_turns_are_taken() {
        let said = said();
        let each = tokens(&said[0]);
        let budget = |messages: u64| Window { budget: messages * each };
        let all = fit("", &said, 0, budget(11)).unwrap();
        assert_eq!((ids(&all), all.turns_cut), ((0..11).collect(), 0));
        for (room, first, cut) in [(10, 2, 1), (9, 2, 1), (8, 4, 2), (3, 8, 4), (2, 10, 5), (1, 10, 5)] {
            let some = fit("", &said, 0, budget(room)).unwrap();
            assert_eq!((ids(&some), some.turns_cut), ((first..11).collect(), cut), "{room}");
        }
        assert_eq!(fit("", &said, 40, budget(3)).unwrap().turns_cut, 24, "those that were not read count");
    }

    #[test]
    fn the_system_prompt_stays_and_a_turn_that_is_too_long_is_said() {
        let said = said();
        let each = tokens(&said[0]);
        let system = "y".repeat(100);
        let some = fit(&system, &said, 0, Window { budget: 4 * each }).unwrap();
        assert_eq!(ids(&some), [8, 9, 10]);
        let error = fit(&system, &said, 0, Window { budget: 2 * each - 1 }).unwrap_err();
        assert_eq!(error, TooLong { tokens: 2 * each, fit: 2 * each - 1 });
    }

    #[test]
    fn a_turn_in_part_and_an_answer_that_was_made_anew_are_no_turns() {
        let said = said();
        let part = fit("", &said[1..], 1, Window { budget: 10_000 }).unwrap();
        assert_eq!((ids(&part)[0], part.turns_cut), (2, 1));
        let twice = [said[0].clone(), said[1].clone(), said[3].clone(), said[4].clone()];
        let once = fit("", &twice, 0, Window { budget: 10_000 }).unwrap();
        assert_eq!((ids(&once), once.turns_cut), (vec![0, 3, 4], 0));
    }

    #[test]
    fn room_is_left_for_an_answer() {
        assert_eq!(Window::of(4096, None).budget, 3072);
        assert_eq!(Window::of(4096, Some(100)).budget, 3996);
        assert_eq!(Window::of(4096, Some(100_000)).budget, 3072);
    }
}
