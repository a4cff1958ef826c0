//! How large requests are: what an idle client costs its line.

use std::collections::BTreeMap;

use crate::http::Request;

/// Of the largest request of a kind, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Its head and its body.
    pub whole: u64,
    /// Of these, what the service itself gave: the line with the cookies.
    pub cookies: u64,
}

/// The largest request of each kind.
#[derive(Debug, Default)]
pub struct Sizes(BTreeMap<String, Size>);

impl Sizes {
    /// A request came.
    pub fn note(&mut self, kind: &str, request: &Request) {
        let line = |value: &str| (value.len() + "Cookie: \r\n".len()) as u64;
        let size = Size {
            whole: request.head_len + request.content_length.unwrap_or(0),
            cookies: request.header("Cookie").map_or(0, line),
        };
        let known = self.0.entry(kind.to_owned()).or_default();
        *known = size.max(*known);
    }

    /// The largest request of one kind.
    pub(crate) fn largest(&self, kind: &str) -> Option<Size> {
        self.0.get(kind).copied()
    }

    /// What was noted so far counts no more.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}
