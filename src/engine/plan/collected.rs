//! What one plan leaves to the next one.

use std::collections::{BTreeSet, HashMap};

use crate::model::Node;

/// How much of the trees a plan has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    #[default]
    Whole,
    /// What was touched since the plan before alone: so many items of the base.
    Touched(usize),
}

/// What a plan has collected, as far as the next one goes by it.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Items of the base that something had happened to.
    pub(super) known: BTreeSet<Node>,
    /// What a folder of the base means for what it holds, where it means anything.
    pub(super) above: HashMap<Node, Above>,
    /// Nodes on iCloud that are no item of the base.
    pub(super) strange: BTreeSet<Node>,
    /// How much was looked at for it.
    pub(super) extent: Extent,
}

impl Collected {
    /// How much was looked at for it.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Notes what a folder of the base means for what it holds. `false` when that are more than `most`.
    pub(super) fn remember(&mut self, node: Node, below: Above, most: usize) -> bool {
        if below != Above::default() {
            self.above.insert(node, below);
        }
        self.above.len() <= most
    }

    /// Notes a node on iCloud that is no item of the base. `false` when these are more than `most`.
    pub(super) fn note_strange(&mut self, node: Node, most: usize) -> bool {
        self.strange.insert(node);
        self.strange.len() <= most
    }
}

/// What the folders above an item mean for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Above {
    /// Its path here is not the agreed one.
    pub moved_here: bool,
    /// Its path on iCloud is not the agreed one.
    pub moved_there: bool,
    /// It lives in an app library that is not opted in any more.
    pub dismissed: bool,
    /// It went with a folder that was moved here to where nothing is synced, and nothing is read.
    pub left_here: bool,
    /// It lies in what iCloud shows as not ours, shared to this account say.
    pub foreign: bool,
    /// What stands at its folder's old place here is another folder.
    pub released: bool,
}
