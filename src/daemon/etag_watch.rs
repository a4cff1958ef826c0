//! How far the etags of iCloud's folders are believed (`docs/sync.md` §7): plain rules over what whole walks told.

use crate::engine::observe::remote::{EtagsCompared, EtagsLearnt};
use crate::engine::view::FolderMarks;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct EtagWatch {
    learnt: EtagsLearnt,
    /// What the last walk saw against them: an etag may be late, and then the next walk sees it moved.
    doubtful: EtagsCompared,
    disagreements: u64,
}

impl EtagWatch {
    /// `learnt` is what an earlier run knew.
    pub fn new(learnt: EtagsLearnt) -> Self {
        Self { learnt, ..Self::default() }
    }

    /// What is to be stored.
    pub fn learnt(&self) -> &EtagsLearnt {
        &self.learnt
    }

    /// How often a change was seen below a folder whose etag stayed although it was relied on, since the start.
    pub fn disagreements(&self) -> u64 {
        self.disagreements
    }

    /// Another account's are another thing.
    pub fn forget(&mut self) {
        (self.learnt, self.doubtful) = (EtagsLearnt::default(), EtagsCompared::default());
    }

    /// Whether a look may leave out what is below a folder whose etag stays.
    pub fn may_skip(&self) -> bool {
        self.learnt.may_skip()
    }

    /// A whole walk ended well, with these marks; `compared` is how it stands to the one before, where that can be told.
    pub fn walked(&mut self, compared: Option<EtagsCompared>, marks: &FolderMarks) {
        let doubtful = std::mem::take(&mut self.doubtful);
        let stayed = doubtful.still(marks);
        if stayed > 0 {
            if self.learnt.disagree() {
                self.disagreements += 1;
                log::warn!(
                    "something changed on iCloud below {stayed} folders whose etag stayed: all folders are listed again for each change"
                );
            }
        } else if doubtful.stayed.is_empty()
            && let Some(compared) = &compared
            && compared.stayed.is_empty()
        {
            self.learnt.agree(compared.cases);
        }
        self.doubtful = compared.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::engine::observe::remote::Cases;
    use crate::model::{Etag, ItemId, Zone};

    fn marks(etag: &str) -> FolderMarks {
        FolderMarks::new(HashMap::from([(ItemId::new(Zone::CloudDocs, "f"), Etag::new(etag))]))
    }

    fn moved(cases: u32) -> Option<EtagsCompared> {
        let cases = Cases { contents: cases, places: cases, names: cases };
        Some(EtagsCompared { cases, stayed: Vec::new() })
    }

    fn stayed(etag: &str) -> Option<EtagsCompared> {
        let stayed = vec![(ItemId::new(Zone::CloudDocs, "f"), Etag::new(etag))];
        Some(EtagsCompared { stayed, ..EtagsCompared::default() })
    }

    #[test]
    fn they_are_believed_after_enough_cases_and_no_more_once_one_stays() {
        let mut watch = EtagWatch::default();
        watch.walked(moved(7), &marks("1"));
        watch.walked(None, &marks("1"));
        assert!(!watch.may_skip());
        watch.walked(moved(1), &marks("2"));
        assert!(watch.may_skip());
        watch.walked(stayed("2"), &marks("2"));
        assert!(watch.may_skip(), "it may be late");
        watch.walked(moved(0), &marks("2"));
        assert!(!watch.may_skip());
        assert_eq!(watch.disagreements(), 1);
        watch.walked(moved(8), &marks("3"));
        assert!(!watch.may_skip(), "it takes longer now");
        watch.walked(moved(8), &marks("4"));
        assert!(watch.may_skip());
        watch.forget();
        assert!(!watch.may_skip());
    }

    #[test]
    fn an_etag_that_is_late_is_no_disagreement_and_teaches_nothing() {
        let mut watch = EtagWatch::default();
        for round in 0..20 {
            watch.walked(stayed(&format!("{round}")), &marks(&format!("{round}")));
            watch.walked(moved(9), &marks(&format!("{}", round + 1)));
        }
        assert!(!watch.may_skip());
        assert_eq!(watch.learnt(), &EtagsLearnt::default());
        assert_eq!(watch.disagreements(), 0);
    }
}
