//! Whether tags still nest as they did: what a text closes that it did not open, and opens that it does not close.

use super::super::formats::html;
use super::super::segments::Coding;

/// What is left of a text's tags when all pairs in it are taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Balance {
    closes: Vec<String>,
    opens: Vec<String>,
}

/// The balance of a text's tags; of a text without markup, none.
pub(super) fn balance_of(text: &str, coding: Coding) -> Balance {
    let mut balance = Balance::default();
    if coding != Coding::Markup {
        return balance;
    }
    for tag in html::tags(text) {
        let tag = &text[tag];
        let name = html::name_of(tag);
        if tag.starts_with("</") {
            match balance.opens.iter().rposition(|open| *open == name) {
                // What is still open above it was closed too early: that is a mismatch, kept as such.
                Some(at) if at + 1 == balance.opens.len() => {
                    balance.opens.pop();
                }
                _ => balance.closes.push(name),
            }
        } else if !tag.ends_with("/>") && !tag.starts_with("<!") && !html::is_void(&name) {
            balance.opens.push(name);
        }
    }
    balance
}
