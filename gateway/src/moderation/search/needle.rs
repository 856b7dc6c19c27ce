//! What is searched for, in whatever case, and what is shown of a message that has it.

/// Characters of an excerpt at most.
const EXCERPT: usize = 200;
/// Of these, in front of what was found.
const IN_FRONT: usize = 60;

/// A text to be found.
pub(super) struct Needle(String);

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        Self(folded(text))
    }

    /// The first place of it in `content`, with what stands around it on one line; `None` where it is not.
    pub(super) fn excerpt(&self, content: &str) -> Option<String> {
        let at = folded(content).find(&self.0)?;
        let mut passed = 0;
        let before = content.chars().take_while(|c| {
            passed += c.to_lowercase().map(char::len_utf8).sum::<usize>();
            passed <= at
        });
        let start = before.count().saturating_sub(IN_FRONT);
        let mut rest = content.chars().skip(start).map(|c| if c.is_control() { ' ' } else { c });
        let room = EXCERPT - 2; // an ellipsis at either end
        let mut shown = String::from(if start > 0 { "…" } else { "" });
        shown.extend(rest.by_ref().take(room));
        shown.push_str(if rest.next().is_some() { "…" } else { "" });
        Some(shown)
    }
}

/// Letter by letter, so that a place in it leads back to one in the text.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, content: &str, expected: Option<&str>) {
        assert_eq!(Needle::new(text).excerpt(content).as_deref(), expected, "{text:?} in {content:?}");
    }

    #[test]
    fn a_text_is_found_in_whatever_case() {
        check("GRÜSSE", "viele Grüsse\nan alle", Some("viele Grüsse an alle"));
        check("ошибка", "Это ОШИБКА.", Some("Это ОШИБКА."));
        check("翻訳", "機械翻訳の例", Some("機械翻訳の例"));
        check("grüße", "GRUESSE", None);
        check("abc", "", None);
    }

    #[test]
    fn an_excerpt_is_around_what_was_found_and_bounded() {
        for letter in ["x", "ü", "İ", "ẞ", "字"] {
            for (front, behind) in [(0, 0), (59, 0), (60, 138), (61, 137), (1000, 1000), (0, 1000), (1000, 0)]
            {
                let content = format!("{}Needle{}", letter.repeat(front), letter.repeat(behind));
                let shown = Needle::new("nEEdle").excerpt(&content).unwrap();
                let case = format!("{front} {letter} and {behind}: {shown}");
                assert!(shown.chars().count() <= EXCERPT && shown.contains("Needle"), "{case}");
                let place = shown.chars().position(|c| c == 'N').unwrap();
                assert_eq!(place, front.min(IN_FRONT + usize::from(front > IN_FRONT)), "{case}");
                assert_eq!(shown.starts_with('…'), front > IN_FRONT, "{case}");
                assert_eq!(shown.ends_with('…'), front.min(IN_FRONT) + 6 + behind > EXCERPT - 2, "{case}");
            }
        }
    }
}
