//! A JSON text as another writer would have written it: same values, other blanks, order and escapes. Literals keep
//! their spelling but for the escapes asked for, so numbers stay as they were written.

/// Where the blanks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    AsSent,
    UnixLines,
    WindowsLines,
    Compact,
    /// Python's `json.dumps` as it comes.
    Spaced,
    /// Indented by this; the colon has a blank behind it.
    Pretty(&'static str),
    /// Jackson's default printer: two blanks, and a blank before the colon as well.
    PrettyJackson,
}

/// How a kind of character is written inside strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    AsSent,
    Plain,
    Escaped,
    /// Escaped, with capitals among the hex digits.
    EscapedUpper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) layout: Layout,
    /// Needs a layout that is not the sent one.
    pub(super) sorted: bool,
    pub(super) slashes: Escapes,
    pub(super) non_ascii: Escapes,
    /// `<`, `>` and `&`, which Go and others escape.
    pub(super) html: Escapes,
}

impl Style {
    pub(super) const AS_SENT: Self = Self {
        layout: Layout::AsSent,
        sorted: false,
        slashes: Escapes::AsSent,
        non_ascii: Escapes::AsSent,
        html: Escapes::AsSent,
    };
}

/// `text`, which is JSON, in this style; `None` if that is longer than `limit` bytes.
pub(super) fn rewrite(text: &str, style: &Style, limit: usize) -> Option<String> {
    let mut writer = Writer { style, limit, out: String::with_capacity(text.len().min(limit)) };
    match Shape::of(style.layout) {
        Some(shape) => {
            let node = Reader { text, at: 0 }.value()?;
            writer.node(&node, &shape, 0)?;
        }
        None => writer.as_sent(text)?,
    }
    let out = match style.layout {
        Layout::UnixLines => writer.out.replace("\r\n", "\n"),
        Layout::WindowsLines => writer.out.replace("\r\n", "\n").replace('\n', "\r\n"),
        _ => writer.out,
    };
    (out.len() <= limit).then_some(out)
}

/// The blanks of a layout.
struct Shape {
    /// `None`: all in one line.
    indent: Option<&'static str>,
    comma: &'static str,
    colon: &'static str,
}

impl Shape {
    fn of(layout: Layout) -> Option<Self> {
        match layout {
            Layout::AsSent | Layout::UnixLines | Layout::WindowsLines => None,
            Layout::Compact => Some(Self { indent: None, comma: ",", colon: ":" }),
            Layout::Spaced => Some(Self { indent: None, comma: ", ", colon: ": " }),
            Layout::Pretty(indent) => Some(Self { indent: Some(indent), comma: ",", colon: ": " }),
            Layout::PrettyJackson => Some(Self { indent: Some("  "), comma: ",", colon: " : " }),
        }
    }
}

/// A value cut into its literals.
enum Node<'a> {
    Literal(&'a str),
    List(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

/// Cuts a text that is known to be JSON, whose nesting is bounded.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn value(&mut self) -> Option<Node<'a>> {
        match self.peek()? {
            b'{' => self
                .items(b'}', |reader| {
                    let key = reader.literal()?;
                    reader.peek()?;
                    reader.at += 1; // the colon
                    Some((key, reader.value()?))
                })
                .map(Node::Object),
            b'[' => self.items(b']', Self::value).map(Node::List),
            _ => self.literal().map(Node::Literal),
        }
    }

    fn items<T>(&mut self, end: u8, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.at += 1; // the bracket
        let mut items = Vec::new();
        loop {
            match self.peek()? {
                byte if byte == end => {
                    self.at += 1;
                    return Some(items);
                }
                b',' => self.at += 1,
                _ => items.push(item(self)?),
            }
        }
    }

    fn literal(&mut self) -> Option<&'a str> {
        self.peek()?;
        let rest = &self.text[self.at..];
        let length = match rest.strip_prefix('"') {
            Some(inside) => string_end(inside)? + 1,
            None => rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(rest.len()),
        };
        if length == 0 {
            return None;
        }
        self.at += length;
        Some(&rest[..length])
    }
}

/// How many bytes of `inside`, which begins behind a quotation mark, the string takes with its closing one.
fn string_end(inside: &str) -> Option<usize> {
    let mut escaped = false;
    inside
        .bytes()
        .position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })
        .map(|at| at + 1)
}

struct Writer<'a> {
    style: &'a Style,
    limit: usize,
    out: String,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node<'_>, shape: &Shape, depth: usize) -> Option<()> {
        match node {
            Node::Literal(literal) => self.literal(literal),
            Node::List(nodes) => self.bracketed(['[', ']'], nodes.iter(), shape, depth, |writer, node| {
                writer.node(node, shape, depth + 1)
            }),
            Node::Object(members) => {
                let mut members: Vec<&(&str, Node<'_>)> = members.iter().collect();
                if self.style.sorted {
                    members.sort_by_key(|(key, _)| *key);
                }
                self.bracketed(['{', '}'], members.into_iter(), shape, depth, |writer, (key, node)| {
                    writer.literal(key)?;
                    writer.out.push_str(shape.colon);
                    writer.node(node, shape, depth + 1)
                })
            }
        }
    }

    fn bracketed<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl ExactSizeIterator<Item = T>,
        shape: &Shape,
        depth: usize,
        mut write: impl FnMut(&mut Self, T) -> Option<()>,
    ) -> Option<()> {
        let is_empty = items.len() == 0;
        self.out.push(open);
        for (place, item) in items.enumerate() {
            if place > 0 {
                self.out.push_str(shape.comma);
            }
            self.line(shape, depth + 1);
            write(self, item)?;
        }
        if !is_empty {
            self.line(shape, depth);
        }
        self.out.push(close);
        self.fits()
    }

    fn line(&mut self, shape: &Shape, depth: usize) {
        if let Some(indent) = shape.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(indent, depth));
        }
    }

    fn fits(&self) -> Option<()> {
        (self.out.len() <= self.limit).then_some(())
    }

    /// All but the strings as it stands.
    fn as_sent(&mut self, text: &str) -> Option<()> {
        let mut rest = text;
        while let Some(at) = rest.find('"') {
            self.out.push_str(&rest[..at]);
            let length = string_end(&rest[at + 1..])? + 1;
            self.literal(&rest[at..at + length])?;
            rest = &rest[at + length..];
        }
        self.out.push_str(rest);
        self.fits()
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        let mut rest = literal;
        while let Some(c) = rest.chars().next() {
            let taken = match c {
                '\\' => self.escape(rest),
                '/' if self.style.slashes == Escapes::Escaped => self.put("\\/", 1),
                '<' | '>' | '&' => self.respelled(c, self.style.html, c.len_utf8()),
                c if !c.is_ascii() => self.respelled(c, self.style.non_ascii, c.len_utf8()),
                c => {
                    self.out.push(c);
                    1
                }
            };
            rest = rest.get(taken..)?;
        }
        self.fits()
    }

    fn put(&mut self, text: &str, taken: usize) -> usize {
        self.out.push_str(text);
        taken
    }

    /// A character that was sent as it is.
    fn respelled(&mut self, c: char, escapes: Escapes, taken: usize) -> usize {
        match escapes {
            Escapes::AsSent | Escapes::Plain => self.out.push(c),
            Escapes::Escaped | Escapes::EscapedUpper => self.spell(c, escapes),
        }
        taken
    }

    fn spell(&mut self, c: char, escapes: Escapes) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let escape = match escapes {
                Escapes::EscapedUpper => format!("\\u{unit:04X}"),
                _ => format!("\\u{unit:04x}"),
            };
            self.out.push_str(&escape);
        }
    }

    /// The escape at the start of `rest`; gives back how many bytes it takes.
    fn escape(&mut self, rest: &str) -> usize {
        if rest.starts_with("\\/") {
            let plain = self.style.slashes == Escapes::Plain;
            return self.put(if plain { "/" } else { "\\/" }, 2);
        }
        let Some((c, taken)) = escaped_char(rest) else {
            return self.put(&rest[..rest.len().min(2)], 2);
        };
        let escapes = match c {
            '<' | '>' | '&' => self.style.html,
            c if !c.is_ascii() => self.style.non_ascii,
            _ => Escapes::AsSent,
        };
        match escapes {
            Escapes::AsSent => self.out.push_str(&rest[..taken]),
            Escapes::Plain => self.out.push(c),
            Escapes::Escaped | Escapes::EscapedUpper => self.spell(c, escapes),
        }
        taken
    }
}

/// The character of a `\uXXXX`, or of two that are a pair, and the bytes they take.
fn escaped_char(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(u32::from(first)) {
        return Some((c, 6));
    }
    let pair = [first, unit(text.get(6..)?)?];
    char::decode_utf16(pair).next()?.ok().map(|c| (c, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"b\" : [1, 2.50,{}],\r\n \"a\\/\":\"x/y<\\u003c\\u5496咖\\ud83d\\ude00\\\"\\\\\"}";

    fn written(style: Style) -> String {
        rewrite(TEXT, &style, 1000).expect("it fits")
    }

    #[test]
    fn as_sent_is_as_sent() {
        assert_eq!(written(Style::AS_SENT), TEXT);
    }

    #[test]
    fn blanks_and_order_change_and_literals_stay() {
        let compact = written(Style { layout: Layout::Compact, ..Style::AS_SENT });
        assert_eq!(compact, r#"{"b":[1,2.50,{}],"a\/":"x/y<\u003c\u5496咖\ud83d\ude00\"\\"}"#);
        let spaced = written(Style { layout: Layout::Spaced, sorted: true, ..Style::AS_SENT });
        assert_eq!(spaced, r#"{"a\/": "x/y<\u003c\u5496咖\ud83d\ude00\"\\", "b": [1, 2.50, {}]}"#);
        let pretty = written(Style { layout: Layout::Pretty("\t"), ..Style::AS_SENT });
        assert_eq!(
            pretty,
            "{\n\t\"b\": [\n\t\t1,\n\t\t2.50,\n\t\t{}\n\t],\n\t\"a\\/\": \"x/y<\\u003c\\u5496咖\\ud83d\\ude00\\\"\\\\\"\n}"
        );
        assert_eq!(written(Style { layout: Layout::UnixLines, ..Style::AS_SENT }), TEXT.replace('\r', ""));
    }

    #[test]
    fn escapes_change_both_ways() {
        let plain = Style {
            slashes: Escapes::Plain,
            non_ascii: Escapes::Plain,
            html: Escapes::Plain,
            layout: Layout::Compact,
            sorted: false,
        };
        assert_eq!(written(plain), r#"{"b":[1,2.50,{}],"a/":"x/y<<咖咖😀\"\\"}"#);
        let escaped = Style {
            slashes: Escapes::Escaped,
            non_ascii: Escapes::EscapedUpper,
            html: Escapes::Escaped,
            ..plain
        };
        assert_eq!(
            written(escaped),
            r#"{"b":[1,2.50,{}],"a\/":"x\/y\u003c\u003c\u5496\u5496\uD83D\uDE00\"\\"}"#
        );
    }

    #[test]
    fn what_grows_beyond_the_limit_is_left_out() {
        let deep = format!("{}1{}", "[".repeat(30), ",1]".repeat(30));
        let pretty = Style { layout: Layout::Pretty("    "), ..Style::AS_SENT };
        let length = rewrite(&deep, &pretty, 1 << 20).expect("it fits").len();
        assert!(rewrite(&deep, &pretty, length).is_some());
        assert!(rewrite(&deep, &pretty, length - 1).is_none());
    }
}
