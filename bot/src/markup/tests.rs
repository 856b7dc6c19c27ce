//! What Markdown becomes.

use super::*;

/// Marks as `style:text`.
fn check(markdown: &str, text: &str, marks: &[&str]) {
    let shown = Shown::markdown(markdown);
    assert_eq!(shown.text, text, "{markdown:?}");
    let named = |mark: &Mark| {
        let name = match &mark.style {
            Style::Bold => "b".to_owned(),
            Style::Italic => "i".to_owned(),
            Style::Struck => "s".to_owned(),
            Style::Code => "code".to_owned(),
            Style::Block(language) => format!("pre({})", language.as_deref().unwrap_or("")),
            Style::Link(url) => format!("a({url})"),
            Style::Quote => "q".to_owned(),
        };
        format!("{name}:{}", &shown.text[mark.range.clone()])
    };
    assert_eq!(shown.marks.iter().map(named).collect::<Vec<_>>(), marks, "{markdown:?}");
    well_nested(&shown);
}

fn well_nested(shown: &Shown) {
    for (at, one) in shown.marks.iter().enumerate() {
        for other in &shown.marks[at + 1..] {
            let (a, b) = (&one.range, &other.range);
            let apart = a.end <= b.start || b.end <= a.start;
            let within = (a.start <= b.start && b.end <= a.end) || (b.start <= a.start && a.end <= b.end);
            assert!(apart || within, "{one:?} crosses {other:?}");
        }
    }
}

#[test]
fn words_look_as_they_were_meant() {
    check("a **bold** and *it* ~~no~~", "a bold and it no", &["b:bold", "i:it", "s:no"]);
    check("***both*** x", "both x", &["i:both", "b:both"]);
    check("**a *b* c**", "a b c", &["b:a ", "b:b", "i:b", "b: c"]);
    check("use `x < y`", "use x < y", &["code:x < y"]);
    check("# The `foo` way\nText", "The foo way\n\nText", &["b:The ", "code:foo", "b: way"]);
    check("[here](https://a.example/) ok", "here ok", &["a(https://a.example/):here"]);
    check("[`f`](https://a.example/)", "f", &["a(https://a.example/):f"]);
}

#[test]
fn blocks_stand_apart() {
    check("one\ntwo\n\nthree", "one\ntwo\n\nthree", &[]);
    check("```rust\nfn a() {}\n\n<b>\n```\nend", "fn a() {}\n\n<b>\n\nend", &["pre(rust):fn a() {}\n\n<b>"]);
    check("- a\n- b\n  - c\n\n1. x\n2. y", "• a\n• b\n   • c\n\n1. x\n2. y", &[]);
    check("3) x\n\n   more\n4) y", "3. x\nmore\n4. y", &[]);
    check("- [x] done\n- [ ] not", "• ☑ done\n• ☐ not", &[]);
    check("> a *b*\n>\n> > c\n\nd", "a b\n\nc\n\nd", &["i:b", "q:a b\n\nc"]);
    check("| a | bcd |\n|---|---|\n| `x` | y |", "a | bcd\nx | y", &["pre():a | bcd\nx | y"]);
    check("a\n\n---\n\nb", "a\n\n———\n\nb", &[]);
}

#[test]
fn what_looks_like_markup_of_telegram_stays_text() {
    check("<b>x</b> & <script>", "<b>x</b> & <script>", &[]);
    check("1_000 * 3 [x] (y) a_b_c", "1_000 * 3 [x] (y) a_b_c", &[]);
    check("[pay](javascript:alert)", "pay (javascript:alert)", &[]);
    check("[you](tg://user?id=1)", "you (tg://user?id=1)", &[]);
    check("![cat](https://a.example/c.png)", "cat", &["a(https://a.example/c.png):cat"]);
}

#[test]
fn an_unfinished_answer_is_shown_too() {
    let whole = "# Hi\n\n> **a [b](https://x.example) `c`**\n\n```py\nprint(1)\n```\n\n| a | b |\n|--|--|\n| 1 | 2 |\n";
    for end in (0..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        well_nested(&Shown::markdown(&whole[..end]));
    }
    check("```py\nprint(1)", "print(1)", &["pre(py):print(1)"]);
    check("and **bo", "and **bo", &[]);
}

#[test]
fn a_note_stands_below() {
    let shown = Shown::markdown("text").with_note("(stopped)");
    assert_eq!(shown.text, "text\n\n(stopped)");
    assert_eq!(shown.marks, [Mark { style: Style::Italic, range: 6..15 }]);
    assert_eq!(Shown::default().with_note("n").text, "n");
}
