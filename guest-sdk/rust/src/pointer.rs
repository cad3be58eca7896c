//! From a place in the configuration's JSON to the JSON Pointer (RFC 6901) of the value there: an operator writes TOML,
//! and never sees the JSON that an error of `serde_json` counts the columns of.

/// The pointer of the innermost value, or key, that holds or ends at the byte before `end`.
pub fn at(json: &str, end: usize) -> String {
    let mut path: Vec<Step> = Vec::new();
    let mut tokens = Tokens { json, next: 0 };
    let mut is_key = false;
    while let Some((start, token)) = tokens.next() {
        if start >= end {
            break;
        }
        match (token.as_bytes().first(), path.last_mut()) {
            (Some(b'{'), _) => path.push(Step::Table(None)),
            (Some(b'['), _) => path.push(Step::List(0)),
            (Some(b'}' | b']'), _) => drop(path.pop()),
            (Some(b','), Some(Step::List(index))) => *index += 1,
            (Some(b'"'), Some(Step::Table(key))) if is_key => *key = serde_json::from_str(token).ok(),
            _ => {}
        }
        let in_table = matches!(path.last(), Some(Step::Table(_)));
        is_key = in_table && matches!(token, "{" | ",");
        if tokens.next >= end {
            break;
        }
    }
    path.iter().map(Step::pointer).collect()
}

/// A table or a list that is open, and what of it is being read.
enum Step {
    Table(Option<String>),
    List(usize),
}

impl Step {
    fn pointer(&self) -> String {
        match self {
            Step::Table(None) => String::new(),
            Step::Table(Some(key)) => format!("/{}", escaped(key)),
            Step::List(index) => format!("/{index}"),
        }
    }
}

/// A key as a pointer has it.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The tokens of a text that is JSON, without white space.
struct Tokens<'a> {
    json: &'a str,
    next: usize,
}

impl<'a> Tokens<'a> {
    /// A token, and where it starts.
    fn next(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.json[self.next..].trim_start();
        let start = self.json.len() - rest.len();
        let length = match rest.as_bytes().first()? {
            b'"' => string_length(rest),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            _ => rest.find([',', '}', ']']).unwrap_or(rest.len()),
        };
        self.next = start + length;
        Some((start, &rest[..length]))
    }
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_keys_are_found_where_they_end() {
        let json = r#"{"a":[1,{"b/c~":"x\"]}","d":[]}],"e":2}"#;
        for (through, pointer) in [
            ("", ""),
            (r#"{"a""#, "/a"),
            (r#"{"a":[1"#, "/a/0"),
            (r#"{"a":[1,"#, "/a/1"),
            (r#"{"a":[1,{"b/c~""#, "/a/1/b~1c~0"),
            (r#"{"a":[1,{"b/c~":"x\"]}""#, "/a/1/b~1c~0"),
            (r#"{"a":[1,{"b/c~":"x\"]}","d":"#, "/a/1/d"),
            (r#"{"a":[1,{"b/c~":"x\"]}","d":[]}"#, "/a/1"),
            (r#"{"a":[1,{"b/c~":"x\"]}","d":[]}]"#, "/a"),
            (r#"{"a":[1,{"b/c~":"x\"]}","d":[]}],"e":2"#, "/e"),
            (json, ""),
        ] {
            assert!(json.starts_with(through), "{through}");
            assert_eq!(at(json, through.len()), pointer, "{through}");
        }
    }
}
