//! Reads the forms in which a session comes from elsewhere: a browser's cookie file, a line copied as cURL, cookies as JSON,
//! and our own export (`docs/protocol.md` §5.6). Nothing here asks anybody.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::icloud::cookies::ForeignCookie;
use crate::icloud::session::Tokens;

/// A real one has some ten kilobytes.
pub const LARGEST: usize = 1 << 20;

/// A session from elsewhere, not yet believed.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Its cookies.
    pub cookies: Vec<ForeignCookie>,
    /// Tokens, of our own export only.
    pub tokens: Tokens,
    /// The client id, of our own export only.
    pub client_id: Option<String>,
}

/// Our own export.
#[derive(Serialize, Deserialize)]
pub(super) struct Export {
    /// The version of the form.
    pub icloudds_session: u32,
    /// The account's number.
    pub dsid: String,
    /// The client id, which tokens belong to.
    pub client_id: String,
    /// The tokens.
    pub tokens: Tokens,
    /// The cookies.
    pub cookies: Vec<ForeignCookie>,
}

/// The form that [`Export`] has.
pub(super) const EXPORT_VERSION: u32 = 1;

/// Reads any of the forms.
///
/// # Errors
///
/// What is wrong, without a word of what was read.
pub fn read(text: &str) -> Result<Foreign, &'static str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.starts_with('{') || text.starts_with('[') {
        return json(text);
    }
    if text.starts_with("curl ") || text.starts_with("curl.exe ") || header_line(text).is_some() {
        return curl(text);
    }
    netscape(text)
}

fn json(text: &str) -> Result<Foreign, &'static str> {
    let value: Value = serde_json::from_str(text).map_err(|_| "it is no whole JSON")?;
    if value.get("icloudds_session").is_some() {
        let export: Export =
            serde_json::from_value(value).map_err(|_| "members of the export are missing")?;
        if export.icloudds_session != EXPORT_VERSION {
            return Err("another version of icloudds wrote it");
        }
        return Ok(Foreign {
            cookies: export.cookies,
            tokens: export.tokens,
            client_id: Some(export.client_id),
        });
    }
    let list = value.as_array().or_else(|| value.get("cookies")?.as_array()).ok_or("it lists no cookies")?;
    let cookies = list.iter().filter_map(json_cookie).collect();
    Ok(Foreign { cookies, ..Foreign::default() })
}

/// One cookie as extensions of browsers write it.
fn json_cookie(value: &Value) -> Option<ForeignCookie> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let expires =
        ["expirationDate", "expires", "expiry"].into_iter().find_map(|name| value.get(name)?.as_f64());
    Some(ForeignCookie {
        name: text("name")?.to_owned(),
        value: text("value")?.to_owned(),
        domain: text("domain")?.trim_start_matches('.').to_lowercase(),
        // A float of this size is exact; whoever writes another means no date.
        expires: expires.filter(|at| (1.0..1e11).contains(at)).map(|at| at as i64),
    })
}

/// The file that `curl -c`, browsers' extensions and other tools write: seven fields with tabs between them.
fn netscape(text: &str) -> Result<Foreign, &'static str> {
    let mut cookies = Vec::new();
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let [domain, _, _, _, expires, name, value @ ..] = &fields[..] else {
            return Err("it is neither a cookie file, nor a line copied as cURL, nor an export of icloudds");
        };
        cookies.push(ForeignCookie {
            name: (*name).to_owned(),
            value: value.join("\t"),
            domain: domain.trim_start_matches('.').to_lowercase(),
            expires: expires.trim().parse().ok().filter(|at| *at > 0),
        });
    }
    Ok(Foreign { cookies, ..Foreign::default() })
}

/// `curl 'https://…' -H 'Cookie: …'`, as the network view of a browser copies it, or the header alone.
fn curl(text: &str) -> Result<Foreign, &'static str> {
    if let Some(pairs) = header_line(text) {
        return Ok(Foreign { cookies: pairs_of(pairs, "icloud.com"), ..Foreign::default() });
    }
    let words = words(text)?;
    let host = words
        .iter()
        .find_map(|word| url::Url::parse(word).ok()?.host_str().map(str::to_owned))
        .ok_or("the cURL line names no address")?;
    let mut cookies = Vec::new();
    let mut before = "";
    for word in &words {
        match before {
            "-b" | "--cookie" => cookies.extend(pairs_of(word, &host)),
            "-H" | "--header" => {
                cookies.extend(header_line(word).into_iter().flat_map(|pairs| pairs_of(pairs, &host)));
            }
            _ => {}
        }
        before = word;
    }
    Ok(Foreign { cookies, ..Foreign::default() })
}

/// What follows `Cookie:`, where the text is that header.
fn header_line(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once(':')?;
    (name.trim().eq_ignore_ascii_case("cookie") && !rest.contains('\n')).then(|| rest.trim())
}

/// The pairs of a `Cookie` header. Which domain each belongs to it does not tell: what a host of iCloud is sent is taken for
/// all of them.
fn pairs_of(header: &str, host: &str) -> Vec<ForeignCookie> {
    let host = host.to_lowercase();
    let domain = ["icloud.com.cn", "icloud.com"]
        .into_iter()
        .find(|domain| crate::icloud::options::is_below(&host, domain))
        .map_or(host.as_str(), |domain| domain)
        .to_owned();
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .map(|(name, value)| ForeignCookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: domain.clone(),
            expires: None,
        })
        .collect()
}

/// The words of a shell's line: both kinds of quotes, `$'…'`, backslashes, and lines that go on.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    // What browsers copy for the Windows prompt escapes with `^`.
    let text = text.replace("^\"", "\"").replace("^\r\n", " ").replace("^\n", " ");
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\'' => quoted(&mut rest, '\'', false, word.get_or_insert_default())?,
            '"' => quoted(&mut rest, '"', true, word.get_or_insert_default())?,
            '$' if rest.peek() == Some(&'\'') => {
                rest.next();
                quoted(&mut rest, '\'', true, word.get_or_insert_default())?;
            }
            '\\' => match rest.next() {
                Some('\n') | None => {}
                Some('\r') => drop(rest.next_if_eq(&'\n')),
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(
    rest: &mut impl Iterator<Item = char>,
    end: char,
    escapes: bool,
    word: &mut String,
) -> Result<(), &'static str> {
    while let Some(next) = rest.next() {
        match next {
            next if next == end => return Ok(()),
            '\\' if escapes => match rest.next() {
                Some(escaped @ ('\\' | '"' | '\'' | '$' | '`' | '!')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err("a quotation in the cURL line does not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, String)> {
        let foreign = read(text).expect("readable");
        foreign.cookies.into_iter().map(|cookie| (cookie.name, cookie.value, cookie.domain)).collect()
    }

    fn expected(domain: &str) -> Vec<(String, String, String)> {
        [("X-APPLE-WEBAUTH-TOKEN", "\"v=2:t=A=B\""), ("X-APPLE-WEBAUTH-USER", "\"v=1:s=0:d=173\"")]
            .map(|(name, value)| (name.to_owned(), value.to_owned(), domain.to_owned()))
            .to_vec()
    }

    #[test]
    fn a_cookie_file_is_read_with_its_hidden_cookies() {
        let file = "\u{feff}# Netscape HTTP Cookie File\n\n\
            #HttpOnly_.icloud.com\tTRUE\t/\tTRUE\t1893456000\tX-APPLE-WEBAUTH-TOKEN\t\"v=2:t=A=B\"\r\n\
            .iCloud.com\tTRUE\t/\tTRUE\t0\tX-APPLE-WEBAUTH-USER\t\"v=1:s=0:d=173\"\n";
        assert_eq!(pairs(file), expected("icloud.com"));
        let cookies = read(file).expect("readable").cookies;
        assert_eq!((cookies[0].expires, cookies[1].expires), (Some(1_893_456_000), None));
    }

    #[test]
    fn a_line_copied_as_curl_is_read_in_every_quotation() {
        let cookie = "X-APPLE-WEBAUTH-TOKEN=\"v=2:t=A=B\"; X-APPLE-WEBAUTH-USER=\"v=1:s=0:d=173\"";
        let escaped = cookie.replace('"', "\\\"");
        for line in [
            format!(
                "curl 'https://p31-drivews.icloud.com/x?a=1' \\\n  -H 'accept: */*' \\\n  -H 'cookie: {cookie}' --compressed"
            ),
            format!("curl 'https://www.icloud.com/' -b '{cookie}'"),
            format!("curl \"https://setup.icloud.com/setup/ws/1/validate\" --cookie \"{escaped}\""),
            format!("curl $'https://setup.icloud.com/' -H $'Cookie: {escaped}' --data-raw 'null'"),
            format!("Cookie: {cookie}"),
        ] {
            assert_eq!(pairs(&line), expected("icloud.com"), "{line}");
        }
        assert_eq!(
            pairs(&format!("curl 'https://setup.icloud.com.cn/' -b '{cookie}'")),
            expected("icloud.com.cn")
        );
        assert!(read("curl 'https://www.icloud.com/ -b x").is_err());
    }

    #[test]
    fn cookies_as_json_are_read_and_nonsense_is_named_without_being_repeated() {
        let list = r#"[{"name":"X-APPLE-WEBAUTH-TOKEN","value":"\"v=2:t=A=B\"","domain":".icloud.com","expirationDate":1893456000.5},
            {"name":"X-APPLE-WEBAUTH-USER","value":"\"v=1:s=0:d=173\"","domain":".icloud.com","session":true},{"name":1}]"#;
        assert_eq!(pairs(list), expected("icloud.com"));
        assert_eq!(pairs(&format!("{{\"cookies\":{list}}}")), expected("icloud.com"));
        for nonsense in [
            "",
            "hello secret-words",
            "{\"a\":",
            "[1,2",
            "{}",
            r#"{"icloudds_session":1}"#,
            r#"{"icloudds_session":9,"dsid":"1","client_id":"c","tokens":{},"cookies":[]}"#,
        ] {
            let error = read(nonsense).expect_err(nonsense);
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
