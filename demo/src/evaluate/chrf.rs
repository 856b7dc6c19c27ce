//! chrF2: how far the characters of a translation agree with a person's (Popović, WMT 2015). 100 is the same text.

use std::collections::HashMap;

/// Longest run of characters compared.
const LONGEST: usize = 6;
/// How much more what is missing counts than what is too much.
const BETA: f64 = 2.0;

/// The score of translations against references, over all of them together: 0 to 100.
pub(super) fn chrf(pairs: &[(String, String)]) -> f64 {
    let scores: Vec<f64> = (1..=LONGEST).filter_map(|length| of_length(pairs, length)).collect();
    if scores.is_empty() { 0.0 } else { 100.0 * scores.iter().sum::<f64>() / scores.len() as f64 }
}

/// The F-score of runs of one length; `None` where no text is that long.
fn of_length(pairs: &[(String, String)], length: usize) -> Option<f64> {
    let (mut same, mut ours, mut theirs) = (0, 0, 0);
    for (translation, reference) in pairs {
        let (translation, reference) = (runs(translation, length), runs(reference, length));
        ours += translation.values().sum::<usize>();
        theirs += reference.values().sum::<usize>();
        same += translation
            .iter()
            .map(|(run, n)| reference.get(run).copied().unwrap_or(0).min(*n))
            .sum::<usize>();
    }
    if theirs == 0 {
        return None;
    }
    let (precision, recall) = (same as f64 / (ours as f64).max(1.0), same as f64 / theirs as f64);
    let both = BETA * BETA * precision + recall;
    Some(if both == 0.0 { 0.0 } else { (1.0 + BETA * BETA) * precision * recall / both })
}

/// The runs of so many characters, blanks left out, and how often each occurs.
fn runs(text: &str, length: usize) -> HashMap<Vec<char>, usize> {
    let characters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut runs = HashMap::new();
    for run in characters.windows(length) {
        *runs.entry(run.to_vec()).or_insert(0) += 1;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(translation: &str, reference: &str) -> f64 {
        chrf(&[(translation.to_owned(), reference.to_owned())])
    }

    #[test]
    fn the_same_is_all_and_nothing_alike_is_nothing() {
        assert!((score("Guten Morgen", "Guten  Morgen") - 100.0).abs() < 1e-9);
        assert!(score("xyz", "abc").abs() < 1e-9 && score("", "abc").abs() < 1e-9);
    }

    #[test]
    fn what_is_missing_costs_more_than_what_is_too_much() {
        let (missing, more) = (score("abcd", "abcdefgh"), score("abcdefghabcdefgh", "abcdefgh"));
        assert!(0.0 < missing && missing < more && more < 100.0, "{missing} {more}");
    }

    #[test]
    fn a_case_by_hand() {
        // One character of two agrees: F2 of (1/2, 1/2) is 1/2 for single ones; of pairs none agrees.
        assert!((score("ab", "ac") - 25.0).abs() < 1e-9);
    }
}
