//! What an operation comes after.

use std::fmt;
use std::ops::Deref;

/// Indices of earlier operations. Nearly every operation of a million has one or none, and takes no memory beside itself for it.
#[derive(Clone, Default)]
pub struct After(Few);

#[derive(Clone, Default)]
enum Few {
    #[default]
    None,
    One(usize),
    #[allow(clippy::box_collection)]
    More(Box<Vec<usize>>),
}

impl After {
    /// Adds one.
    pub fn push(&mut self, index: usize) {
        match &mut self.0 {
            Few::None => self.0 = Few::One(index),
            Few::One(first) => self.0 = Few::More(Box::new(vec![*first, index])),
            Few::More(all) => all.push(index),
        }
    }

    /// The same, in order and each once.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        if let Few::More(all) = &mut self.0 {
            all.sort_unstable();
            all.dedup();
            return self.iter().copied().collect();
        }
        self
    }

    /// Leaves none.
    pub fn clear(&mut self) {
        self.0 = Few::None;
    }
}

impl Deref for After {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        match &self.0 {
            Few::None => &[],
            Few::One(index) => std::slice::from_ref(index),
            Few::More(all) => all,
        }
    }
}

impl Extend<usize> for After {
    fn extend<T: IntoIterator<Item = usize>>(&mut self, indices: T) {
        indices.into_iter().for_each(|index| self.push(index));
    }
}

impl FromIterator<usize> for After {
    fn from_iter<T: IntoIterator<Item = usize>>(indices: T) -> Self {
        let mut after = Self::default();
        after.extend(indices);
        after
    }
}

impl From<Vec<usize>> for After {
    fn from(indices: Vec<usize>) -> Self {
        indices.into_iter().collect()
    }
}

impl From<&[usize]> for After {
    fn from(indices: &[usize]) -> Self {
        indices.iter().copied().collect()
    }
}

impl<'a> IntoIterator for &'a After {
    type Item = &'a usize;
    type IntoIter = std::slice::Iter<'a, usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for After {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_it_was_given_however_many_these_are() {
        for given in [&[][..], &[7], &[7, 7], &[9, 3, 9, 1]] {
            let after = After::from(given);
            assert_eq!(&*after, given);
            let mut sorted = given.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(&*after.sorted(), sorted);
        }
        let mut after = After::from(&[1, 2][..]);
        after.clear();
        assert_eq!(after, After::default());
        assert_eq!(size_of::<After>(), 16);
    }
}
