//! Writes YAML whose scalars no parser reads as another type, and reads YAML of untrusted authors (PURE).

use serde::Deserialize;
use serde_json::Value;

use super::escape;

/// The most documents that are read from one text.
const DOCUMENTS: usize = 16;

/// Writes a value as YAML that ends with a newline: its structure in blocks, its scalars as JSON, hidden characters
/// escaped. Keys are quoted too, except words of letters that are text in every version of YAML.
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    write_block(value, 0, &mut text);
    text
}

/// Escapes characters that JSON allows in a string and YAML takes for a line end or refuses; JSON and YAML both know
/// the escape `\uXXXX`.
pub fn escape_for_yaml(text: &str) -> String {
    let escape = |character| match character {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            format!("\\u{:04x}", u32::from(character))
        }
        plain => plain.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Appends a value to `text`, indented by two spaces for each level of `depth`.
fn write_block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                write_block(item, depth + 1, &mut inner);
                // The first line of an item stands beside its dash.
                text.push_str(&format!("{indent}- {}", inner.trim_start_matches(' ')));
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let key = match is_plain_word(key) {
                    true => key.clone(),
                    false => escape::escape_json(&Value::from(key.as_str()).to_string()),
                };
                match value {
                    Value::Array(inner) if !inner.is_empty() => {
                        text.push_str(&format!("{indent}{key}:\n"));
                        write_block(value, depth, text);
                    }
                    Value::Object(inner) if !inner.is_empty() => {
                        text.push_str(&format!("{indent}{key}:\n"));
                        write_block(value, depth + 1, text);
                    }
                    scalar => text.push_str(&format!(
                        "{indent}{key}: {}\n",
                        escape::escape_json(&scalar.to_string())
                    )),
                }
            }
        }
        scalar => text.push_str(&format!("{indent}{}\n", escape::escape_json(&scalar.to_string()))),
    }
}

/// Whether a key needs no quotes: it consists of letters and is none of the words that YAML 1.1, which kubectl reads,
/// or 1.2 takes for a truth value or null.
fn is_plain_word(key: &str) -> bool {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic());
    is_word && !OTHERS.iter().any(|other| key.eq_ignore_ascii_case(other))
}

/// Parses one document of a trusted author; an empty text is null.
///
/// # Errors
/// The line in the text, if known, and the cause; also for a second document or a key that is there twice.
pub fn parse_document(text: &str) -> Result<Value, (Option<usize>, String)> {
    // Through YAML's own value, which refuses a key that is there twice.
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| {
        let line = error.location().map(|place| place.line());
        (line, cause_of(&error))
    })?;
    serde_json::to_value(value).map_err(|error| (None, error.to_string()))
}

/// Parses the documents of an untrusted text, the first 16 ([`DOCUMENTS`]); empty ones are dropped, further ones are
/// ignored.
///
/// Anchors and aliases, by which a short text expands to a huge one, are refused by their characters: [`to_yaml`]
/// escapes neither, so a writer of such a text escapes them in strings (`\u0026`, `\u002a`).
///
/// # Errors
/// One sentence; it may repeat words of the text.
pub fn read_untrusted(text: &str) -> Result<Vec<Value>, String> {
    if text.contains(['&', '*']) {
        return Err("it has `&` or `*`, which stand for anchors and aliases in YAML".to_owned());
    }
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text).take(DOCUMENTS) {
        let value = serde_yaml::Value::deserialize(document).map_err(|error| match error.location() {
            Some(place) => format!("it is not YAML: {}, at line {}", cause_of(&error), place.line()),
            None => format!("it is not YAML: {}", cause_of(&error)),
        })?;
        let value =
            serde_json::to_value(value).map_err(|error| format!("it has types that JSON does not have: {error}"))?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// The cause of an error without its position, which serde_yaml appends after `at`.
fn cause_of(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_key_is_read_back_as_the_same_text() {
        let other_types = rows![
            "", "y", "Y", "n", "yes", "No", "true", "True", "TRUE", "false", "on", "Off", "null", "Null", "NULL"
        ];
        let quoted = rows![
            "~",
            ".nan",
            ".inf",
            "1",
            "1e3",
            "0x1f",
            "1:30",
            "2026-01-01",
            "<<",
            "=",
            "a: b",
            "- a",
            "#",
            "é"
        ];
        let plain = rows!["app", "nan", "inf", "o", "yesterday", "metadata"];
        let quoted = other_types.into_iter().chain(quoted).map(|key| (key, true));
        for (key, is_quoted) in quoted.chain(plain.into_iter().map(|key| (key, false))) {
            let value = json!({"a": {key: "v"}, "b": [{key: {key: 1}}]});
            let text = to_yaml(&value);
            assert_eq!(read_untrusted(&text), Ok(vec![value]), "{text}");
            // Our own parser knows YAML 1.2 alone.
            assert_eq!(text.contains(&format!("  \"{key}\": \"v\"")), is_quoted, "{text}");
        }
    }

    #[test]
    fn an_untrusted_text_is_parsed_or_refused_in_a_sentence() {
        let bomb = "a: &a [x, x]\nb: &b [*a, *a]\n";
        let deep = "[".repeat(100_000);
        for (text, wanted) in [
            ("", Ok(vec![])),
            ("# only a comment\n---\n", Ok(vec![])),
            (
                "a: 1\n---\nb: \"\\u002a\"\n",
                Ok(vec![json!({"a": 1}), json!({"b": "*"})]),
            ),
            (bomb, Err("it has `&` or `*`")),
            ("a: [", Err("it is not YAML: ")),
            ("a: 1\na: 2\n", Err("it is not YAML: ")),
            (deep.as_str(), Err("it is not YAML: ")),
            ("{[a]: 1}", Err("it has types that JSON does not have: ")),
        ] {
            let about: String = text.chars().take(40).collect();
            match (read_untrusted(text), wanted) {
                (Ok(read), Ok(wanted)) => assert_eq!(read, wanted, "{about}"),
                (Err(error), Err(wanted)) => assert!(error.starts_with(wanted), "{about}: {error}"),
                (read, _) => panic!("{about}: {read:?}"),
            }
        }
        let many = "---\na: 1\n".repeat(100);
        assert_eq!(read_untrusted(&many).map(|read| read.len()), Ok(DOCUMENTS));
    }
}
