//! Marks, and what becomes of answers that lose them.

use super::*;

fn seen(source: &str, coding: Coding) -> String {
    Protected::of(source, coding).text
}

#[test]
fn what_is_no_language_becomes_a_mark() {
    for (source, text) in [
        ("Hello {name}, you have %d new mails", "Hello <x1/>, you have <x2/> new mails"),
        ("See https://example.com/a, please.", "See <x1/>, please."),
        ("Write to a.b@example.com.", "Write to <x1/>."),
        ("{{ user.name }} and ${x} and %(count)s", "<x1/> and ${x} and <x2/>"),
        ("100% sure, 5 %s", "100% sure, 5 <x1/>"),
        ("Run `ls -l` now", "Run <x1/> now"),
        ("{count, plural, one {# file} other {# files}} left", "<x1/> left"),
        ("a set {of words here}", "a set {of words here}"),
        ("a < b and c > d", "a < b and c > d"),
        ("[here](https://example.com/x) it is", "[here<x1/> it is"),
    ] {
        let text = text.replace("${x}", "<x2/>").replace("<x2/> and <x2/>", "<x2/> and <x3/>");
        assert_eq!(seen(source, Coding::Plain), text);
    }
}

#[test]
fn pairs_of_tags_become_pairs_of_marks() {
    let source = "A <b>bold</b> and <a href=\"x>y\">linked</a> word<br> &amp; more&nbsp;here";
    let text = "A <g1>bold</g1> and <g3>linked</g3> word<x5/> & more<x6/>here";
    assert_eq!(seen(source, Coding::Markup), text);
}

#[test]
fn an_answer_with_all_marks_gets_everything_back() {
    let protected = Protected::of("A <b>bold</b> word &amp; {name}", Coding::Markup);
    assert_eq!(protected.text(), "A <g1>bold</g1> word & <x3/>");
    let answer = "<x3/> & ein < g1>fettes</g1> Wort <3";
    assert!(protected.lost(answer).is_empty());
    assert_eq!(protected.restore(answer), "{name} &amp; ein <b>fettes</b> Wort &lt;3");
}

#[test]
fn what_an_answer_loses_is_said_and_put_back() {
    let protected = Protected::of("<i>See</i> https://example.com for %s", Coding::Plain);
    assert_eq!(protected.text(), "<g1>See</g1> <x3/> for <x4/>");
    let answer = "Siehe für <x4/>";
    assert_eq!(protected.lost(answer), [Kind::Tag, Kind::Url]);
    assert_eq!(protected.restore(answer), "<i>Siehe für</i>https://example.com%s");
    assert_eq!(protected.lost("<g1>Siehe</g1> <x3/> für <x4/> <x4/>"), [Kind::Placeholder]);
}

#[test]
fn marks_that_no_longer_nest_are_lost_tags() {
    let protected = Protected::of("<b>a</b> <i>b</i>", Coding::Markup);
    assert_eq!(protected.lost("<g1>a <g3>b</g1></g3>"), [Kind::Tag]);
    assert!(protected.lost("<g3>b</g3> <g1>a</g1>").is_empty(), "words may change places");
    assert_eq!(protected.restore("<g1>x <g3>y</g1></g3>"), "<b>x y</b><i></i>");
}

#[test]
fn unknown_marks_vanish() {
    assert_eq!(Protected::of("a", Coding::Plain).restore("b <x7/>c"), "b c");
}
