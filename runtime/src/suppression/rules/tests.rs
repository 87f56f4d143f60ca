use proptest::prelude::*;

use super::*;

fn rule(text: &str) -> Rule {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn rules(include: &[&str], exclude: &[&str]) -> Rules {
    let parsed = |texts: &[&str]| texts.iter().map(|text| rule(text)).collect();
    Rules::new(parsed(include), parsed(exclude)).unwrap()
}

#[test]
fn what_is_a_rule() {
    let whole = |field, text: &str| Rule(Pattern::Whole(field, text.into()));
    let prefix = |field, text: &str| Rule(Pattern::Prefix(field, text.into()));
    assert_eq!(
        rule("filename=/bin/git"),
        whole(Field::Filename, "/bin/git")
    );
    assert_eq!(rule("filename=/a=b"), whole(Field::Filename, "/a=b"));
    assert_eq!(
        rule("filename=/usr/lib/*"),
        prefix(Field::Filename, "/usr/lib/")
    );
    assert_eq!(rule("filename=../x"), whole(Field::Filename, "../x"));
    assert_eq!(rule("comm=make"), whole(Field::Comm, "make"));
    assert_eq!(rule("comm=*"), prefix(Field::Comm, ""));
    assert_eq!(rule("uid=4294967294"), Rule(Pattern::Uid(u32::MAX - 1)));
    assert_eq!(rule(r"filename=/a\x2c/b"), whole(Field::Filename, "/a,/b"));
    assert_eq!(
        rule(r"filename=/a\\b\x2a*"),
        prefix(Field::Filename, "/a\\b*")
    );
    assert_eq!(rule(r"comm=\xc3\xa9"), whole(Field::Comm, "é"));
    let suffix = |text: &str| Rule(Pattern::Suffix(text.into()));
    assert_eq!(rule("filename=*/git"), suffix("/git"));
    assert_eq!(rule(r"filename=*/bin/a\x3f"), suffix("/bin/a?"));
}

#[test]
fn what_is_not_says_why() {
    let refused = |text: &str| text.parse::<Rule>().unwrap_err();
    for text in ["", "git", "=git", "filename=", "path=/bin/git", "Comm=x"] {
        assert!(matches!(refused(text), RuleError::Form(_)), "{text:?}");
    }
    for text in [
        "filename=/usr/*/git",
        "comm=**",
        "filename=*git",
        "filename=*/git*",
        "filename=**/git",
        "comm=*/git",
    ] {
        assert!(matches!(refused(text), RuleError::Star(_)), "{text:?}");
    }
    for text in [
        "uid=root",
        "uid=1*",
        "uid=*",
        "uid=-1",
        "uid=+1",
        "uid=4294967295",
        "uid=4294967296",
    ] {
        assert!(matches!(refused(text), RuleError::Uid(_)), "{text:?}");
    }
    assert!(matches!(refused("filename=/a/../*"), RuleError::LeadsUp(_)));
    let several = refused("filename=/bin/git,/bin/tar");
    assert!(matches!(several, RuleError::Several(_)));
    for text in ["filename=/bin/tr?e", "filename=/bin/t[ar]*", "comm=g?t"] {
        assert!(matches!(refused(text), RuleError::Wildcard(_)), "{text:?}");
    }
    for text in ["filename=git", "filename=git*"] {
        let error = refused(text);
        assert!(matches!(error, RuleError::NoDirectory(..)), "{text:?}");
        assert!(error.to_string().contains("/usr/bin/git"), "{error}");
    }
    assert!(matches!(refused("comm=/bin/sh"), RuleError::CommPath(..)));
    rule("filename=/usr/bin/[");
    rule("filename=/tmp/a,b");
    rule(r"comm=kworker\x2f0:1");
    rule("filename=/bin/a b");
    rule("filename=/tmp/{a}");
    let long = format!("filename=/{}", "a".repeat(MAX_FILENAME_PATTERN));
    assert!(matches!(refused(&long), RuleError::LongFilename(_)));
    rule(&long[..long.len() - 1]);
    let long = format!("filename=*/{}", "a".repeat(MAX_SUFFIX));
    assert!(matches!(refused(&long), RuleError::LongSuffix(_)));
    rule(&long[..long.len() - 1]);
    let error = refused("comm=exectrail-preflight");
    assert!(
        error.to_string().ends_with("write comm=exectrail-prefl"),
        "{error}"
    );
    rule("comm=exectrail-prefl*");
    // The kernel cuts in the middle of the é.
    let error = refused("comm=fourteen_bytesé").to_string();
    assert!(error.ends_with("write comm=fourteen_bytes*"), "{error}");
}

#[test]
fn what_can_never_match_is_refused_with_the_remedy() {
    for (text, remedy) in [
        (
            "filename=\"/bin/x\"",
            r"leave them out. In a name they are written \x22",
        ),
        ("filename= /bin/x", "leave them out"),
        ("filename=/bin/x ", "leave them out"),
        ("comm='sh'", "leave them out"),
        ("filename=~/x", "write the whole path"),
        ("filename=$HOME/x", "write the whole path"),
        ("filename=/home/${USER}/x", r"\x24"),
        (
            "filename=/bin/{a,b}",
            r"write a rule for each path, or a prefix",
        ),
        ("filename=/bin/a\\*", "after a backslash only"),
        ("filename=/bin/a\\ b", "after a backslash only"),
        ("filename=/usr/bin/", "write filename=/usr/bin/*"),
        ("filename=/a /b", "write a rule for each"),
        ("filename=/a, /b", "write a rule for each"),
        ("filename=/a;/b", r"a semicolon \x3b"),
        ("comm=a,b", "write a rule for each"),
        ("comm=./sh", "write comm=sh"),
        ("comm=bin/sh", "write comm=sh"),
        ("comm=/bin/", "write comm=bin"),
        ("comm=/", "write comm=NAME"),
        ("uid=4294967295", "no user for the kernel"),
        ("filename=*/bin/", "write the last names"),
        ("filename=*/a,/b", "write a rule for each"),
        ("comm=a\0", "control character"),
        ("filename=/a\ncomm=b", "one per flag"),
        (r"comm=\x00", "UTF-8 without NUL"),
        (r"comm=\xff", "UTF-8 without NUL"),
    ] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains(remedy), "{text:?}: {error}");
    }
}

#[test]
fn an_error_quotes_only_the_beginning_of_a_long_value() {
    let long = "x".repeat(120_000);
    for text in [
        long.clone(),
        format!("comm={long}"),
        format!("filename={long}"),
        format!("uid={long}"),
        format!("comm=/{long}"),
    ] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.len() < 1_000, "{} bytes", error.len());
    }
}

#[test]
fn rules_that_make_no_sense_together() {
    assert_eq!(
        Rules::new(vec![rule("uid=0")], vec![]),
        Err(RuleError::OnlyIncludes)
    );
    let many = vec![rule("uid=0"); MAX_RULES];
    assert!(Rules::new(vec![], many.clone()).is_ok());
    assert_eq!(
        Rules::new(vec![rule("uid=1")], many),
        Err(RuleError::TooMany(MAX_RULES + 1))
    );
}

#[test]
fn without_rules_all_is_zero_except_everything() {
    let expected = RuleSet {
        everything: NO_RULE,
        ..RuleSet::default()
    };
    assert_eq!(Rules::default().for_probes(), expected);
}

#[test]
fn the_longest_pattern_knows_of_the_shorter_ones() {
    let rules = rules(
        &["filename=/usr/lib/git/*"],
        &[
            "filename=/usr/*",
            "filename=/usr/lib/*",
            "filename=/usr/lib/x",
            "filename=/usr/../x",
        ],
    );
    let first = |bytes: &[u8]| {
        let entries = rules.texts(Field::Filename);
        let entry = entries.iter().find(|entry| entry.bytes == bytes).unwrap();
        (entry.matched.first, entry.matched.prefix)
    };
    assert_eq!(first(b"/usr/lib/git/"), (0, 1));
    assert_eq!(first(b"/usr/"), (1, 1));
    assert_eq!(first(b"/usr/lib/"), (1, 1));
    assert_eq!(first(b"/usr/lib/x\0"), (1, 0));
    // `/usr/*` does not match this one.
    assert_eq!(first(b"/usr/../x\0"), (4, 0));
}

/// The result of the kernel's LPM trie: the longest pattern that is a prefix of `text` with its
/// NUL.
fn longest<'a>(entries: &'a [Entry], text: &str) -> Option<&'a Entry> {
    let text = [text.as_bytes(), b"\0"].concat();
    entries
        .iter()
        .filter(|entry| text.starts_with(&entry.bytes))
        .max_by_key(|entry| entry.bytes.len())
}

/// The result of `probes-ebpf/src/rules.rs`.
fn looked_up(rules: &Rules, filename: &str, comm: &str, uid: u32) -> u32 {
    let first_exclude = rules.for_probes().first_exclude;
    let text = |field, text: &str| {
        let entries = rules.texts(field);
        let Some(Entry { matched, .. }) = longest(&entries, text) else {
            return NO_RULE;
        };
        let leads_up = field == Field::Filename && text.contains("/..");
        if leads_up && matched.prefix != 0 && matched.first >= first_exclude {
            return NO_RULE;
        }
        matched.first
    };
    let by_uid = rules
        .uids()
        .iter()
        .find(|(own, _)| *own == uid)
        .map_or(NO_RULE, |(_, matched)| matched.first);
    let backwards: Vec<u8> = filename.bytes().rev().collect();
    let by_suffix = rules
        .suffixes()
        .into_iter()
        .filter(|entry| backwards.starts_with(&entry.bytes))
        .max_by_key(|entry| entry.bytes.len())
        .map_or(NO_RULE, |entry| entry.matched.first);
    rules
        .for_probes()
        .everything
        .min(text(Field::Filename, filename))
        .min(text(Field::Comm, comm))
        .min(by_suffix)
        .min(by_uid)
}

/// The result of checking the rules one after another.
fn walked(rules: &Rules, filename: &str, comm: &str, uid: u32) -> u32 {
    let of = |field: &Field| match field {
        Field::Filename => filename,
        Field::Comm => comm,
        Field::Uid => unreachable!("uids are numbers"),
    };
    let leads_up = filename.contains("/..");
    rules
        .first(|number, pattern| match pattern {
            Pattern::Whole(field, text) => of(field) == text,
            Pattern::Prefix(_, text) if text.is_empty() => true,
            Pattern::Prefix(Field::Filename, _) if leads_up && number >= rules.includes => false,
            Pattern::Prefix(field, text) => of(field).starts_with(text),
            Pattern::Suffix(text) => filename.ends_with(text.as_str()),
            Pattern::Uid(own) => *own == uid,
        })
        .unwrap_or(NO_RULE)
}

/// Only a few letters, so that patterns overlap.
fn any_rule() -> impl Strategy<Value = Rule> {
    let text = prop_oneof![
        (
            "filename=/((a|b|/|\\.\\.){0,3}\\*|(a|b|/|\\.\\.){0,2}[ab])",
            Just(())
        ),
        ("comm=[ab]{1,3}\\*?", Just(())),
        ("uid=[0-3]", Just(())),
        ("filename=\\*/[ab/]{0,2}[ab]", Just(())),
        ("(filename|comm)=\\*", Just(())),
    ];
    // A prefix with `/..` is refused.
    text.prop_filter_map("no rule", |(text, ())| text.parse().ok())
}

proptest! {
    #[test]
    fn look_ups_find_what_reading_the_rules_finds(
        include in prop::collection::vec(any_rule(), 0..5),
        exclude in prop::collection::vec(any_rule(), 1..8),
        filename in "/?(a|b|/|\\.\\.){0,4}",
        comm in "[ab]{0,4}",
        uid in 0u32..5,
    ) {
        let rules = Rules::new(include, exclude).unwrap();
        prop_assert_eq!(
            looked_up(&rules, &filename, &comm, uid),
            walked(&rules, &filename, &comm, uid)
        );
    }

    /// Any name can be written, whatever characters it has.
    #[test]
    fn every_name_can_be_written(
            name in "[^\0]{1,8}",
            path in "[^\0]{0,8}",
            star in any::<bool>(),
        ) {
        for (field, value) in [(Field::Comm, name), (Field::Filename, format!("/{path}"))] {
            let value = value.chars().take(3).collect::<String>();
            let whole = !(star || field == Field::Filename && value.ends_with('/'));
            prop_assume!(whole || !value.contains("/.."));
            let rule = Rule(if whole {
                Pattern::Whole(field, value)
            } else {
                Pattern::Prefix(field, value)
            });
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }

    #[test]
    fn a_rule_is_its_text(rule in any_rule()) {
        prop_assert_eq!(rule.to_string().parse(), Ok(rule));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", value in "\\PC*") {
        let of = |field: &str| format!("{field}={value}");
        for text in [&text, &of("filename"), &of("comm"), &of("uid")] {
            match text.parse::<Rule>() {
                Ok(rule) => prop_assert_eq!(&rule.to_string().parse::<Rule>().unwrap(), &rule),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
