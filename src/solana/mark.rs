//! Integers of a JSON text marked, so that JavaScript can read them as `bigint` with a native `JSON.parse` and a reviver.
//!
//! A marked integer is a string that starts with DEL (U+007F); a string of the text that itself starts with DEL gets one more. Nothing else changes. Which
//! numbers count as integers is the rule of `@solana/kit`: no fraction, no negative exponent.

const DEL: u8 = 0x7f;
/// Exponents beyond this stay numbers.
const MAX_ZEROS: usize = 1000;

/// A result of a node as text, its integers marked when that is wanted.
pub fn marked(result: &[u8], mark: bool) -> String {
    // The whole message was checked as text.
    let text = std::str::from_utf8(result).unwrap_or_default();
    if mark { mark_integers(text) } else { text.to_owned() }
}

/// The text with its integers marked. `text` must be valid JSON.
pub(super) fn mark_integers(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let rest = bytes.get(at..).unwrap_or_default();
        let taken = match byte {
            b'"' => copy_string(rest, &mut out),
            b'-' | b'0'..=b'9' => copy_number(rest, &mut out),
            _ => {
                out.push(byte);
                1
            }
        };
        at += taken;
    }
    // Only ASCII was added to text.
    String::from_utf8(out).unwrap_or_default()
}

fn copy_string(rest: &[u8], out: &mut Vec<u8>) -> usize {
    let mut end = 1;
    while let Some(byte) = rest.get(end) {
        match byte {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    let inside = rest.get(1..end).unwrap_or_default();
    out.push(b'"');
    let escaped = inside.get(..6).is_some_and(|head| head.eq_ignore_ascii_case(b"\\u007f"));
    // A name is never marked, so it needs no telling apart.
    if (inside.first() == Some(&DEL) || escaped) && !is_name(rest.get(end + 1..)) {
        out.push(DEL);
    }
    out.extend_from_slice(inside);
    out.push(b'"');
    end + 1
}

/// Whether the string before `after` is the name of a member.
fn is_name(after: Option<&[u8]>) -> bool {
    after.unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

fn copy_number(rest: &[u8], out: &mut Vec<u8>) -> usize {
    let length = rest.iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
    let token = rest.get(..length).unwrap_or_default();
    match integer(token) {
        Some((digits, zeros)) => {
            out.extend_from_slice(&[b'"', DEL]);
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', zeros));
            out.push(b'"');
        }
        None => out.extend_from_slice(token),
    }
    length
}

/// Sign and digits of an integer, and how many zeros its exponent adds.
fn integer(token: &[u8]) -> Option<(&[u8], usize)> {
    if token.contains(&b'.') {
        return None;
    }
    let Some(at) = token.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')) else {
        return Some((token, 0));
    };
    let exponent = token.get(at + 1..)?;
    let exponent = exponent.strip_prefix(b"+").unwrap_or(exponent);
    let zeros: usize = std::str::from_utf8(exponent).ok()?.parse().ok()?;
    (zeros <= MAX_ZEROS).then_some((token.get(..at)?, zeros))
}

#[cfg(test)]
mod tests {
    use super::mark_integers;
    use proptest::prelude::*;

    #[test]
    fn marks_integers_and_nothing_else() {
        assert_eq!(
            mark_integers(r#"{"a":18446744073709551615,"b":[-1,0.5,1e3,2E-3],"c":"12","d 1":null}"#),
            "{\"a\":\"\u{7f}18446744073709551615\",\"b\":[\"\u{7f}-1\",0.5,\"\u{7f}1000\",2E-3],\"c\":\"12\",\"d 1\":null}"
        );
    }

    #[test]
    fn strings_that_look_marked_are_told_apart() {
        assert_eq!(mark_integers("\"\u{7f}5\""), "\"\u{7f}\u{7f}5\"");
        assert_eq!(mark_integers(r#""\u007F5""#), "\"\u{7f}\\u007F5\"");
        assert_eq!(mark_integers(r#""a\"1""#), r#""a\"1""#);
        assert_eq!(mark_integers("{\"\u{7f}1\" :\"\u{7f}1\"}"), "{\"\u{7f}1\" :\"\u{7f}\u{7f}1\"}", "names stay");
    }

    proptest! {
        #[test]
        fn stays_valid_json(text in "[\\[\\]{}\",:\\\\\u{7f}0-9eE.+-]{0,30}") {
            let before: Result<serde_json::Value, _> = serde_json::from_str(&text);
            let after: Result<serde_json::Value, _> = serde_json::from_str(&mark_integers(&text));
            prop_assert!(before.is_err() || after.is_ok());
        }
    }
}
