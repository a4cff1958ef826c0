//! The page's files, inside the binary. They are the same for everybody and say nothing of anybody.

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub path: &'static str,
    pub content_type: &'static str,
    pub text: &'static str,
}

/// The page itself.
pub(super) const PAGE: File =
    File { path: "/", content_type: "text/html; charset=utf-8", text: include_str!("page/page.html") };

/// What is shown in its place to who has not given the token yet.
pub(super) const SIGN_IN: File =
    File { path: "/", content_type: "text/html; charset=utf-8", text: include_str!("page/sign-in.html") };

/// What they load.
pub(super) const FILES: [File; 5] = [
    File { path: "/page.css", content_type: "text/css; charset=utf-8", text: include_str!("page/page.css") },
    File { path: "/page.js", content_type: SCRIPT, text: include_str!("page/page.js") },
    File { path: "/words.js", content_type: SCRIPT, text: include_str!("page/words.js") },
    File { path: "/sign-in.js", content_type: SCRIPT, text: include_str!("page/sign-in.js") },
    File { path: "/icon.svg", content_type: "image/svg+xml", text: include_str!("page/icon.svg") },
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_from_elsewhere_and_no_script_or_style_stands_in_the_page() {
        for file in FILES.iter().chain([&PAGE, &SIGN_IN]) {
            let text = file.text;
            let outside = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !outside.contains("http://") && !outside.contains("https://") && !outside.contains("url("),
                "{}",
                file.path
            );
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                " style=",
                " onclick",
            ] {
                assert!(!text.contains(forbidden), "{} has {forbidden}", file.path);
            }
        }
        for page in [&PAGE, &SIGN_IN] {
            for tag in page.text.split("<script").skip(1) {
                assert!(tag.starts_with(" src=\"/") && tag.contains("></script>"), "{tag}");
            }
            assert!(!page.text.contains("<style"), "{}", page.text);
            for named in page.text.split(" src=\"").chain(page.text.split(" href=\"")).skip(1) {
                let name = named.split('"').next().unwrap_or_default();
                let known = FILES.iter().any(|file| file.path == name) || name.starts_with('#');
                assert!(known || !name.starts_with('/'), "{name} is not there");
            }
        }
    }
}
