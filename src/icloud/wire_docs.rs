//! What `{docws}` and the content hosts send (`docs/protocol.md` §11, §12).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{is_trash, number, signed, text};
use crate::engine::ports::{Offer, RemoteItem, RemoteParent};
use crate::model::name::check_name;
use crate::model::{Etag, FolderState, ItemId, RemoteEntry, RemoteKind, ServerTime, Signature, Zone};

/// Reads a signature; `None` when it is of another form than `docs/protocol.md` §13 knows.
pub(super) fn signature(text: &str) -> Option<Signature> {
    let bytes = STANDARD.decode(text).ok()?;
    let (0x01, rest) = bytes.split_first().map(|(first, rest)| (*first, rest))? else { return None };
    Some(Signature(rest.try_into().ok()?))
}

/// Where one document can be fetched (§11.1).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Download {
    #[serde(deserialize_with = "text")]
    pub document_id: Option<String>,
    data_token: Option<Token>,
    package_token: Option<Token>,
    #[serde(deserialize_with = "text")]
    double_etag: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Token {
    #[serde(deserialize_with = "text")]
    url: Option<String>,
    #[serde(deserialize_with = "text")]
    signature: Option<String>,
}

impl Download {
    /// The offer, where the answer holds one.
    pub fn offer(self, id: &ItemId) -> Option<Offer> {
        let is_package_token = self.data_token.is_none();
        let token = self.data_token.or(self.package_token)?;
        let url = token.url.filter(|url| !url.is_empty())?;
        let path = url.split(['?', '#']).next().unwrap_or("");
        let package = is_package_token || path.contains("/packageDownload");
        let signature_text = token.signature.unwrap_or_default();
        Some(Offer {
            id: id.clone(),
            etag: Etag::new(self.double_etag.as_deref().unwrap_or("")),
            signature: if package { None } else { signature(&signature_text) },
            signature_text,
            package,
            url,
        })
    }
}

/// A place to send content to (§12.1).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Slot {
    #[serde(deserialize_with = "text")]
    pub document_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub url: Option<String>,
}

/// What a content host says of content that it took (§12.2).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    #[serde(rename = "fileChecksum", deserialize_with = "text")]
    pub checksum: Option<String>,
    #[serde(rename = "referenceChecksum", deserialize_with = "text")]
    reference: Option<String>,
    #[serde(rename = "wrappingKey", deserialize_with = "text")]
    wrapping_key: Option<String>,
    #[serde(deserialize_with = "number")]
    pub size: Option<u64>,
    #[serde(deserialize_with = "text")]
    receipt: Option<String>,
}

impl Stored {
    /// The `data` member of the commit (§12.3); what the host left out stays out.
    pub fn commit_data(&self, size: u64) -> Value {
        let mut data = json!({ "size": size });
        for (name, value) in [
            ("signature", &self.checksum),
            ("reference_signature", &self.reference),
            ("wrapping_key", &self.wrapping_key),
            ("receipt", &self.receipt),
        ] {
            if let Some(value) = value {
                data[name] = json!(value);
            }
        }
        data
    }
}

/// A document as `{docws}` shows it (§12.4).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    #[serde(deserialize_with = "text")]
    document_id: Option<String>,
    #[serde(deserialize_with = "text")]
    etag: Option<String>,
    #[serde(deserialize_with = "text")]
    parent_id: Option<String>,
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    kind: Option<String>,
    pub deleted: Option<bool>,
    #[serde(deserialize_with = "signed")]
    mtime: Option<i64>,
    #[serde(deserialize_with = "number")]
    size: Option<u64>,
    data: Option<DocumentData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DocumentData {
    #[serde(deserialize_with = "text")]
    signature: Option<String>,
    #[serde(deserialize_with = "number")]
    size: Option<u64>,
}

impl Document {
    /// The item; `None` without id or usable name.
    pub fn to_remote(&self, zone: &Zone) -> Option<RemoteItem> {
        let name = self.name.as_deref()?;
        check_name(name).ok()?;
        let kind = match self.kind.as_deref().unwrap_or("FILE").to_ascii_uppercase().as_str() {
            "FILE" => RemoteKind::File,
            "FOLDER" => RemoteKind::Folder,
            _ => RemoteKind::Foreign,
        };
        let parent = match self.parent_id.as_deref() {
            Some(parent) if is_trash(parent) => RemoteParent::Trash,
            // Both forms of ids were seen in neighbouring members.
            Some(parent) if parent.contains("::") => {
                ItemId::from_drivewsid(parent).map_or(RemoteParent::Untold, RemoteParent::Folder)
            }
            Some(parent) if !parent.is_empty() => RemoteParent::Folder(ItemId::new(zone.clone(), parent)),
            _ => RemoteParent::Untold,
        };
        let is_file = kind == RemoteKind::File;
        let data = self.data.as_ref();
        let entry = RemoteEntry {
            id: ItemId::new(zone.clone(), self.document_id.as_deref().filter(|id| !id.is_empty())?),
            kind,
            name: name.into(),
            etag: Etag::new(self.etag.as_deref().unwrap_or("")),
            size: self.size.or(data.and_then(|data| data.size)).filter(|_| is_file).into(),
            mtime: self.mtime.filter(|_| is_file).map(|ms| ServerTime(ms.div_euclid(1000))).into(),
            signature: data.and_then(|data| data.signature.as_deref()).and_then(signature).into(),
            state: FolderState::Unread,
        };
        Some(RemoteItem { entry, parent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signatures_of_the_known_form_are_read() {
        let hello = "AcW96XzA8CMFcrVWfJyAAy8aWWE6";
        assert_eq!(signature(hello).unwrap().0[..3], [0xc5, 0xbd, 0xe9]);
        for other in
            ["", "gcW96XzA8CMFcrVWfJyAAy8aWWE6", "AcW9", "not base64!", "AcW96XzA8CMFcrVWfJyAAy8aWWE6AA=="]
        {
            assert_eq!(signature(other), None, "{other}");
        }
    }

    #[test]
    fn an_offer_tells_packages_apart_by_token_or_path() {
        let id = ItemId::new(Zone::CloudDocs, "A");
        for (answer, expected) in [
            (json!({"data_token": {"url": "https://h/B/x"}}), Some(false)),
            (json!({"data_token": {"url": "https://h/packageDownload/x?a"}}), Some(true)),
            (json!({"data_token": {"url": "https://h/B/x?f=/packageDownload"}}), Some(false)),
            (json!({"package_token": {"url": "https://h/B/x"}}), Some(true)),
            (json!({"data_token": {"url": ""}}), None),
            (json!({"data_token": {}}), None),
            (json!({}), None),
        ] {
            let parsed: Download = serde_json::from_value(answer.clone()).unwrap();
            assert_eq!(parsed.offer(&id).map(|offer| offer.package), expected, "{answer}");
        }
    }

    #[test]
    fn a_committed_document_becomes_an_item() {
        let document: Document = serde_json::from_value(json!({
            "document_id": "9F0C", "etag": "4a::49", "parent_id": "root", "name": "Report.pdf", "type": "file",
            "mtime": 1_772_450_553_999_i64, "size": "5", "data": {"signature": "AcW96XzA8CMFcrVWfJyAAy8aWWE6"}}))
        .unwrap();
        let found = document.to_remote(&Zone::CloudDocs).unwrap();
        assert_eq!(found.parent, RemoteParent::Folder(ItemId::drive_root()));
        assert_eq!(found.entry.mtime, Some(ServerTime(1_772_450_553)));
        assert_eq!(found.entry.size, Some(5));
        assert!(found.entry.signature.get().is_some());
        assert!(Document { name: Some("a/b".to_owned()), ..document }.to_remote(&Zone::CloudDocs).is_none());
    }
}
