//! What a plan leaves to the next one, so that only what was touched since is looked at.

use std::sync::Arc;

use super::settings::Settings;
use crate::engine::observe::local::may_be_doubted;
use crate::engine::plan::{Collected, Mode};
use crate::engine::recognise::{Recognised, most_loose};
use crate::engine::view::RemoteView;
use crate::model::{BaseTree, LocalTree, Node};

/// The last plan, as far as the next one goes by it. The trees are shared with their owners; what is changed of them is copied.
pub(super) struct Remembered {
    /// The base found on the disk.
    pub recognised: Recognised,
    /// What the planner goes by.
    pub earlier: Before,
    /// Files whose signature may be doubted once some time has passed.
    racy: Vec<Node>,
    terms: Terms,
}

/// What the planner went by, and what it collected.
pub(super) struct Before {
    pub base: Arc<BaseTree>,
    pub remote: Arc<RemoteView>,
    pub collected: Collected,
}

/// What decides for each item by itself: under other terms everything is planned anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    mode: Mode,
    max_file_size: Option<u64>,
    ignore: Vec<String>,
    include: Vec<String>,
    folds_case: bool,
}

impl Terms {
    /// The terms of a plan now.
    pub fn of(settings: &Settings, folds_case: bool) -> Self {
        Self {
            mode: settings.mode,
            max_file_size: settings.max_file_size,
            ignore: settings.filter.ignore().map(str::to_owned).collect(),
            include: settings.filter.include().map(str::to_owned).collect(),
            folds_case,
        }
    }
}

impl Remembered {
    /// What the next plan needs of one that went by `before`. `None` where that one will plan everything.
    pub fn new(
        recognised: Recognised,
        before: Before,
        racy_before: Option<Vec<Node>>,
        terms: Terms,
    ) -> Option<Self> {
        let local = recognised.local()?;
        let racy = match (racy_before, recognised.changes()) {
            (Some(mut racy), Some(changes)) => {
                racy.extend(changes.local.iter().map(|change| change.node));
                racy.sort_unstable();
                racy.dedup();
                racy.retain(|node| local.contains(*node) && may_be_doubted(local.get(*node)));
                racy
            }
            _ => local.walk(Node::ROOT).filter(|node| may_be_doubted(local.get(*node))).collect(),
        };
        Some(Self { recognised: recognised.planned(), earlier: before, racy, terms })
    }

    /// Whether it was made under these terms.
    pub fn holds_under(&self, terms: &Terms) -> bool {
        self.terms == *terms
    }

    /// The files whose signature may be doubted now. `None` where all are to be looked at.
    pub fn to_doubt(&self, local: &LocalTree) -> Option<Vec<Node>> {
        let changed = local.differences(self.recognised.local()?, most_loose(&self.earlier.base))?;
        let nodes = changed.iter().map(|change| change.node).chain(self.racy.iter().copied());
        Some(nodes.filter(|node| local.contains(*node)).collect())
    }
}
