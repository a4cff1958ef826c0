//! Changes of inputs: of their bytes, of their words, and of their values where they are JSON.

use std::collections::BTreeSet;

use serde_json::Value;

use super::LONGEST;
use super::rng::Rng;

/// Numbers at which readers break.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "127",
    "255",
    "65536",
    "2147483648",
    "4294967295",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999",
    "1e308",
    "1e-5",
    "-0.0",
];

/// Texts at which readers break.
const TEXTS: [&str; 28] = [
    "",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{301}",
    "\u{1f600}",
    "\u{10ffff}",
    "..",
    ".",
    "/",
    "//",
    "::",
    "%00",
    "\r\n",
    "\n",
    "\t",
    "\"",
    "\\",
    "{",
    "[",
    "]}",
    "null",
    "true",
    "Tue, 01 Jan 9999 00:00:00 GMT",
    "-009999-01-02T01:59:59Z",
    "*+?{1000}",
    "(?i)",
    "=",
];

/// Draws changed inputs.
pub(super) struct Mutator {
    rng: Rng,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// Knows the words of these inputs.
    pub(super) fn new(rng: Rng, inputs: &[Vec<u8>]) -> Self {
        let mut words: BTreeSet<_> = NUMBERS.iter().chain(&TEXTS).map(|text| text.as_bytes()).collect();
        for input in inputs {
            let parts = input.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'));
            words.extend(parts.filter(|part| (2..40).contains(&part.len())).take(500));
        }
        Self { rng, words: words.into_iter().map(<[u8]>::to_vec).collect() }
    }

    /// One of the inputs after a few changes.
    pub(super) fn changed(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.one(pool);
        for _ in 0..1 + self.rng.below(4) {
            let tree = self.rng.chance(0.5).then(|| serde_json::from_slice(&input).ok()).flatten();
            match tree {
                Some(tree) => input = self.change_tree(tree),
                None => self.change_bytes(&mut input, pool),
            }
            input.truncate(LONGEST);
        }
        input
    }

    fn one(&mut self, from: &[Vec<u8>]) -> Vec<u8> {
        self.rng.pick(from).cloned().unwrap_or_default()
    }

    fn word(&mut self) -> Vec<u8> {
        let words = std::mem::take(&mut self.words);
        let word = self.one(&words);
        self.words = words;
        word
    }

    /// A piece of the input, from here to there.
    fn piece(&mut self, length: usize) -> (usize, usize) {
        let (one, other) = (self.rng.below(length + 1), self.rng.below(length + 1));
        // Mostly short ones: a long one leaves little of what the input was.
        let (from, to) = (one.min(other), one.max(other));
        if self.rng.chance(0.7) { (from, to.min(from + 8)) } else { (from, to) }
    }

    fn change_bytes(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let (from, to) = self.piece(input.len());
        let put: Vec<u8> = match self.rng.below(10) {
            0 => Vec::new(),
            1 => (0..1 + self.rng.below(8)).map(|_| self.rng.number() as u8).collect(),
            2 => vec![*self.rng.pick(&[0, 0x7f, 0x80, 0xff, b'"', b'\n']).expect("some")],
            3 => self.word(),
            4 => [&input[from..to], &self.word()].concat(),
            5 => {
                let other = self.one(pool);
                let (from, to) = self.piece(other.len());
                other[from..to].to_vec()
            }
            6 => {
                let times = 1 << self.rng.below(14);
                let piece = &input[from..to.min(from + LONGEST / times)];
                piece.repeat(times)
            }
            7 => {
                let mut piece = input[from..to].to_vec();
                for byte in &mut piece {
                    *byte ^= 1 << self.rng.below(8);
                }
                piece
            }
            8 => return self.change_number(input),
            _ => return input.truncate(from),
        };
        input.splice(from..to, put);
    }

    /// Another number where one is written.
    fn change_number(&mut self, input: &mut Vec<u8>) {
        let at = self.rng.below(input.len() + 1);
        let Some(first) = input[at..].iter().position(u8::is_ascii_digit) else { return };
        let first = at + first;
        let length = input[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.rng.pick(&NUMBERS).expect("some");
        input.splice(first..first + length, number.bytes());
    }

    /// Another value somewhere in a tree of JSON.
    fn change_tree(&mut self, mut tree: Value) -> Vec<u8> {
        let count = nodes(&tree);
        let other = nth(&mut tree, self.rng.below(count)).cloned().unwrap_or_default();
        let at = self.rng.below(count);
        let mut wrapped = None;
        if let Some(node) = nth(&mut tree, at) {
            match self.rng.below(8) {
                0 => *node = self.value(),
                1 => *node = other,
                2 => wrapped = Some(self.rng.below(200)),
                _ => self.change_node(node, other),
            }
        }
        let mut text = serde_json::to_vec(&tree).unwrap_or_default();
        if let Some(depth) = wrapped {
            text = ["[".repeat(depth).as_bytes(), &text, "]".repeat(depth).as_bytes()].concat();
        }
        text
    }

    fn change_node(&mut self, node: &mut Value, other: Value) {
        match node {
            Value::Array(list) if self.rng.chance(0.5) => list.truncate(self.rng.below(list.len() + 1)),
            Value::Array(list) => {
                let times = 1 << self.rng.below(8);
                list.extend(
                    std::iter::repeat_n(other, times).take_while(|value| nodes(value) * times < 4000),
                );
            }
            Value::Object(members) => {
                let names: Vec<_> = members.keys().cloned().collect();
                let Some(name) = self.rng.pick(&names) else { return };
                let value = members.remove(name);
                match self.rng.below(3) {
                    0 => {}
                    1 => drop(members.insert(name.clone(), self.value())),
                    _ => {
                        let name = String::from_utf8_lossy(&self.word()).into_owned();
                        members.insert(name, value.unwrap_or_default());
                    }
                }
            }
            Value::String(text) => {
                let mut bytes = std::mem::take(text).into_bytes();
                self.change_bytes(&mut bytes, &[]);
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
            _ => *node = self.value(),
        }
    }

    /// A value of any kind.
    fn value(&mut self) -> Value {
        match self.rng.below(8) {
            0 => Value::Null,
            1 => Value::Bool(self.rng.chance(0.5)),
            2 => Value::Array(Vec::new()),
            3 => Value::Object(serde_json::Map::new()),
            4 | 5 => {
                let number = self.rng.pick(&NUMBERS).expect("some");
                serde_json::from_str(number).unwrap_or_default()
            }
            _ => Value::String(String::from_utf8_lossy(&self.word()).into_owned()),
        }
    }
}

/// How many values a tree has.
fn nodes(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(list) => list.iter().map(nodes).sum(),
        Value::Object(members) => members.values().map(nodes).sum(),
        _ => 0,
    }
}

/// The value of that number in a tree, counted from its root.
fn nth(tree: &mut Value, number: usize) -> Option<&mut Value> {
    if number == 0 {
        return Some(tree);
    }
    let mut left = number - 1;
    let inner: Vec<_> = match tree {
        Value::Array(list) => list.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        let count = nodes(value);
        if left < count {
            return nth(value, left);
        }
        left -= count;
    }
    None
}
