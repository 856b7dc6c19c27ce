//! The objects that were read or written last: who reads a long conversation page by page fetches it once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use fleet::store::{Message, MessageId};

/// Conversations kept, and bytes of their texts: some pages are being read at once in one process, hardly more.
const MOST: usize = 16;
const MOST_BYTES: usize = 32 << 20;

/// Transcripts by conversation, the latest used first. What stands before a message never changes while that message is
/// there, since ids are given once; so a transcript is right up to any message that it holds.
#[derive(Debug, Default)]
pub(super) struct Recent {
    transcripts: Mutex<VecDeque<(String, Vec<Message>)>>,
}

impl Recent {
    /// The messages up to `until`, if a transcript here holds that one.
    pub(super) fn get(&self, id: &str, until: MessageId) -> Option<Vec<Message>> {
        let mut transcripts = self.lock();
        let at = transcripts.iter().position(|(kept, _)| kept == id)?;
        let entry = transcripts.remove(at)?;
        let end = entry.1.binary_search_by_key(&until, |message| message.id).ok().map(|at| at + 1);
        let found = end.and_then(|end| entry.1.get(..end)).map(<[Message]>::to_vec);
        transcripts.push_front(entry);
        found
    }

    pub(super) fn put(&self, id: &str, messages: Vec<Message>) {
        let mut transcripts = self.lock();
        transcripts.retain(|(kept, _)| kept != id);
        transcripts.push_front((id.to_owned(), messages));
        let bytes =
            |messages: &[Message]| messages.iter().map(|message| message.content.len()).sum::<usize>();
        let mut all: usize = transcripts.iter().map(|(_, messages)| bytes(messages)).sum();
        while all > MOST_BYTES || transcripts.len() > MOST {
            let Some((_, dropped)) = transcripts.pop_back() else { break };
            all -= bytes(&dropped);
        }
    }

    pub(super) fn forget(&self, id: &str) {
        self.lock().retain(|(kept, _)| kept != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(String, Vec<Message>)>> {
        self.transcripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(ids: &[u64], bytes: usize) -> Vec<Message> {
        let message =
            |id: &u64| Message { id: MessageId(*id), content: "x".repeat(bytes), ..Message::default() };
        ids.iter().map(message).collect()
    }

    #[test]
    fn a_transcript_is_right_up_to_what_it_holds() {
        let recent = Recent::default();
        recent.put("c", messages(&[1, 3, 5], 1));
        assert_eq!(recent.get("c", MessageId(3)), Some(messages(&[1, 3], 1)));
        assert_eq!(recent.get("c", MessageId(4)), None, "another stands there now");
        assert_eq!(recent.get("c", MessageId(7)), None, "it has grown since");
        recent.forget("c");
        assert_eq!(recent.get("c", MessageId(3)), None);
    }

    #[test]
    fn the_longest_unused_go() {
        let recent = Recent::default();
        for at in 0..MOST {
            recent.put(&at.to_string(), messages(&[1], 1));
        }
        assert!(recent.get("0", MessageId(1)).is_some());
        recent.put("more", messages(&[1], 1));
        assert!(recent.get("0", MessageId(1)).is_some() && recent.get("1", MessageId(1)).is_none());
        recent.put("large", messages(&[1], MOST_BYTES));
        assert!(recent.get("large", MessageId(1)).is_some() && recent.get("0", MessageId(1)).is_none());
        recent.put("too large", messages(&[1], MOST_BYTES + 1));
        assert_eq!(recent.lock().len(), 0);
    }
}
