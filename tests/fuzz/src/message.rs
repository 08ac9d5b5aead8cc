//! Inputs that are messages: header lines, an empty line, a body.
//!
//! Lines that begin with a colon are marks: they tell the target what surrounds the message, such
//! as `:status: 404` or `:signed:`.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// The moment at which messages are read unless the mark `now` says another, in Unix seconds.
pub(crate) const NOW_S: i64 = 1_767_225_600;

/// An input read as a message. Whatever does not fit is left out: every input is a message.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    marks: BTreeMap<&'a str, &'a str>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let mut message = Self { marks: BTreeMap::new(), headers: HeaderMap::new(), body: bytes };
        while let Some(line) = message.take_line().filter(|line| !line.is_empty()) {
            message.take_header(line);
        }
        message
    }

    fn take_line(&mut self) -> Option<&'a [u8]> {
        let end = self.body.iter().position(|byte| *byte == b'\n')?;
        let line = &self.body[..end];
        self.body = &self.body[end + 1..];
        Some(line)
    }

    fn take_header(&mut self, line: &'a [u8]) {
        let colon = line.iter().skip(1).position(|byte| *byte == b':').map(|at| at + 1);
        let Some((name, value)) = colon.map(|at| (&line[..at], line[at + 1..].trim_ascii())) else {
            return;
        };
        if let Some(mark) = name.strip_prefix(b":") {
            if let (Ok(mark), Ok(value)) = (str::from_utf8(mark), str::from_utf8(value)) {
                self.marks.insert(mark, value);
            }
        } else if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            self.headers.append(name, value);
        }
    }

    /// What a mark says, where it is there.
    pub(crate) fn mark(&self, name: &str) -> Option<&'a str> {
        self.marks.get(name).copied()
    }

    /// The moment at which the message is read.
    pub(crate) fn now(&self) -> Timestamp {
        let second = self.mark("now").and_then(|text| text.parse().ok()).unwrap_or(NOW_S);
        Timestamp::from_second(second).unwrap_or_default()
    }
}
