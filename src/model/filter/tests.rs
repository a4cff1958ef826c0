use super::*;
use proptest::prelude::*;
use regex_automata::Input;

fn filter(ignore: &[&str], include: &[&str]) -> Filter {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    Filter::compile(&owned(ignore), &owned(include)).expect("the expressions of this test compile")
}

fn problem(expression: &str) -> String {
    match Filter::compile(&[expression.to_owned()], &[]) {
        Ok(_) => panic!("{expression} was accepted"),
        Err(error) => error.problem,
    }
}

#[test]
fn what_the_crate_lacks_or_reads_differently_is_named_with_its_replacement() {
    for (expression, construct, replacement) in [
        (r"foo(?=bar)", "look-ahead (`(?=…)`)", "`include`"),
        (r"foo(?!bar)", "look-ahead (`(?!…)`)", "`include`"),
        (r"(?<=a)b", "look-behind (`(?<=…)`)", "`include`"),
        (r"(?<!a)b", "look-behind (`(?<!…)`)", "`include`"),
        (r"(a)\1", r"back-reference `\1`", "write the repeated text out"),
        (r"(?P<n>a)(?P=n)", "back-reference `(?P=…)`", "write the repeated text out"),
        (r"foo\Z", r"`\Z`", r"`\z`"),
        (r"{", "literal `{`", r"`\{`"),
        (r"a{", "literal `{`", r"`\{`"),
        (r"a{b}", "literal `{`", r"`\{`"),
        (r"a{}", "literal `{`", r"`\{`"),
        (r"a{1", "literal `{`", r"`\{`"),
        (r"a{1,b}", "literal `{`", r"`\{`"),
        (r"a{,2}", "`{,n}`", "`{0,n}`"),
        (r"a{,}", "literal `{`", r"`\{`"),
        (r"a{ 1 }", "literal `{`", r"`\{`"),
        (r"x|{a", "literal `{`", r"`\{`"),
        (r"\b{start}a", "literal `{`", r"`\{`"),
        (r"\b{foo", "literal `{`", r"`\{`"),
        (r"a*+", "possessive", "leave the last `+` out"),
        (r"a++", "possessive", "leave the last `+` out"),
        (r"a?+", "possessive", "leave the last `+` out"),
        (r"a{2}+", "possessive", "leave the last `+` out"),
        (r"a**", "the quantifier `*` follows another one", "group"),
        (r"\<a", r"`\<`", "`<`"),
        (r"a\>", r"`\>`", "`>`"),
        (r"[a&&b]", "`&&` inside a class", r"`\&`"),
        (r"[a--b]", "`--` inside a class", r"`\-`"),
        (r"[--a]", "`--` inside a class", r"`\-`"),
        (r"[a~~b]", "`~~` inside a class", r"`\~`"),
        (r"[a[b]]", "`[` inside a class", r"`\[`"),
        (r"[[:alpha:]]", "`[` inside a class", r"`\[`"),
        (r"[[]", "`[` is not closed", r"`\[`"),
        (r"(?>a)", "atomic group", "`(?:…)`"),
        (r"(a)?(?(1)b|c)", "conditional group", "alternatives"),
        (r"(?#note)a", "comment", "leave it out"),
        (r"(?x) a b", "flag `x`", "without it"),
        (r"(?x: a b )", "flag `x`", "without it"),
        (r"*.txt", "nothing for `*` to repeat", ""),
        (r"a\y", r"the escape `\y` is not known", "without the backslash"),
        (r"(?:a{1000}){1000}", "size limit", ""),
        (r"a)|(b", "unopened group", ""),
        (r"\", "incomplete escape", ""),
    ] {
        let problem = problem(expression);
        assert!(problem.contains(construct), "{expression}: {problem}");
        assert!(problem.contains(replacement), "{expression}: {problem}");
        assert!(!problem.contains('\n'), "{expression}: {problem}");
    }
}

#[test]
fn an_expression_that_would_take_very_much_memory_is_refused_and_not_shown_whole() {
    let longest = "a".repeat(16 << 10);
    assert!(Filter::compile(&[], std::slice::from_ref(&longest)).is_ok());
    let error = Filter::compile(&[], &[longest + "b"]).expect_err("it is too long").to_string();
    assert!(error.contains("it is 16385 bytes long") && error.contains("several expressions"), "{error}");
    assert!(error.starts_with("include[0] = \"aaa") && error.len() < 500, "{error}");
}

#[test]
fn groups_do_not_make_an_expression_take_memory_out_of_proportion() {
    // With a word boundary, a text beyond ASCII is left to the engine that keeps what each group captured for each state.
    let groups = format!(r"\B{}", "(<n>a|b)*".repeat(900));
    let filter = Filter::compile(&[], &[groups]).expect("an expression");
    let all = filter.any_including.iter().chain(filter.include.iter().map(|expression| &expression.regex));
    for regex in all {
        let mut cache = regex.create_cache();
        assert!(regex.search_half_with(&mut cache, &Input::new("\u{e9}/b")).is_none());
        let used = cache.memory_usage();
        assert!(used < 4 << 20, "{used} bytes");
    }
}

#[test]
fn what_both_read_alike_is_accepted() {
    for expression in [
        r"a{2}",
        r"a{2,}",
        r"a{2,3}?",
        r"a*?",
        r"[-a]",
        r"[a-]",
        r"[]a]",
        r"[^]a]",
        r"[a\-\-b]",
        r"[\--a]",
        r"[&~-]",
        r"\{",
        r"\.",
        r"\-",
        r"\ ",
        r"(?i)a",
        r"(?:a|b)",
        r"(?P<n>a)",
        r"\d\w\s\b",
        r"a$",
        r"a\z",
        "ü",
        r"[a-zä]",
        r"\x41",
        r"\u0041",
        "}",
        "",
    ] {
        filter(&[expression], &[]);
    }
}

#[test]
fn the_refused_expression_is_named_by_list_and_place() {
    let error = Filter::compile(&["ok".into()], &["ok".into(), "(".into()]).unwrap_err();
    assert_eq!((error.list, error.index, error.expression.as_str()), (List::Include, 1, "("));
    assert_eq!(error.to_string(), r#"include[1] = "(": unclosed group"#);
}

#[test]
fn expressions_are_anchored_at_the_start_as_a_whole_and_open_at_the_end() {
    let filter = filter(&["a|b"], &[]);
    for (path, takes_part) in
        [("a", false), ("b", false), ("ab", false), ("b/c", false), ("xa", true), ("x/b", true)]
    {
        assert_eq!(filter.takes_part(path), takes_part, "{path}");
    }
}

#[test]
fn expressions_that_cannot_be_asked_in_one_go_are_asked_one_by_one() {
    // Both name their group alike, which one expression may not do twice.
    let filter = filter(&["(?P<n>a)", "(?P<n>b)"], &[]);
    assert_eq!(["a", "b", "c"].map(|path| filter.takes_part(path)), [false, false, true]);
}

#[test]
fn ignore_comes_before_include_and_built_in_before_both() {
    let filter = filter(&[r".*\.tmp$"], &["docs", "pics/.*"]);
    for (path, verdict) in [
        ("docs/a.txt", FilterMatch::TakesPart { include: Some("docs") }),
        ("docs/a.tmp", FilterMatch::Ignored { expression: r".*\.tmp$" }),
        ("docs/.DS_Store", FilterMatch::BuiltIn { expression: BUILT_IN[1] }),
        ("a.com-apple-bird1", FilterMatch::BuiltIn { expression: BUILT_IN[0] }),
        (".icloudds", FilterMatch::BuiltIn { expression: BUILT_IN[2] }),
        ("a/.icloudds/tmp/x", FilterMatch::BuiltIn { expression: BUILT_IN[2] }),
        ("a\nb/.icloudds", FilterMatch::BuiltIn { expression: BUILT_IN[2] }),
        ("pics", FilterMatch::NotIncluded),
        ("pics/a.jpg", FilterMatch::TakesPart { include: Some("pics/.*") }),
        (".icloudds.txt", FilterMatch::NotIncluded),
    ] {
        assert_eq!(filter.verdict(path), verdict, "{path:?}");
    }
    assert_eq!(Filter::built_in().verdict(".icloudds.txt"), FilterMatch::TakesPart { include: None });
}

#[test]
fn paths_and_expressions_meet_in_nfc() {
    for expression in ["u\u{308}ber", "\u{fc}ber", "[\u{fc}x]ber", "[u\u{308}x]ber"] {
        let filter = filter(&[expression], &[]);
        for path in ["u\u{308}ber", "\u{fc}ber/x"] {
            assert!(!filter.takes_part(path), "{expression:?} {path:?}");
            assert!(!filter.verdict(path).takes_part(), "{expression:?} {path:?}");
        }
    }
}

#[test]
fn each_path_is_decided_by_itself() {
    let filter = filter(&["foo$"], &[]);
    assert!(!filter.takes_part("foo"));
    assert!(filter.takes_part("foo/bar"));
    assert!(!filter.may_skip_subtree("foo"));
}

#[test]
fn a_folder_is_skipped_unread_only_when_nothing_below_can_take_part() {
    for (ignore, include, folder, skipped) in [
        (&["foo"][..], &[][..], "foo", true),
        (&["foo"], &[], "foobar", true),
        (&["foo.*"], &[], "foo", true),
        (&[".*/cache"], &[], "a/cache", true),
        (&["foo$"], &[], "foo", false),
        (&[r"foo\z"], &[], "foo", false),
        (&[r"foo\b"], &[], "foo", false), // true in fact, but not proven: costs a listing, loses nothing
        (&["foo(/|$)"], &[], "foo", true),
        (&["foo$", "foo/"], &[], "foo", true),
        (&["foo$", "foo/a"], &[], "foo", false),
        (&["foo(?m:$)"], &[], "foo", false),
        (&["foo[^/]*$"], &[], "foo", false),
        (&["foo/"], &[], "foo", false), // the folder itself takes part
        (&[], &[], ".icloudds", true),
        (&[], &[], "a/.icloudds", true),
        (&[], &[], "x.com-apple-bird", true),
        (&["foo"], &["foo/bar"], "foo", true), // ignore decides before include
        (&["foo$"], &["foo/bar"], "foo", false),
        (&[], &["docs/"], "pics", true),
        (&[], &["docs/"], "docs", false),
        (&[], &["docs/a/b"], "docs/a", false),
        (&[], &["docs/a/b"], "docs/x", true),
        (&[], &[r".*\.txt"], "pics", false),
        (&[], &[r"[^/]*\.txt"], "pics", true),
        (&["pics/"], &[r".*\.txt"], "pics", true), // not included itself, and all below is ignored
        (&[], &[r"\bdocs\b"], "pics", true),
        (&[], &[r"\w+\b/x"], "bücher", false),
        (&[], &[r"\w+\b/x/y"], "bücher/z", false), // true in fact, but a doubt is a no
        (&[], &["docs$"], "docs/x", true),
        (&[], &[], "", false),
        (&[".*"], &[], "", false),
    ] {
        let filter = filter(ignore, include);
        assert_eq!(
            filter.may_skip_subtree(folder),
            skipped,
            "ignore {ignore:?} include {include:?} at {folder:?}"
        );
    }
}

#[test]
fn an_expression_that_is_too_large_to_be_followed_is_taken_to_reach_everywhere() {
    for (expression, is_followed) in [("docsa{3}", true), ("docsa{100000}", false)] {
        assert_eq!(filter(&[], &[expression]).may_skip_subtree("pics"), is_followed, "{expression}");
    }
}

/// Expressions over a small alphabet, so that random paths meet them often.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a", "b", "/", "a/b", ".", ".*", "[^/]*", "$", r"\z", r"\b", r"\B", "^", "(?m:$)", "(?m:^)",
        "(?mR:$)", "\n", "",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..3).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            inner.clone().prop_map(|part| format!("(?:{part})*")),
            inner.prop_map(|part| format!("(?:{part})?")),
        ]
    })
}

/// Every path of one to three parts over a few names that the expressions above can tell apart.
fn all_paths() -> Vec<String> {
    let names = ["a", "b", "ab", "-", "a\n", "\nb", "é"];
    let mut paths: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut start = 0;
    for _ in 0..2 {
        let end = paths.len();
        for at in start..end {
            for name in names {
                paths.push(format!("{}/{name}", paths[at]));
            }
        }
        start = end;
    }
    paths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_below_a_skipped_folder_takes_part(
        ignore in prop::collection::vec(expression(), 0..3),
        include in prop::collection::vec(expression(), 0..3),
    ) {
        // Some combinations are refused, which is not what is tried here.
        let Ok(filter) = Filter::compile(&ignore, &include) else { return Ok(()) };
        let paths = all_paths();
        for folder in paths.iter().filter(|folder| filter.may_skip_subtree(folder)) {
            prop_assert!(!filter.takes_part(folder), "{folder:?} takes part itself");
            let below = format!("{folder}/");
            for path in paths.iter().filter(|path| path.starts_with(&below)) {
                prop_assert!(!filter.takes_part(path), "{path:?} takes part below the skipped {folder:?}");
            }
        }
    }

    #[test]
    fn asked_in_one_go_the_answer_is_the_verdict(
        ignore in prop::collection::vec(expression(), 0..4),
        include in prop::collection::vec(expression(), 0..4),
    ) {
        let Ok(filter) = Filter::compile(&ignore, &include) else { return Ok(()) };
        for path in all_paths() {
            prop_assert_eq!(filter.takes_part(&path), filter.verdict(&path).takes_part(), "{:?}", path);
        }
    }

    #[test]
    fn no_expression_makes_it_panic(expression in any::<String>(), path in any::<String>()) {
        if let Ok(filter) = Filter::compile(&[expression], &[]) {
            filter.may_skip_subtree(&path);
        }
    }
}
