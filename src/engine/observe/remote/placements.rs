//! Where the items that a walk meets hang: a million of them while it goes on, so each entry and each folder's id is kept once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::model::{ItemId, RemoteEntry};

/// Where an item was seen last.
pub(super) struct Placement {
    folder: u32,
    /// A look-up said that it is in no folder of the scope. Its number stays its own.
    is_out: bool,
    pub entry: RemoteEntry,
}

/// So many items are kept together, and let go together once they are in the tree.
const TOGETHER: usize = 2048;

/// What was seen so far. Each item has a number, which it keeps.
#[derive(Default)]
pub(super) struct Placements {
    /// By their numbers, [`TOGETHER`] at a time.
    list: Vec<Vec<Placement>>,
    len: u32,
    numbers: HashTable<u32>,
    /// Ids of folders that something hangs in.
    folders: Vec<ItemId>,
    folder_numbers: HashMap<ItemId, u32>,
    hasher: RandomState,
}

/// What hangs in each folder, to be taken out.
pub(super) struct Contents {
    /// By their numbers, [`TOGETHER`] at a time, and how many of these are still to be taken.
    entries: Vec<(Vec<Option<RemoteEntry>>, usize)>,
    children: Children,
    folder_numbers: HashMap<ItemId, u32>,
}

/// Some of the items, by their numbers.
#[derive(Default)]
pub(super) struct Numbers {
    bits: Vec<u64>,
}

/// The numbers of what hangs in each folder.
pub(super) struct Children {
    /// Where those of a folder begin; one more than there are folders.
    starts: Vec<u32>,
    numbers: Vec<u32>,
}

impl Placements {
    /// Notes that an item hangs in a folder, whatever was known of it.
    pub fn place(&mut self, folder: &ItemId, entry: RemoteEntry) {
        let placement = Placement { folder: self.folder_number(folder), is_out: false, entry };
        match self.number(&placement.entry.id) {
            Some(number) => *self.known_mut(number) = placement,
            None => {
                let (list, hasher) = (&self.list, &self.hasher);
                let hash = hasher.hash_one(&placement.entry.id);
                let hash_of = |number: &u32| hasher.hash_one(&known(list, *number).entry.id);
                self.numbers.insert_unique(hash, self.len, hash_of);
                self.add(placement);
            }
        }
    }

    /// Notes that an item is in no folder of the scope.
    pub fn take_out(&mut self, id: &ItemId) {
        if let Some(number) = self.number(id) {
            self.known_mut(number).is_out = true;
        }
    }

    /// Where an item hangs; `None` where it was not seen, or is in no folder of the scope.
    pub fn get(&self, id: &ItemId) -> Option<&Placement> {
        self.at(self.number(id)?)
    }

    /// The item of that number, unless it is in no folder of the scope.
    pub fn at(&self, number: u32) -> Option<&Placement> {
        (number < self.len).then(|| known(&self.list, number)).filter(|placement| !placement.is_out)
    }

    /// The folder that an item hangs in.
    pub fn folder(&self, placement: &Placement) -> &ItemId {
        &self.folders[placement.folder as usize]
    }

    /// The number of an item that was seen.
    pub fn number(&self, id: &ItemId) -> Option<u32> {
        let is_it = |number: &u32| known(&self.list, *number).entry.id == *id;
        self.numbers.find(self.hasher.hash_one(id), is_it).copied()
    }

    fn known_mut(&mut self, number: u32) -> &mut Placement {
        let number = number as usize;
        &mut self.list[number / TOGETHER][number % TOGETHER]
    }

    fn add(&mut self, placement: Placement) {
        self.len = self.len.checked_add(1).expect("fewer than four billion items");
        match self.list.last_mut().filter(|last| last.len() < TOGETHER) {
            Some(last) => last.push(placement),
            None => self.list.push(vec![placement]),
        }
    }

    fn folder_number(&mut self, id: &ItemId) -> u32 {
        if let Some(&number) = self.folder_numbers.get(id) {
            return number;
        }
        let number = small(self.folders.len());
        self.folders.push(id.clone());
        self.folder_numbers.insert(id.clone(), number);
        number
    }

    /// What hangs in each folder now, in the order in which it was seen first.
    pub fn children(&self) -> Children {
        let placed = || (0..).zip(self.list.iter().flatten()).filter(|(_, placement)| !placement.is_out);
        let mut starts = vec![0; self.folders.len() + 1];
        placed().for_each(|(_, placement)| starts[placement.folder as usize + 1] += 1);
        let mut sum = 0;
        starts.iter_mut().for_each(|start| {
            sum += *start;
            *start = sum;
        });
        let mut next = starts.clone();
        let mut numbers = vec![0; sum as usize];
        for (number, placement) in placed() {
            let place = &mut next[placement.folder as usize];
            numbers[*place as usize] = number;
            *place += 1;
        }
        Children { starts, numbers }
    }

    /// Of what hangs in each folder, the numbers of what hangs in this one.
    pub fn of<'a>(&self, children: &'a Children, folder: &ItemId) -> &'a [u32] {
        self.folder_numbers.get(folder).map_or(&[], |folder| children.of(*folder))
    }

    /// The entries of what hangs in each folder, when nobody asks for an item any more.
    pub fn into_contents(self) -> Contents {
        let children = self.children();
        let entries = self.list.into_iter().map(|together| {
            let left = together.len();
            (together.into_iter().map(|placement| Some(placement.entry)).collect(), left)
        });
        Contents { entries: entries.collect(), children, folder_numbers: self.folder_numbers }
    }
}

impl Children {
    fn of(&self, folder: u32) -> &[u32] {
        let [from, to] = [0, 1].map(|after| self.starts[folder as usize + after] as usize);
        &self.numbers[from..to]
    }
}

impl Contents {
    /// Takes out what hangs in a folder.
    pub fn take(&mut self, folder: &ItemId) -> Vec<RemoteEntry> {
        let Some(&folder) = self.folder_numbers.get(folder) else { return Vec::new() };
        let mut taken = Vec::new();
        for &number in self.children.of(folder) {
            let number = number as usize;
            let (together, left) = &mut self.entries[number / TOGETHER];
            let Some(entry) = together.get_mut(number % TOGETHER).and_then(Option::take) else { continue };
            taken.push(entry);
            *left -= 1;
            if *left == 0 {
                *together = Vec::new();
            }
        }
        taken
    }
}

/// The item of a number that was given out.
fn known(list: &[Vec<Placement>], number: u32) -> &Placement {
    &list[number as usize / TOGETHER][number as usize % TOGETHER]
}

impl Numbers {
    /// Adds an item.
    pub fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (number % 64);
    }

    /// Whether an item is among them.
    pub fn contains(&self, number: u32) -> bool {
        self.bits.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..small(self.bits.len() * 64)).filter(|number| self.contains(*number))
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than four billion items")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FolderState, RemoteKind, Zone};

    fn id(number: usize) -> ItemId {
        ItemId::new(Zone::CloudDocs, &format!("item {number}"))
    }

    fn entry(number: usize, name: &str) -> RemoteEntry {
        RemoteEntry {
            id: id(number),
            kind: RemoteKind::File,
            name: name.into(),
            etag: Default::default(),
            size: None.into(),
            mtime: None.into(),
            signature: None.into(),
            state: FolderState::Unread,
        }
    }

    /// The names of what hangs in each of three folders.
    fn shown(placements: &Placements) -> [Vec<&str>; 3] {
        let children = placements.children();
        let name = |number: &u32| &*placements.at(*number).expect("what hangs somewhere").entry.name;
        [1000, 2000, 3000].map(|folder| placements.of(&children, &id(folder)).iter().map(name).collect())
    }

    #[test]
    fn an_item_hangs_where_the_latest_word_says_and_keeps_its_number() {
        let mut placements = Placements::default();
        for number in 0..100 {
            placements.place(&id(if number < 97 { 1000 } else { 2000 }), entry(number, "first"));
        }
        let numbers: Vec<_> = (0..100).map(|number| placements.number(&id(number))).collect();
        placements.take_out(&id(98));
        placements.take_out(&id(5000));
        placements.place(&id(3000), entry(0, "moved"));
        placements.place(&id(2000), entry(97, "again"));
        let [first, second, third] = shown(&placements);
        assert_eq!((first.len(), second, third), (96, vec!["again", "first"], vec!["moved"]));
        assert!(placements.get(&id(98)).is_none() && placements.get(&id(100)).is_none());
        placements.place(&id(3000), entry(98, "back"));
        assert_eq!(shown(&placements)[2], ["moved", "back"]);
        assert!((0..100).all(|number| placements.number(&id(number)) == numbers[number]));
        let moved = placements.get(&id(0)).expect("it was placed");
        assert_eq!(placements.folder(moved), &id(3000));
        let mut contents = placements.into_contents();
        let names: Vec<_> = contents.take(&id(3000)).into_iter().map(|entry| entry.name).collect();
        assert_eq!(
            (names, contents.take(&id(3000)), contents.take(&id(4000))),
            (vec!["moved".into(), "back".into()], vec![], vec![])
        );
        assert_eq!(contents.take(&id(1000)).len(), 96);
    }

    #[test]
    fn all_of_many_items_can_be_taken_out() {
        let mut placements = Placements::default();
        let many = 3 * TOGETHER + 5;
        for number in 0..many {
            placements.place(&id(10_000_000 + number % 7), entry(number, "one"));
        }
        assert!((0..many).all(|number| placements.get(&id(number)).is_some()));
        let mut contents = placements.into_contents();
        let taken: usize = (0..7).map(|folder| contents.take(&id(10_000_000 + folder)).len()).sum();
        assert_eq!(taken, many);
        assert!(contents.entries.iter().all(|(together, left)| together.is_empty() && *left == 0));
    }

    #[test]
    fn numbers_are_those_that_were_added() {
        let mut numbers = Numbers::default();
        for number in [0, 63, 64, 200] {
            numbers.insert(number);
        }
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [0, 63, 64, 200]);
        assert!(numbers.contains(200) && !numbers.contains(1) && !numbers.contains(9999));
    }

    /// The budget of `docs/size.md`: a walk holds so much of each item, beside its name.
    #[test]
    fn a_walk_takes_little_more_for_an_item_than_the_item() {
        assert_eq!(size_of::<Placement>(), 96);
    }
}
