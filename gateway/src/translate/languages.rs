//! The languages that translation knows: how tools call them, how the model does, and which one a text is in.

use serde_json::{Value, json};

/// A language.
#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    /// As LibreTranslate's clients call it: ISO 639-1, with a script or country where that decides.
    pub code: &'static str,
    /// In English, as the model is told.
    pub name: &'static str,
    /// What `whatlang` calls it (ISO 639-3); empty where it does not know it.
    detected_as: &'static str,
}

/// A guess at the language of a text.
#[derive(Debug, Clone, Copy)]
pub struct Detected {
    /// The language.
    pub language: &'static Language,
    /// 0 to 100.
    pub confidence: u8,
    /// Is the text long and plain enough to hold somebody to it?
    pub reliable: bool,
}

const fn row(code: &'static str, name: &'static str, detected_as: &'static str) -> Language {
    Language { code, name, detected_as }
}

/// Every language offered, by name. How well it goes is the model's business.
pub static LANGUAGES: &[Language] = &[
    row("ar", "Arabic", "ara"),
    row("az", "Azerbaijani", "aze"),
    row("bn", "Bengali", "ben"),
    row("bg", "Bulgarian", "bul"),
    row("ca", "Catalan", "cat"),
    row("zh-Hans", "Chinese (simplified)", "cmn"),
    row("zh-Hant", "Chinese (traditional)", ""),
    row("hr", "Croatian", "hrv"),
    row("cs", "Czech", "ces"),
    row("da", "Danish", "dan"),
    row("nl", "Dutch", "nld"),
    row("en", "English", "eng"),
    row("eo", "Esperanto", "epo"),
    row("et", "Estonian", "est"),
    row("fi", "Finnish", "fin"),
    row("fr", "French", "fra"),
    row("de", "German", "deu"),
    row("el", "Greek", "ell"),
    row("gu", "Gujarati", "guj"),
    row("he", "Hebrew", "heb"),
    row("hi", "Hindi", "hin"),
    row("hu", "Hungarian", "hun"),
    row("id", "Indonesian", "ind"),
    row("ga", "Irish", ""),
    row("it", "Italian", "ita"),
    row("ja", "Japanese", "jpn"),
    row("ko", "Korean", "kor"),
    row("lv", "Latvian", "lav"),
    row("lt", "Lithuanian", "lit"),
    row("ms", "Malay", ""),
    row("nb", "Norwegian", "nob"),
    row("fa", "Persian", "pes"),
    row("pl", "Polish", "pol"),
    row("pt", "Portuguese", "por"),
    row("pt-BR", "Portuguese (Brazil)", ""),
    row("ro", "Romanian", "ron"),
    row("ru", "Russian", "rus"),
    row("sr", "Serbian", "srp"),
    row("sk", "Slovak", "slk"),
    row("sl", "Slovenian", "slv"),
    row("es", "Spanish", "spa"),
    row("sv", "Swedish", "swe"),
    row("tl", "Tagalog", "tgl"),
    row("ta", "Tamil", "tam"),
    row("te", "Telugu", "tel"),
    row("th", "Thai", "tha"),
    row("tr", "Turkish", "tur"),
    row("uk", "Ukrainian", "ukr"),
    row("ur", "Urdu", "urd"),
    row("vi", "Vietnamese", "vie"),
];

/// Other codes for the same: older LibreTranslate's, and what browsers say.
const ALIASES: &[(&str, &str)] = &[
    ("zh", "zh-Hans"),
    ("zh-cn", "zh-Hans"),
    ("zh-sg", "zh-Hans"),
    ("zt", "zh-Hant"),
    ("zh-tw", "zh-Hant"),
    ("zh-hk", "zh-Hant"),
    ("pb", "pt-BR"),
    ("no", "nb"),
    ("iw", "he"),
    ("fil", "tl"),
];

/// The language of a code: ours, an alias, or its part before a country (`en-US` is `en`). Case does not matter.
pub fn find(code: &str) -> Option<&'static Language> {
    let exact = |code: &str| LANGUAGES.iter().find(|language| language.code.eq_ignore_ascii_case(code));
    let alias = |code: &str| ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(code));
    exact(code)
        .or_else(|| alias(code).and_then(|(_, ours)| exact(ours)))
        .or_else(|| code.split_once(['-', '_']).and_then(|(language, _)| find(language)))
}

/// The most probable language of a text; `None` where it has no words of a language we offer.
pub fn detect(text: &str) -> Option<Detected> {
    let info = whatlang::detect(text)?;
    let code = info.lang().code();
    let language = LANGUAGES.iter().find(|language| language.detected_as == code)?;
    let confidence = (info.confidence().clamp(0.0, 1.0) * 100.0).round() as u8;
    Some(Detected { language, confidence, reliable: info.is_reliable() })
}

impl Detected {
    /// As clients read it.
    pub fn as_json(&self) -> Value {
        json!({ "language": self.language.code, "confidence": self.confidence })
    }
}

/// The answer to `GET /languages`: every language translates into every other.
pub fn list() -> Value {
    let targets: Vec<_> = LANGUAGES.iter().map(|language| language.code).collect();
    LANGUAGES
        .iter()
        .map(|language| json!({ "code": language.code, "name": language.name, "targets": targets }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_are_written() {
        for (asked, ours) in [
            ("en", "en"),
            ("EN-us", "en"),
            ("zh", "zh-Hans"),
            ("zt", "zh-Hant"),
            ("pt_BR", "pt"),
            ("no", "nb"),
        ] {
            assert_eq!(find(asked).unwrap().code, ours, "{asked}");
        }
        assert!(find("xx").is_none() && find("").is_none() && find("auto").is_none());
    }

    #[test]
    fn texts_are_recognised() {
        let of = |text| detect(text).map(|found| found.language.code);
        assert_eq!(of("The quick brown fox jumps over the lazy dog near the river."), Some("en"));
        assert_eq!(of("Der schnelle braune Fuchs springt über den faulen Hund am Ufer."), Some("de"));
        assert_eq!(of("これは日本語の文章です。"), Some("ja"));
        assert_eq!(of("12345 !!"), None);
    }

    #[test]
    fn every_name_that_is_detected_as_one_is_one_that_exists() {
        for language in LANGUAGES.iter().filter(|language| !language.detected_as.is_empty()) {
            assert!(whatlang::Lang::from_code(language.detected_as).is_some(), "{}", language.code);
        }
    }
}
