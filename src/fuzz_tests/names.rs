//! Ids, names, paths and expressions as anybody may write them.

use super::fuzz;
use crate::model::filter::{ExpressionError, Filter};
use crate::model::name::check_name;
use crate::model::name::{
    cut, held_here, key, name_below_temporary, same, split_extension, temporary_name, temporary_origin,
};
use crate::model::plain::{plain, plain_json, plain_lines};
use crate::model::{Etag, ItemId, RelPath};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn id() {
    let seeds = [
        "FILE::com.apple.CloudDocs::3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E",
        "FOLDER::com.apple.Pages::documents",
        "TRASH_ROOT",
    ];
    fuzz("id", seeds, |bytes| {
        let text = text(bytes);
        Etag::new(&text).same_content(&Etag::new("1::2"));
        let Some(id) = ItemId::from_drivewsid(&text) else { return "none".to_owned() };
        // It is sent back as it came.
        assert!(text.ends_with(&format!("::{id}")) && id.is_doc(&id.doc()));
        assert_eq!(ItemId::from_drivewsid(&format!("FILE::{id}")), Some(id.clone()));
        format!("{} {}", id.uuid().is_some(), id.zone() == ItemId::drive_root().zone())
    });
}

#[test]
fn name_and_path() {
    let long = "a\u{301}".repeat(90);
    let seeds =
        ["a/b.tar.gz", ".icloudds-moving-3-M\u{fc}ll.txt", "..", ".a", "a.", "\u{202e}\u{7f}x", &long];
    fuzz("name_and_path", seeds, |bytes| {
        let text = text(bytes);
        for shown in [plain(&text), plain_lines(&text).replace('\n', "")] {
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
        let json = plain_json(&serde_json::to_string(&text).expect("a text has a JSON form"));
        assert_eq!(serde_json::from_str::<String>(&json).expect("still JSON"), text);
        let path = RelPath::parse(&text);
        if let Ok(path) = &path {
            assert_eq!(RelPath::parse(path.as_str()).as_ref(), Ok(path));
            assert!(path.parts().all(|part| check_name(part).is_ok()) && path.is_within(&RelPath::root()));
            assert!(path.parent().is_none_or(|parent| path.is_within(&parent)));
            path.composed();
        }
        if check_name(&text).is_ok() {
            let (stem, extension) = split_extension(&text);
            assert_eq!(extension.map_or(stem.to_owned(), |extension| format!("{stem}.{extension}")), text);
            let aside = temporary_name(&text, 3);
            assert!(aside.len() <= 255 && check_name(&aside).is_ok());
            assert!(
                check_name(name_below_temporary(&text, Some("a"))).is_ok()
                    && check_name(&held_here(&text)).is_ok()
            );
            assert!(same(&text, &held_here(&text)) && text.starts_with(cut(&text, 5)));
            assert_eq!(key(&key(&text, true), true), key(&text, true), "folding twice changes nothing more");
            if text.len() < 200 {
                assert_eq!(temporary_origin(&aside), Some(temporary_origin(&text).unwrap_or(&text)));
            }
        }
        format!("{} {} {}", path.is_ok(), check_name(&text).is_ok(), temporary_origin(&text).is_some())
    });
}

#[test]
fn expression() {
    let seeds = [
        r"(.*/)?node_modules(/|$)",
        r".*\.(tmp|bak)$",
        r"Photos/20[12]\d/[^/]*\.jpe?g",
        r"(?i)caf\x{e9}",
        r"a{2,3}b*?",
        r"[[:alpha:]&&[^x]]+",
        r"(?P<n>a|b)(?:c)",
        r"\p{Greek}+",
        "a/b/c\nb/[a-c]",
        "^a.*$\n.*",
    ];
    fuzz("expression", seeds, |bytes| {
        let text = text(bytes);
        let (first, second) = text.split_once('\n').unwrap_or((&text, "a"));
        let (ignore, include) = ([first.to_owned()], [second.to_owned()]);
        let filter = match Filter::compile(&ignore, &include) {
            Ok(filter) => filter,
            Err(ExpressionError { problem, .. }) => {
                assert!(!problem.contains('\n'));
                return problem.chars().take(12).collect();
            }
        };
        let paths =
            ["a", "a/b", "a/b/c", "aab", "Photos/2011/x.jpg", "x/node_modules/y", "caf\u{e9}/b", "\u{3b1}/a"];
        let mut label = String::new();
        for folder in paths {
            let skips = filter.may_skip_subtree(folder);
            label += if skips { "s" } else { "-" };
            label += if filter.takes_part(folder) { "t" } else { "-" };
            assert_eq!(filter.takes_part(folder), filter.verdict(folder).takes_part());
            // Nothing below a folder that is not looked into takes part.
            for below in paths.iter().filter(|_| skips) {
                let path = format!("{folder}/{below}");
                assert!(!filter.takes_part(&path), "{path} takes part, and {folder} is skipped");
            }
        }
        label
    });
}
