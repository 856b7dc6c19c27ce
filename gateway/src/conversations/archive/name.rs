//! The names of a conversation's objects: `<principal>/model_<name>/session_<id>.json` and `.txt`, whatever the principal
//! and the model are called.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use fleet::store::Conversation;

/// Bytes of one part of a name. File systems take 255, with the ending.
const MOST: usize = 240;

/// Bytes that a longer part keeps of its beginning.
const KEPT: usize = 150;

/// Where a conversation's objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Everything.
    pub json: String,
    /// To read.
    pub text: String,
}

impl Names {
    pub(super) fn of(conversation: &Conversation) -> Self {
        let principal = part("", &conversation.principal);
        let model = part("model_", &conversation.model);
        let base = format!("{principal}/{model}/{}", part("session_", &conversation.id));
        Self { json: format!("{base}.json"), text: format!("{base}.txt") }
    }
}

/// One part of a name: letters, digits, `-`, `_` and `.` as they are, all other bytes as `%` and two digits, a point in
/// front too, so that no part leads upwards or hides. It can be read back, unless it would be too long: then its end is
/// its digest behind a `~`, and the object says who it is.
fn part(prefix: &str, text: &str) -> String {
    let mut part = prefix.to_owned();
    for byte in text.bytes() {
        let plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || byte == b'.' && !part.is_empty();
        if plain {
            part.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(part, "%{byte:02X}");
        }
    }
    if part.is_empty() {
        // The one byte that stands for nothing.
        part.push('%');
    }
    if part.len() > MOST {
        part.truncate(KEPT);
        part.push('~');
        for byte in digest(&SHA256, text.as_bytes()).as_ref() {
            let _ = write!(part, "{byte:02x}");
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_can_be_read_back_and_never_leads_out() {
        for (text, expected) in [
            ("ann", "ann"),
            ("key#nightly", "key%23nightly"),
            ("https://issuer.example/#Zoë", "https%3A%2F%2Fissuer.example%2F%23Zo%C3%AB"),
            ("..", "%2E."),
            (".", "%2E"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("a/../b", "a%2F..%2Fb"),
            ("%2e", "%252e"),
            ("a\\b\0c\n ~", "a%5Cb%00c%0A%20%7E"),
            ("", "%"),
        ] {
            assert_eq!(part("", text), expected, "{text:?}");
            assert!(!part("model_", text).contains('/'));
        }
        assert_eq!(part("model_", "gemma3n:e4b"), "model_gemma3n%3Ae4b");
        assert_eq!(part("model_", ".."), "model_..");
    }

    #[test]
    fn long_parts_fit_and_stay_apart() {
        let [one, two] = ["a", "b"].map(|end| part("", &format!("{}{end}", "é".repeat(300))));
        assert!(one.len() <= MOST && two.len() <= MOST);
        assert_ne!(one, two);
        assert_eq!(one[..KEPT], two[..KEPT]);
        assert_eq!(part("", &"x".repeat(MOST)).len(), MOST, "as long as may be is left alone");
    }

    #[test]
    fn a_conversation_has_two_objects() {
        let conversation = Conversation {
            principal: "key#bot".to_owned(),
            model: "hf.co/a/b:Q4".to_owned(),
            id: "0b6ff2a4-9d4e-4a92-8a53-5b5f50b6c2f1".to_owned(),
            ..Conversation::default()
        };
        let names = Names::of(&conversation);
        let base = "key%23bot/model_hf.co%2Fa%2Fb%3AQ4/session_0b6ff2a4-9d4e-4a92-8a53-5b5f50b6c2f1";
        assert_eq!(names.json, format!("{base}.json"));
        assert_eq!(names.text, format!("{base}.txt"));
    }
}
