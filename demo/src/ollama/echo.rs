//! What a simulated model answers to a request for translation: the text itself. So whatever should have been kept can
//! be compared with what came back.

/// The tokens of the answer to a message with a text between `<text>` and `</text>`; `None` for any other message.
pub(super) fn translation(message: &str) -> Option<Vec<String>> {
    let (text, _) = message.rsplit_once("<text>\n")?.1.split_once("\n</text>")?;
    Some(text.split_inclusive(' ').map(str::to_owned).collect())
}

/// A token without what stands in angle brackets.
pub(super) fn without_marks(token: &str) -> String {
    let mut rest = token;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        rest = after.split_once('>').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_in_tokens() {
        let said = translation("Context\n<text>\nA <g1>b</g1> c\n</text>\n").unwrap();
        assert_eq!(said, ["A ", "<g1>b</g1> ", "c"]);
        assert_eq!(said.iter().map(|token| without_marks(token)).collect::<String>(), "A b c");
        assert_eq!(translation("hello"), None);
    }
}
