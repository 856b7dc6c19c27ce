//! JSON as Go's decoder takes it: laxer than most parsers, and with its error texts.
//!
//! Only the first value of a body is looked at, the last of two equal keys wins, keys match in any case (and with
//! U+017F for `s`, U+212A for `k`), `null` leaves a field unset, and bad UTF-8 becomes U+FFFD.

/// Go's decoder gives up at this nesting.
const DEEPEST: usize = 10_000;

/// Below this nesting nothing is read by any route, so values are checked and dropped: no recursion to run out of.
const READ_TO: usize = 64;

/// A decoded value. Objects keep their keys in order, duplicates too.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Decodes the first value of `body`.
    ///
    /// # Errors
    /// Go's text for the first mistake; `EOF` for an empty body.
    pub(super) fn first(body: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes: body, at: 0 };
        reader.blanks();
        if reader.at == body.len() {
            return Err("EOF".to_owned());
        }
        reader.value(0)
    }

    /// The last value under `key` that is not null, compared as Go folds keys.
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().rev().find(|(name, value)| *value != Json::Null && folds_to(name, key)).map(|(_, v)| v)
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The value's kind, in the words of Go's errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "bool",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::List(_) => "array",
            Json::Object(_) => "object",
        }
    }
}

fn folds_to(name: &str, key: &str) -> bool {
    let folded = name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(key.chars())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space, not yet taken.
    fn peek(&mut self) -> Result<u8, String> {
        self.blanks();
        self.bytes.get(self.at).copied().ok_or_else(|| "unexpected EOF".to_owned())
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        match self.peek()? {
            b'{' | b'[' if depth == READ_TO => self.skip(depth),
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            b'-' | b'0'..=b'9' => self.number(),
            other => Err(invalid(other, "looking for beginning of value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut members = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            match self.peek()? {
                b'"' => {}
                other => return Err(invalid(other, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            match self.peek()? {
                b':' => self.at += 1,
                other => return Err(invalid(other, "after object key")),
            }
            members.push((key, self.value(depth)?));
            if self.closes(b'}', "after object key:value pair")? {
                return Ok(Json::Object(members));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.closes(b']', "after array element")? {
                return Ok(Json::List(items));
            }
        }
    }

    /// Takes a comma (not the end) or the closing bracket (the end).
    fn closes(&mut self, bracket: u8, place: &str) -> Result<bool, String> {
        let next = self.peek()?;
        if next != b',' && next != bracket {
            return Err(invalid(next, place));
        }
        self.at += 1;
        Ok(next == bracket)
    }

    /// Steps over a container, looking at nothing but its brackets and depth.
    fn skip(&mut self, depth: usize) -> Result<Json, String> {
        let mut level = depth;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                open @ (b'{' | b'[') => {
                    level += 1;
                    if level > DEEPEST {
                        return Err(invalid(open, "exceeded max depth"));
                    }
                    self.at += 1;
                }
                b'}' | b']' => {
                    level -= 1;
                    self.at += 1;
                    if level == depth {
                        return Ok(Json::Null);
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, String> {
        for (n, expected) in word.bytes().enumerate() {
            match self.bytes.get(self.at + n) {
                None => return Err("unexpected EOF".to_owned()),
                Some(b) if *b == expected => {}
                Some(b) => {
                    let place = format!("in literal {word} (expecting {})", quoted(expected));
                    return Err(invalid(*b, &place));
                }
            }
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Json, String> {
        let rest = &self.bytes[self.at..];
        let length =
            rest.iter().take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
        let text = String::from_utf8_lossy(&rest[..length]);
        let number = text.parse().map_err(|_| invalid(rest[length - 1], "in numeric literal"))?;
        self.at += length;
        Ok(Json::Number(number))
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let byte = *self.bytes.get(self.at).ok_or("unexpected EOF")?;
            self.at += 1;
            match byte {
                b'"' => return Ok(String::from_utf8_lossy(&out).into_owned()),
                b'\\' => self.escape(&mut out)?,
                0..=0x1f => return Err(invalid(byte, "in string literal")),
                plain => out.push(plain),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let byte = *self.bytes.get(self.at).ok_or("unexpected EOF")?;
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let c = self.unicode()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            other => return Err(invalid(other, "in string escape code")),
        };
        out.push(plain);
        Ok(())
    }

    /// After `\u`: one character, a surrogate pair read as one, half a pair replaced.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or("unexpected EOF")?;
        let mut number = 0;
        for digit in digits {
            let value = char::from(*digit).to_digit(16);
            number =
                number * 16 + value.ok_or_else(|| invalid(*digit, "in \\u hexadecimal character escape"))?;
        }
        self.at += 4;
        Ok(number)
    }
}

fn invalid(byte: u8, place: &str) -> String {
    format!("invalid character {} {place}", quoted(byte))
}

/// A byte as Go's decoder shows it: as the Latin-1 character in single quotes.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        other => format!("'{}'", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<&str, &str>) {
        let first = Json::first(body.as_bytes());
        let model = first.as_ref().map(|json| json.get("model").and_then(Json::text).unwrap_or("unset"));
        assert_eq!(model.map_err(String::as_str), expected, "{body}");
    }

    #[test]
    fn what_other_parsers_refuse_is_taken() {
        check(r#"{"model":"a","model":"b"}"#, Ok("b"));
        check(r#"{"model":"a","MODEL":"b"}"#, Ok("b"));
        check(r#"{"mode\u006c":"a"}{"model":"b"}"#, Ok("a"));
        check(r#"{"model":"a","model":null} xx"#, Ok("a"));
        check(r#"{"model":"\ud83d\ude00\ud800"}"#, Ok("\u{1f600}\u{fffd}"));
        check("null", Ok("unset"));
    }

    #[test]
    fn mistakes_have_the_words_of_go() {
        check("", Err("EOF"));
        check(r#"{"model":"#, Err("unexpected EOF"));
        check("{'a'}", Err(r"invalid character '\'' looking for beginning of object key string"));
        check("\u{feff}{}", Err("invalid character 'ï' looking for beginning of value"));
        check(&"[".repeat(20_000), Err("invalid character '[' exceeded max depth"));
    }
}
