//! Which other modules a file names: in its `use` lines and in its bodies, its tests left out.

/// A path of names below the crate.
pub type Names = Vec<String>;

/// What a file names.
#[derive(Default)]
pub struct Written {
    /// Its `use` lines, those in bodies too.
    pub uses: Vec<Use>,
    /// Paths of two names and more, and the modules within the file in which they stand.
    pub paths: Vec<(Names, Names)>,
    /// The modules of other files that it declares.
    pub modules: Vec<String>,
}

/// One name of a `use` line.
pub struct Use {
    /// Whether it hands the name on.
    pub is_public: bool,
    /// The modules within the file in which it stands.
    pub within: Names,
    /// The path as it is written.
    pub path: Names,
    /// The name that it has here.
    pub bound: String,
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The length of a text in quotes, from the first quote to the last.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    let is_end = |(_, c): &(usize, char)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    };
    text.char_indices().skip(1).find(is_end).map_or(text.len(), |(at, _)| at + 1)
}

/// The length of `r"…"` or `r#"…"#` after its letters; nothing if this is no such text.
fn raw(text: &str) -> Option<usize> {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let inside = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(inside.find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len()))
}

/// The length of a comment in `/* */`, with those in it.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let (change, length) = match () {
            () if rest.starts_with("/*") => (1, 2),
            () if rest.starts_with("*/") => (-1, 2),
            () => (0, rest.chars().next().map_or(1, char::len_utf8)),
        };
        depth += change;
        at += length;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a letter in quotes, or of a lifetime.
fn letter(text: &str) -> usize {
    let inside = &text[1..];
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if let Some(rest) = inside.strip_prefix('\\') {
        // The sign behind the backslash may be a quote itself.
        return rest.get(1..).and_then(|rest| rest.find('\'')).map_or(text.len(), |at| at + 4);
    }
    if inside[first..].starts_with('\'') {
        return 2 + first;
    }
    1 + inside.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inside.len())
}

/// Names, `::` and single signs; comments, texts and lifetimes are left out.
fn words(code: &str) -> Vec<&str> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let mut length = first.len_utf8();
        if rest.starts_with("//") {
            length = rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            length = block_comment(rest);
        } else if first == '"' {
            length = quoted(rest);
        } else if first == '\'' {
            length = letter(rest);
        } else if first.is_alphanumeric() || first == '_' {
            length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            match raw(after).filter(|_| matches!(word, "r" | "br" | "cr")) {
                Some(text) => length += text,
                None if word == "b" && after.starts_with(['"', '\'']) => {}
                None => found.push(word),
            }
        } else if rest.starts_with("::") {
            length = 2;
            found.push(&rest[..2]);
        } else if !first.is_whitespace() {
            found.push(&rest[..length]);
        }
        at += length;
    }
    found
}

/// Behind what opens at this word, a bracket of any kind.
fn behind(words: &[&str], from: usize) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(from) {
        match *word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    words.len()
}

/// Behind the item, field, statement or arm that begins at this word.
fn behind_item(words: &[&str], from: usize) -> usize {
    let (mut at, mut is_item, mut is_use) = (from, false, false);
    while let Some(word) = words.get(at) {
        match *word {
            "#" => at = behind(words, at + 1),
            "{" if !is_use => return behind(words, at),
            "(" | "[" | "{" => at = behind(words, at),
            ")" | "]" | "}" => return at,
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            word => {
                is_use |= word == "use";
                is_item |= matches!(word, "fn" | "impl" | "struct" | "enum" | "trait" | "mod" | "use");
                at += 1;
            }
        }
    }
    at
}

/// The words of a file without what only its tests see.
fn without_tests(words: &[&str]) -> Vec<String> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < words.len() {
        if words[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = behind_item(words, at + 7);
        } else {
            kept.push(words[at].to_owned());
            at += 1;
        }
    }
    kept
}

/// `a::{b, c as d}` as two paths with the names that they have here.
fn expanded(words: &[String], before: &[String], found: &mut Vec<(Names, String)>) {
    let mut path = before.to_vec();
    let mut bound = None;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "{" => {
                let plain: Vec<_> = words.iter().map(String::as_str).collect();
                let end = behind(&plain, at);
                let (mut depth, mut start) = (0, at + 1);
                for within in at + 1..end {
                    match plain[within] {
                        "{" => depth += 1,
                        "}" if within + 1 < end => depth -= 1,
                        "," | "}" if depth == 0 => {
                            expanded(&words[start..within], &path, found);
                            start = within + 1;
                        }
                        _ => {}
                    }
                }
                return;
            }
            "as" => bound = words.get(at + 1).cloned(),
            "::" => {}
            _ if bound.is_none() => path.push(word.clone()),
            _ => {}
        }
        at += 1;
    }
    if path.len() > before.len() {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let bound = bound.or_else(|| path.last().cloned()).unwrap_or_default();
        found.push((path, bound));
    }
}

/// What a file names outside its tests.
pub fn written(text: &str) -> Written {
    let words = without_tests(&words(text));
    let plain: Vec<_> = words.iter().map(String::as_str).collect();
    let mut found = Written::default();
    // The modules that are open here, each with the depth of its bracket.
    let mut open: Vec<(String, usize)> = Vec::new();
    let (mut at, mut depth, mut is_public) = (0, 0_usize, false);
    while let Some(word) = plain.get(at) {
        let next = |by: usize| plain.get(at + by).copied().unwrap_or_default();
        let within = || open.iter().map(|(name, _)| name.clone()).collect::<Names>();
        let was_public = std::mem::take(&mut is_public);
        match *word {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                open.retain(|(_, inside)| *inside <= depth);
            }
            "pub" => {
                is_public = true;
                if next(1) == "(" {
                    at = behind(&plain, at + 1);
                    continue;
                }
            }
            "mod" if next(2) == ";" => found.modules.push(next(1).to_owned()),
            "mod" if next(2) == "{" => {
                open.push((next(1).to_owned(), depth + 1));
                at += 2;
                continue;
            }
            "use" if next(1) != "<" => {
                let end = plain[at..].iter().position(|word| *word == ";").map_or(plain.len(), |by| at + by);
                let mut paths = Vec::new();
                expanded(&words[at + 1..end], &[], &mut paths);
                found.uses.extend(paths.into_iter().map(|(path, bound)| Use {
                    is_public: was_public,
                    within: within(),
                    path,
                    bound,
                }));
                at = end;
                continue;
            }
            word if is_name(word) => {
                // What follows `<T as Trait>::` or `a::<T>::` is a part of that, and a name behind a dot is a method.
                let is_first = at == 0 || !matches!(plain[at - 1], "::" | ".");
                let mut path = vec![word.to_owned()];
                while plain.get(at + 1) == Some(&"::") && plain.get(at + 2).is_some_and(|name| is_name(name))
                {
                    path.push(plain[at + 2].to_owned());
                    at += 2;
                }
                found.paths.extend((is_first && path.len() > 1).then(|| (within(), path)));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[test]
fn what_a_use_line_names_is_seen_however_it_is_written() {
    let text = "use super::a;\npub(super) use b::{c, d::{e, f as g}};\nuse crate::{\n    h::{self},\n    i::j,\n};\n\
                fn x() { use k::l; }\n";
    let uses = written(text).uses.into_iter();
    let found: Vec<_> = uses.map(|line| (line.is_public, line.path.join("::"), line.bound)).collect();
    let expected = [
        (false, "super::a", "a"),
        (true, "b::c", "c"),
        (true, "b::d::e", "e"),
        (true, "b::d::f", "g"),
        (false, "crate::h", "h"),
        (false, "crate::i::j", "j"),
        (false, "k::l", "l"),
    ];
    assert_eq!(found, expected.map(|(public, path, bound)| (public, path.to_owned(), bound.to_owned())));
}

#[test]
fn what_a_body_names_is_seen_and_what_only_looks_like_it_is_not() {
    let text = r##"
        mod child;
        pub(in crate::far) fn x<'a>(y: &'a super::b::Y, z: crate::c::Z<child::D>) -> Vec<u8> {
            let s = y.a::<child::T>().b("crate::no::no \" //", r#"crate::no" ::no"#, b"child::no", '"', '\'');
            // crate::no::no
            /* crate::no /* child::no */ child::no */
            <Z as child::Trait>::run::<u8>(s, &child);
            inner::run(Self::default())
        }
        mod inner { fn run() { super::child::f() } }
        struct S { #[cfg(test)] at: child::no::T, b: std::u8 }
        #[cfg(test)]
        fn only(a: A, b: B) { child::no(); }
        #[cfg(test)]
        use crate::no::{a, b};
        #[cfg(test)]
        mod tests { fn t() { crate::no::no() } }
        #[cfg(test)]
        #[path = "x.rs"]
        mod other;
        mod last;
    "##;
    let found = written(text);
    let paths: Vec<_> = found.paths.iter().map(|(_, path)| path.join("::")).collect();
    let expected = [
        "super::b::Y",
        "crate::c::Z",
        "child::D",
        "child::T",
        "child::Trait",
        "inner::run",
        "Self::default",
        "super::child::f",
        "std::u8",
    ];
    assert_eq!(paths, expected);
    let inner = found.paths.iter().find(|(_, path)| path[1] == "child").expect("the path in the module");
    assert_eq!(inner.0, ["inner"]);
    assert_eq!(found.modules, ["child", "last"]);
    assert!(found.uses.is_empty());
}
