//! Bytes as they came, with single members made unreadable: every other byte stays.

/// The bytes with `with`, a JSON value, in the place of what the members of these names hold, at any depth. What is
/// not JSON is read as far as it looks like it.
pub fn blotted(raw: &[u8], names: &[&str], with: &str) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::with_capacity(raw.len()), raw);
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let (before, text) = rest.split_at(start);
        kept.extend_from_slice(before);
        let (literal, after) = text.split_at(length_of_text(text));
        kept.extend_from_slice(literal);
        rest = after;
        let is_named = serde_json::from_slice::<String>(literal).is_ok_and(|key| names.contains(&&*key));
        if is_named && let Some((gap, value)) = after_colon(rest) {
            kept.extend_from_slice(gap);
            kept.extend_from_slice(with.as_bytes());
            rest = &value[length_of_value(value)..];
        }
    }
    kept.extend_from_slice(rest);
    kept
}

/// Of a text that begins with a quotation mark, up to and with the one that ends it.
fn length_of_text(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A colon with the blanks around it, and what follows.
fn after_colon(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if rest[colon] != b':' {
        return None;
    }
    let value = rest[colon + 1..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    Some(rest.split_at(colon + 1 + value))
}

/// Up to the next member, or the end of what the value stands in.
fn length_of_value(value: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = value.get(at) {
        match byte {
            b'"' => {
                at += length_of_text(&value[at..]);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::blotted;

    fn left(raw: &str) -> String {
        String::from_utf8(blotted(raw.as_bytes(), &["buyer"], "\"\"")).expect("text")
    }

    #[test]
    fn what_is_cut_off_or_no_json_is_read_as_far_as_it_goes() {
        assert_eq!(left(r#"{"buyer":"138"#), r#"{"buyer":"""#);
        assert_eq!(left(r#"{"buyer":"#), r#"{"buyer":"#);
        assert_eq!(left("no envelope \" at all"), "no envelope \" at all");
        assert_eq!(left(""), "");
    }
}
