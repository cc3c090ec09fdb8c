//! As much of HTTP/1.1 as two programs need that know each other: where a message's head ends, how long its body
//! is, and whether the connection stays open. Bodies have a `content-length`; chunked ones are refused.

use std::io;

/// Longer heads are refused.
const MAX_HEAD: usize = 16 * 1024;

/// What a message's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes up to and with the empty line.
    pub length: usize,
    /// Bytes behind it that belong to the message.
    pub body: usize,
    pub close: bool,
}

/// The head of the message at the start of `bytes`, once all of it is there.
pub fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > MAX_HEAD { Err(refused("head too long")) } else { Ok(None) };
    };
    let mut head = Head { length: end + 4, body: 0, close: false };
    for line in bytes[..end].split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            head.body = length.ok_or_else(|| refused("content-length is no number"))?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(refused("chunked"));
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.close = value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(Some(head))
}

/// The status of the answer whose head `bytes` start with; 0 if it is none.
pub fn status(bytes: &[u8]) -> u16 {
    bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

/// The text between the first `before` and the quote behind it.
pub fn quoted<'a>(bytes: &'a [u8], before: &[u8]) -> Option<&'a str> {
    let rest = after(bytes, before)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// What stands behind the first `before`.
pub fn after<'a>(bytes: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(before.len()).position(|part| part == before)?;
    Some(&bytes[at + before.len()..])
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole_in_any_case_of_letters() {
        let message = b"HTTP/1.1 200 OK\r\nContent-LENGTH:  12 \r\nconnection: Close\r\n\r\nbody";
        for cut in 0..message.len() - 4 {
            assert_eq!(head(&message[..cut]).expect("nothing wrong yet"), None, "{cut}");
        }
        let expected = Head { length: message.len() - 4, body: 12, close: true };
        assert_eq!(head(message).expect("a head"), Some(expected));
        assert_eq!(status(message), 200);
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n").is_err());
        assert!(head("a".repeat(MAX_HEAD + 1).as_bytes()).is_err());
    }
}
