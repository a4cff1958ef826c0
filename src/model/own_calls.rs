//! What became of our own calls to iCloud.

use super::Upload;

/// What became of our own calls to iCloud.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnCalls {
    /// Until when, in lived seconds, a look has shown what became of our own writes; `None` before the first such look.
    pub confirmed: Option<i64>,
    /// Uploads that had not come, and until when, in lived seconds, their calls may take effect.
    pub late: Vec<(Upload, i64)>,
}

impl OwnCalls {
    /// So long, in lived seconds, a call that iCloud answered with an error may still take effect.
    pub const LATE_SECONDS: i64 = 180;

    /// The uploads that may come late, `late` so far, with one that had not come at `now` (lived seconds).
    pub fn with_late(late: &[(Upload, i64)], file: Upload, now: i64) -> Vec<(Upload, i64)> {
        let is_same = |other: &Upload| other.document == file.document && other.over == file.over;
        let others = late.iter().filter(|(other, _)| !is_same(other)).cloned();
        let until = now.saturating_add(Self::LATE_SECONDS);
        others.chain([(file.clone(), until)]).collect()
    }
}
