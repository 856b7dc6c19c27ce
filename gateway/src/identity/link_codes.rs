//! Codes that link an account elsewhere to a person: made by an administrator, read out or typed, good once and for an hour.

use aws_lc_rs::rand;

use super::api_keys::sha256;

/// What codes are written with: 5 bits each, without the look-alikes 0 and O, 1 and I.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Characters of a code: 130 bits, so that nobody ever guesses one, whatever they may try in an hour.
const CHARACTERS: usize = 26;

/// Characters between two hyphens.
const GROUP: usize = 4;

/// How long a code is good, in seconds.
pub const GOOD_FOR: i64 = 3600;

/// A new code, as it is shown; `None` where the system has no randomness.
pub fn make() -> Option<String> {
    let mut random = [0; CHARACTERS];
    rand::fill(&mut random).ok()?;
    // 256 is a multiple of 32: every character is as likely as every other.
    let characters = random.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    let groups: Vec<String> = characters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Some(groups.join("-"))
}

/// What is kept of a code: the SHA-256 of its characters, however they were typed; `None` for what is no code.
pub fn hash(typed: &str) -> Option<String> {
    let mut characters = String::with_capacity(CHARACTERS);
    for typed in typed.chars().filter(|typed| !matches!(typed, '-' | ' ')) {
        let character = typed.to_ascii_uppercase();
        let known = character.is_ascii() && ALPHABET.contains(&(character as u8));
        if !known || characters.len() == CHARACTERS {
            return None;
        }
        characters.push(character);
    }
    (characters.len() == CHARACTERS)
        .then(|| sha256(characters.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = make().unwrap();
        assert_eq!(code.len(), CHARACTERS + 6, "{code}");
        let kept = hash(&code).unwrap();
        assert_eq!(kept.len(), 64);
        for typed in [code.to_lowercase(), code.replace('-', ""), code.replace('-', " "), format!(" {code} ")]
        {
            assert_eq!(hash(&typed), Some(kept.clone()), "{typed}");
        }
        assert_ne!(hash(&make().unwrap()), Some(kept));
    }

    #[test]
    fn what_is_no_code_is_none() {
        let code = "A".repeat(CHARACTERS);
        assert!(hash(&code).is_some());
        let long = "A".repeat(100_000);
        for typed in [
            "",
            "-",
            &code[1..],
            &format!("{code}A"),
            &format!("{}0", &code[1..]),
            &format!("{}é", &code[2..]),
            &long,
        ] {
            assert_eq!(hash(typed), None, "{:?}", &typed[..typed.len().min(40)]);
        }
    }
}
