//! `feed.json`: what is remembered of the change feed, and of how folder etags move, over a restart. All of it is a hint: without it there is one walk more.

use std::io::{Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::observe::remote::EtagsLearnt;
use crate::icloud::drive::FeedZone;
use crate::private_file::{PrivateFile, Stored, open_stored};

/// Its name in the state directory.
pub const FEED_FILE: &str = "feed.json";
/// A longer file is none of ours.
const LONGEST: u64 = 1 << 20;

/// What is remembered of the change feed of one account. Times are seconds in which this program ran and asked it, so no clock is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedState {
    /// The account's number as text.
    pub account: String,
    /// Where the feed stood when it was asked last.
    pub token: Option<String>,
    /// For how many seconds feed and walks have agreed.
    pub agreed: u64,
    /// A change that a walk saw has been told by the feed since they began to agree.
    pub confirmed: bool,
    /// Where the zone of the Drive stands.
    pub zone: ZoneMark,
    /// For how many more seconds the feed is not asked, because it did not tell of a change.
    pub distrusted: u64,
    /// How the account's folder etags move.
    pub etags: EtagsLearnt,
}

/// Where the zone of the Drive stands in the change feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZoneMark {
    /// How the feed names it.
    pub zone: Option<FeedZone>,
    /// Where its changes were read to.
    pub token: Option<String>,
    /// All that it holds was told up to there.
    pub is_whole: bool,
}

impl FeedState {
    /// What is stored in the state directory; nothing where that cannot be read.
    pub fn load(directory: &Path) -> Self {
        let Ok(Stored::Ours(file, _)) = open_stored(&directory.join(FEED_FILE)) else {
            return Self::default();
        };
        let mut text = Vec::new();
        match file.take(LONGEST).read_to_end(&mut text) {
            Ok(_) => serde_json::from_slice(&text).unwrap_or_default(),
            Err(_) => Self::default(),
        }
    }

    /// Stores it in the state directory. That it cannot be stored costs a walk after a restart, and is no failure.
    pub fn store(&self, directory: &Path) {
        let stored = PrivateFile::create(&directory.join(FEED_FILE)).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(self)?)?;
            file.commit()
        });
        if let Err(error) = stored {
            log::debug!("cannot store where the change feed stands: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::observe::remote::Cases;

    #[test]
    fn it_comes_back_and_what_cannot_be_read_is_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(FeedState::load(folder.path()), FeedState::default());
        let state = FeedState {
            account: "17".to_owned(),
            token: Some("t".to_owned()),
            agreed: 3,
            confirmed: true,
            zone: ZoneMark {
                zone: Some(FeedZone { name: "_defaultZone".to_owned(), owner: Some("_17".to_owned()) }),
                token: Some("z".to_owned()),
                is_whole: true,
            },
            distrusted: 5,
            etags: EtagsLearnt { cases: Cases { contents: 7, places: 6, names: 5 }, doubts: 4 },
        };
        state.store(folder.path());
        assert_eq!(FeedState::load(folder.path()), state);
        std::fs::write(folder.path().join(FEED_FILE), r#"{"account": "17", "token": "t"}"#).expect("written");
        assert_eq!(FeedState::load(folder.path()).zone, ZoneMark::default(), "an earlier version's");
        for text in ["", "{", "[]", "{\"agreed\": \"many\"}"] {
            std::fs::write(folder.path().join(FEED_FILE), text).expect("written");
            assert_eq!(FeedState::load(folder.path()), FeedState::default(), "{text:?}");
        }
    }
}
