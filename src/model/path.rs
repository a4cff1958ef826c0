//! Relative paths that cannot escape.

use std::borrow::Cow;
use std::fmt;

use super::name::{PathError, check_name};

/// The deepest folder that is looked into, in folders below the root. A disk can hold more, and a chain without an end is possible
/// on either side: what lies deeper is told by name and left alone.
pub const DEEPEST: usize = 4096;

/// The longest path of a folder that is looked into, in bytes: memory has to hold many of them at once.
pub const LONGEST_PATH_BYTES: usize = 64 << 10;

/// A path below the sync root: UTF-8, `/`-separated, with no empty, `.` or `..` part and
/// no NUL. The empty path is the root itself.
///
/// Ordered part by part, so that a folder always comes right before what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelPath(Box<str>);

impl RelPath {
    /// The sync root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Checks `text` and makes a path of it; `""` is the root.
    ///
    /// # Errors
    ///
    /// [`PathError`] when a part is empty, `.`, `..` or holds NUL.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        for part in text.split('/') {
            check_name(part).map_err(|error| match error {
                PathError::EmptyPart(_) => PathError::EmptyPart(text.to_owned()),
                PathError::Dots(_) => PathError::Dots(text.to_owned()),
                PathError::Forbidden(_) => PathError::Forbidden(text.to_owned()),
            })?;
        }
        Ok(Self(text.into()))
    }

    /// The path whose parts are `names`, last one first. All of them were checked before, as those in a tree are.
    pub(crate) fn of_checked(names: &[&str]) -> Self {
        debug_assert!(names.iter().all(|name| !name.is_empty() && Self::parse(name).is_ok()), "{names:?}");
        let length: usize = names.iter().map(|name| name.len() + 1).sum();
        // As long as it is in the end, so that nothing is copied once more.
        let mut text = String::with_capacity(length.saturating_sub(1));
        for name in names.iter().rev() {
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(name);
        }
        Self(text.into())
    }

    /// The path of `name`, which was checked before, inside this folder.
    pub(crate) fn of_child(&self, name: &str) -> Self {
        if self.is_root() { Self::of_checked(&[name]) } else { Self::of_checked(&[name, self.as_str()]) }
    }

    /// The path of `name` inside this folder.
    ///
    /// # Errors
    ///
    /// [`PathError`] when `name` cannot be one part of a path.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        check_name(name)?;
        if self.is_root() {
            return Ok(Self(name.into()));
        }
        let mut text = String::with_capacity(self.0.len() + 1 + name.len());
        text.push_str(&self.0);
        text.push('/');
        text.push_str(name);
        Ok(Self(text.into()))
    }

    /// Whether a folder of this path is not looked into ([`DEEPEST`], [`LONGEST_PATH_BYTES`]).
    pub fn is_too_deep(&self) -> bool {
        self.0.len() > LONGEST_PATH_BYTES || self.0.len() >= DEEPEST && self.parts().count() >= DEEPEST
    }

    /// Whether this is the sync root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, `/`-separated, `""` for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path with composed names (Unicode NFC), by which one that is known in several spellings is remembered.
    pub fn composed(&self) -> Cow<'_, Self> {
        let text = super::name::nfc(self.as_str());
        if *text == *self.as_str() {
            return Cow::Borrowed(self);
        }
        // Composing neither makes nor removes a separator.
        Self::parse(&text).map_or(Cow::Borrowed(self), Cow::Owned)
    }

    /// The last part; `""` for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The folder that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(self.0.rsplit_once('/').map_or_else(Self::root, |(parent, _)| Self(parent.into())))
    }

    /// The parts from the top down; none for the root.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Whether it is `folder` or lies somewhere below it.
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.is_root()
            || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "/" } else { &self.0 })
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts().cmp(other.parts())
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_escapes_can_be_parsed() {
        for text in ["/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a\0b"] {
            assert!(RelPath::parse(text).is_err(), "{text:?}");
        }
        assert!(RelPath::root().join("a/b").is_err());
        assert!(RelPath::root().join("..").is_err());
    }

    #[test]
    fn a_folder_sorts_right_before_what_it_holds() {
        let mut paths: Vec<_> =
            ["a b", "a/c", "a", "a.txt", "a/b"].map(|p| RelPath::parse(p).unwrap()).into();
        paths.sort();
        assert_eq!(
            paths.iter().map(RelPath::as_str).collect::<Vec<_>>(),
            ["a", "a/b", "a/c", "a b", "a.txt"]
        );
    }

    #[test]
    fn what_lies_deeper_than_the_walk_goes_is_told_by_its_path() {
        let chain = |folders: usize| RelPath::parse(&vec!["f"; folders].join("/")).unwrap();
        assert!(!chain(DEEPEST - 1).is_too_deep() && chain(DEEPEST).is_too_deep());
        assert!(!RelPath::root().is_too_deep());
        assert!(!RelPath::parse(&"n".repeat(LONGEST_PATH_BYTES)).unwrap().is_too_deep());
        assert!(RelPath::parse(&"n".repeat(LONGEST_PATH_BYTES + 1)).unwrap().is_too_deep());
    }

    #[test]
    fn within_is_by_whole_parts() {
        let folder = RelPath::parse("a").unwrap();
        assert!(RelPath::parse("a/b").unwrap().is_within(&folder));
        assert!(folder.is_within(&folder));
        assert!(!RelPath::parse("ab").unwrap().is_within(&folder));
        assert!(folder.is_within(&RelPath::root()));
    }
}
