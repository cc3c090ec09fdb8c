//! Server-sent events as they come in: pieces of bytes in, whole messages out.

/// Bytes of one message at most.
const MAX_MESSAGE: usize = 1024 * 1024;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the stream.
    pub id: Option<String>,
    /// Lines are joined by line feeds.
    pub data: String,
}

#[derive(Default)]
pub struct Reader {
    /// Of a line whose end has not come.
    begun: Vec<u8>,
    message: Message,
}

impl Reader {
    /// The messages that are whole now. Comments are none.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Message>, &'static str> {
        let mut messages = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if self.begun.len() + self.message.data.len() > MAX_MESSAGE {
                return Err("a message of the stream is longer than 1 MiB");
            }
            if self.begun.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                let line = std::str::from_utf8(&line).map_err(|_| "the stream is not UTF-8")?;
                messages.extend(self.take(line.trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(messages)
    }

    fn take(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (message != Message::default()).then_some(message);
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.message.id = Some(value.to_owned()),
            "data" => {
                if !self.message.data.is_empty() {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_whole_wherever_the_network_cuts_them() {
        let text =
            ": beat\n\nid: 7\nevent: order\ndata: {\"a\":\"咖啡\",\ndata: \"b\":1}\r\n\r\nid: 8\ndata: x\n\n";
        let whole = Reader::default().read(text.as_bytes()).expect("it is read");
        let message = |id: &str, data: &str| Message { id: Some(id.to_owned()), data: data.to_owned() };
        assert_eq!(whole, [message("7", "{\"a\":\"咖啡\",\n\"b\":1}"), message("8", "x")]);
        for at in 0..text.len() {
            let mut reader = Reader::default();
            let (first, second) = text.as_bytes().split_at(at);
            let mut read = reader.read(first).expect("it is read");
            read.extend(reader.read(second).expect("it is read"));
            assert_eq!(read, whole, "cut at {at}");
        }
    }

    #[test]
    fn what_never_ends_is_not_held() {
        let mut reader = Reader::default();
        assert!(reader.read(&vec![b'a'; MAX_MESSAGE + 1]).is_err());
    }
}
