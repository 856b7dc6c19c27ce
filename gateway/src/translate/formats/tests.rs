//! Files whose texts stay the same stay the same; others change only where their texts stand.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::*;

const MOST: u64 = 1 << 20;

const SRT: &str = "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hello there.</i>\r\nHow are you?\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nFine.\r\n";
const VTT: &str = "WEBVTT - Title\n\nNOTE not shown\n\nintro\n00:01.000 --> 00:04.000 align:start\n- Hello\n\n00:05.000 --> 00:06.000\nBye";
const PO: &str = "# Comment\nmsgid \"\"\nmsgstr \"\"\n\"Language: de\\n\"\n\n#: a.c:1\n#, c-format\nmsgid \"Hello \\\"%s\\\"\"\nmsgstr \"\"\n\nmsgid \"one file\"\nmsgid_plural \"\"\n\"many \"\n\"files\"\nmsgstr[0] \"\"\nmsgstr[1] \"\"\n\nmsgid \"done\"\nmsgstr \"fertig\"\n\n#~ msgid \"old\"\n#~ msgstr \"\"\n";
const JSON: &str =
    "{\n  \"greeting\" : \"Hello \\u00e9 \\\"you\\\"\",\n  \"n\": 1.50, \"list\": [\"a: b\", true]\n}\n";

fn check(format: Format, file: &str, units: &[&str]) {
    let document = Document::read(format, file.as_bytes(), MOST).unwrap();
    let texts: Vec<_> = document.units().iter().map(|unit| unit.text.clone()).collect();
    assert_eq!(texts, units);
    if format != Format::Po {
        assert_eq!(String::from_utf8(document.write(&texts).unwrap()).unwrap(), file);
    }
}

#[test]
fn texts_are_found_and_nothing_else_changes() {
    check(Format::Srt, SRT, &["<i>Hello there.</i>\r\nHow are you?", "Fine."]);
    check(Format::Vtt, VTT, &["- Hello", "Bye"]);
    check(Format::Json, JSON, &["Hello é \"you\"", "a: b"]);
    check(Format::Po, PO, &["Hello \"%s\"", "one file", "many files"]);
    check(Format::Text, "a\nb", &["a\nb"]);
}

fn written(format: Format, file: &str, texts: &[&str]) -> String {
    let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
    let document = Document::read(format, file.as_bytes(), MOST).unwrap();
    String::from_utf8(document.write(&texts).unwrap()).unwrap()
}

#[test]
fn translations_are_written_as_the_format_writes_texts() {
    let json = written(Format::Json, JSON, &["Grüß \"dich\"\n", "a: b"]);
    assert_eq!(json, JSON.replace("Hello \\u00e9 \\\"you\\\"", "Grüß \\\"dich\\\"\\n"));
    let po = written(Format::Po, PO, &["Hallo \"%s\"", "eine\nDatei", "viele"]);
    assert!(po.contains("msgid \"Hello \\\"%s\\\"\"\nmsgstr \"Hallo \\\"%s\\\"\"\n"), "{po}");
    assert!(po.contains("msgstr[0] \"\"\n\"eine\\n\"\n\"Datei\"\nmsgstr[1] \"viele\"\n"), "{po}");
    assert!(
        po.contains("msgstr \"fertig\"") && po.ends_with("#~ msgstr \"\"\n") && po.contains("Language: de")
    );
    let srt = written(Format::Srt, SRT, &["<i>Hallo.</i>\r\nWie geht's?", "Gut."]);
    assert_eq!(
        srt,
        SRT.replace("Hello there", "Hallo").replace("How are you", "Wie geht's").replace("Fine", "Gut")
    );
}

fn packed(document: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let files =
        [("[Content_Types].xml", "<Types/>"), ("word/document.xml", document), ("word/media/a.png", "\u{1}")];
    for (name, content) in files {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn unpacked(file: &[u8], name: &str) -> String {
    let mut text = String::new();
    ZipArchive::new(Cursor::new(file)).unwrap().by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

const BODY: &str = "<w:document><w:body><w:p><w:pPr/><w:r><w:t>One </w:t></w:r><w:r><w:rPr><w:b/></w:rPr>\
    <w:t xml:space=\"preserve\">bold &amp; word</w:t></w:r></w:p><w:p><w:r><w:instrText> PAGE </w:instrText></w:r></w:p>\
    <w:p><w:r><w:t>Two</w:t></w:r></w:p></w:body></w:document>";

#[test]
fn a_paragraph_of_word_is_one_text() {
    let file = packed(BODY);
    let document = Document::read(Format::Docx, &file, MOST).unwrap();
    let units = document.units();
    let between = "</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">";
    let first = format!("One {between}bold &amp; word");
    assert_eq!(units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>(), [first.as_str(), "Two"]);
    let translated = document.write(&[format!("Ein {between}fettes"), "Zwei".to_owned()]).unwrap();
    let expected = BODY.replace("One ", "Ein ").replace("bold &amp; word", "fettes").replace("Two", "Zwei");
    assert_eq!(unpacked(&translated, "word/document.xml"), expected);
    assert_eq!(unpacked(&translated, "word/media/a.png"), "\u{1}");
}

#[test]
fn what_is_no_such_file_is_refused_in_words() {
    let refused = |format, bytes: &[u8]| Document::read(format, bytes, MOST).unwrap_err();
    assert_eq!(refused(Format::Docx, b"no zip"), FormatError::Damaged("a Word document"));
    assert_eq!(refused(Format::Text, b"\xff\xfe"), FormatError::NotText);
    assert_eq!(refused(Format::Json, b"{\"a\": }"), FormatError::Damaged("JSON"));
    assert_eq!(refused(Format::Po, b"msgid \"open"), FormatError::Damaged("a gettext catalogue"));
    assert_eq!(Format::of_name("a.exe"), Err(FormatError::Unknown));
    assert!(FormatError::Unknown.to_string().contains(".docx"));
    let bomb = packed(&format!("<w:document>{}</w:document>", " ".repeat(2 << 20)));
    assert_eq!(Document::read(Format::Docx, &bomb, MOST).unwrap_err(), FormatError::TooLarge(MOST));
}
