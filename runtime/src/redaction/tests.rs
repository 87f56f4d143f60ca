use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// A redactor; the search is built once.
fn redactor(mode: RedactMode) -> Redactor {
    static KNOWN: LazyLock<Redactor> =
        LazyLock::new(|| Redactor::new(RedactMode::Known).unwrap().unwrap());
    Redactor {
        mode,
        ..KNOWN.clone()
    }
}

/// The words with markers, and the rules.
fn redacted(mode: RedactMode, argv: &[&[u8]], cut: bool) -> (Vec<String>, Vec<&'static str>) {
    let redactor = redactor(mode);
    let joined = argv.join(&0);
    let joined = [joined.as_slice(), &[0]].concat();
    let (mut words, mut rules) = (Vec::new(), Vec::new());
    let suspected = redactor.suspects(&joined);
    redactor.words(suspected, argv.iter().copied(), cut, |_, word, spans| {
        let mut into = Vec::new();
        redact(word, spans, &mut into);
        words.push(String::from_utf8_lossy(&into).into_owned());
        rules.extend(spans.iter().map(|span| span.rule));
    });
    (words, rules)
}

fn line(mode: RedactMode, argv: &[&str], cut: bool) -> String {
    let argv: Vec<&[u8]> = argv.iter().map(|word| word.as_bytes()).collect();
    redacted(mode, &argv, cut).0.join(" | ")
}

fn known(argv: &[&str]) -> String {
    line(RedactMode::Known, argv, false)
}

#[test]
fn values_of_options_and_variables() {
    for (argv, expected) in [
        (
            &["x", "--password", "s3"][..],
            "x | --password | [redacted]",
        ),
        (&["x", "--password=s3 s4"], "x | --password=[redacted]"),
        (&["x", "--PassWord=s3"], "x | --PassWord=[redacted]"),
        (&["x", "-storepass", "s3"], "x | -storepass | [redacted]"),
        (
            &["env", "DB_PASSWORD=s 3", "x"],
            "env | DB_PASSWORD=[redacted] | x",
        ),
        (
            &["x", "--password", "--host", "h"],
            "x | --password | --host | h",
        ),
        (&["x", "--password", "-s3"], "x | --password | [redacted]"),
        (&["x", "--password-file", "/f"], "x | --password-file | /f"),
        (&["x", "/password:s3"], "x | /password:[redacted]"),
        (
            &["make", "-p", "token.c", "PWD=/home/x"],
            "make | -p | token.c | PWD=/home/x",
        ),
        (
            &["git", "commit", "-m", "fix password reset"],
            "git | commit | -m | fix password reset",
        ),
    ] {
        assert_eq!(known(argv), expected);
    }
}

#[test]
fn options_of_known_programs() {
    for (argv, expected) in [
        (
            &["mysql", "-uroot", "-ps3", "db"][..],
            "mysql | -uroot | -p[redacted] | db",
        ),
        (
            &["sudo", "/usr/bin/mysql", "-ps3"],
            "sudo | /usr/bin/mysql | -p[redacted]",
        ),
        (
            &["sshpass", "-p", "s3", "ssh", "h"],
            "sshpass | -p | [redacted] | ssh | h",
        ),
        (
            &["curl", "-su", "u:s3", "http://h/"],
            "curl | -su | [redacted] | http://h/",
        ),
        (&["mkdir", "-p", "/a"], "mkdir | -p | /a"),
        (
            &["docker", "run", "-p", "80:80"],
            "docker | run | -p | 80:80",
        ),
        (
            &["docker", "login", "-u", "u", "-p", "s3"],
            "docker | login | -u | u | -p | [redacted]",
        ),
        (&["zip", "-P", "s3", "f"], "zip | -P | [redacted] | f"),
        (
            &["sh", "-c", "cd /x; mysql -ps3 db"],
            "sh | -c | cd /x; mysql -p[redacted] db",
        ),
        (
            &["sh", "-c", "sshpass -p 's 3' ssh h"],
            "sh | -c | sshpass -p '[redacted]' ssh h",
        ),
        (
            &["bash", "-c", "sh -c 'mysql -ps3' && ls"],
            "bash | -c | sh -c 'mysql -p[redacted]' && ls",
        ),
        (
            &["sh", "-c", "curl 'https://h/?a=1&b=2' -u bob:s3; id -u x"],
            "sh | -c | curl 'https://h/?a=1&b=2' -u [redacted]; id -u x",
        ),
        (
            &["sh", "-c", "mysql -e \"select 1;\nselect 2\" -ps3 | wc -pl"],
            "sh | -c | mysql -e \"select 1;\nselect 2\" -p[redacted] | wc -pl",
        ),
        (
            &["sh", "-c", "curl \\\n  -u bob:s3\nid -u x"],
            "sh | -c | curl \\\n  -u [redacted]\nid -u x",
        ),
        (
            &["sh", "-c", "sh -c \"curl 'a;b' -u bob:s3\"; id -u x"],
            "sh | -c | sh -c \"curl 'a;b' -u [redacted]\"; id -u x",
        ),
        (
            &["sh", "-c", "sshpass -p 'a b' ssh h 'cd /x; mysql -ps3'"],
            "sh | -c | sshpass -p '[redacted]' ssh h 'cd /x; mysql -p[redacted]'",
        ),
    ] {
        assert_eq!(known(argv), expected);
    }
}

#[test]
fn headers_urls_and_json() {
    for (argv, expected) in [
        (
            &["curl", "-H", "Authorization: Bearer s3", "x"][..],
            "curl | -H | Authorization: [redacted] | x",
        ),
        (&["curl", "-HX-Api-Key:s3"], "curl | -HX-Api-Key:[redacted]"),
        (
            &["curl", "-H", "Cookie: a=b; c=d"],
            "curl | -H | Cookie: [redacted]",
        ),
        (
            &["x", "Authorization:", "Bearer", "s3"],
            "x | Authorization: | [redacted] | [redacted]",
        ),
        (
            &[
                "sh",
                "-c",
                r#"curl -H "Authorization: Bearer s3" http://h/x"#,
            ],
            r#"sh | -c | curl -H "Authorization: [redacted]" http://h/x"#,
        ),
        (
            &["curl", "-d", r#"{"user":"u","password":"s\"3","x":1}"#],
            r#"curl | -d | {"user":"u","password":"[redacted]","x":1}"#,
        ),
        (
            &["sh", "-c", r#"curl -d "{\"password\": \"s3\"}" h"#],
            r#"sh | -c | curl -d "{\"password\": \"[redacted]\"}" h"#,
        ),
        (
            &["git", "clone", "https://u:s3@h/x"],
            "git | clone | https://[redacted]@h/x",
        ),
        (
            &["git", "clone", "https://s3@h/x"],
            "git | clone | https://[redacted]@h/x",
        ),
        (
            &["git", "clone", "ssh://git@h/x"],
            "git | clone | ssh://git@h/x",
        ),
        (&["lftp", "ftp://u%3as3@h/x"], "lftp | ftp://[redacted]@h/x"),
        (
            &["psql", "postgres://u:s/3@h/d"],
            "psql | postgres://[redacted]@h/d",
        ),
        (
            &["npm", "i", "http://h:80/@s/p"],
            "npm | i | http://h:80/@s/p",
        ),
        (
            &["curl", "https://h/?a=1&access_token=s3&b=2"],
            "curl | https://h/?a=1&access_token=[redacted]&b=2",
        ),
        (
            &["sh", "-c", "TOKEN=s3 make"],
            "sh | -c | TOKEN=[redacted] make",
        ),
        (
            &["sh", "-c", "TOKEN='s 3'x make"],
            "sh | -c | TOKEN='[redacted]'[redacted] make",
        ),
        (
            &["python", "-c", "password = 's 3'"],
            "python | -c | password = '[redacted]'",
        ),
        (
            &["x", r#"["--token", "s3"]"#],
            r#"x | ["--token", "[redacted]"]"#,
        ),
        (
            &["mysql", "-e", "ALTER USER u IDENTIFIED BY 's 3'"],
            "mysql | -e | ALTER USER u IDENTIFIED BY '[redacted]'",
        ),
        (
            &["psql", "-c", "ALTER USER u PASSWORD 's3'"],
            "psql | -c | ALTER USER u PASSWORD '[redacted]'",
        ),
    ] {
        assert_eq!(known(argv), expected);
    }
}

/// One token of each format.
fn tokens() -> Vec<String> {
    let mut tokens: Vec<String> = formats::FORMATS
        .iter()
        .map(|format| {
            let digits = "A1B2C3D4E5F6A7B8".repeat(5);
            format!("{}{digits}", String::from_utf8_lossy(format.prefix))
        })
        .collect();
    tokens.push("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".to_owned());
    tokens
}

#[test]
fn tokens_are_found_anywhere() {
    for token in tokens() {
        for text in [
            token.clone(),
            format!("x={token},y"),
            format!("a {token} b"),
        ] {
            let shown = known(&["echo", &text]);
            assert_eq!(
                shown,
                format!("echo | {}", text.replace(&token, "[redacted]")),
                "{token}"
            );
        }
    }
}

#[test]
fn the_beginning_of_a_token_at_a_cut_is_redacted() {
    for token in tokens() {
        for length in 8.max(token.find(|c: char| c.is_ascii_digit()).unwrap())..token.len() {
            let shown = line(RedactMode::Known, &["echo", &token[..length]], true);
            assert_eq!(shown, "echo | [redacted]", "{token} cut at {length}");
        }
    }
    for (word, shown) in [
        ("https://u:s", "https://[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", "[redacted]"),
        ("--token=s", "--token=[redacted]"),
        ("Bearer s", "Bearer [redacted]"),
    ] {
        assert_eq!(
            line(RedactMode::Known, &["x", word], true),
            format!("x | {shown}")
        );
    }
}

#[test]
fn private_keys_whole_and_in_words() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nMII\nE\n-----END OPENSSH PRIVATE KEY-----";
    assert_eq!(known(&["echo", key, "x"]), "echo | [redacted] | x");
    assert_eq!(
        known(&["echo", &format!("a {key} b")]),
        "echo | a [redacted] b"
    );
    let words: Vec<&str> = std::iter::once("echo")
        .chain(key.split_whitespace())
        .collect();
    let shown = known(&words);
    assert!(!shown.contains("MII"), "{shown}");
    assert!(known(&["echo", "-----BEGIN PUBLIC KEY-----\nMII"]).contains("MII"));
}

#[test]
fn the_mode_values_redacts_what_is_in_the_place_of_a_value() {
    for (argv, expected) in [
        (
            &["gcc", "-o", "out.o", "main.c"][..],
            "gcc | -o | [redacted] | main.c",
        ),
        (
            &["x", "--name=v", "path", "A=b"],
            "x | --name=[redacted] | path | A=[redacted]",
        ),
        (
            &["x", "-a", "-b", "v", "--", "-c", "w"],
            "x | -a | -b | [redacted] | -- | -c | w",
        ),
        (
            &["x", "http://h/?a=1&b=2#f"],
            "x | http://h/?a=[redacted]&b=[redacted]#f",
        ),
        (&["x", "--password", "s"], "x | --password | [redacted]"),
    ] {
        assert_eq!(line(RedactMode::Values, argv, false), expected);
    }
}

#[test]
fn a_word_with_very_many_secrets_is_redacted_to_its_end() {
    let word = "token=s3 ".repeat(10_000);
    let (words, rules) = redacted(RedactMode::Known, &[b"sh", b"-c", word.as_bytes()], false);
    assert!(!words[2].contains("s3"), "a secret was shown");
    // 1,024 (`spans::MAX_SPANS`), and one for the rest of the word.
    assert_eq!(rules.len(), 1_025);
    assert!(words[2].len() < word.len() + 11 * 1_025);
}

proptest! {
    /// Each of [`FORMS`], between arbitrary words.
    #[test]
    fn a_secret_is_never_shown(
        secret in "[A-Za-z0-9]{24,40}",
        form in 0usize..FORMS.len(),
        before in prop::collection::vec(prop::collection::vec(1u8.., 0..20), 0..4),
        after in prop::collection::vec(prop::collection::vec(1u8.., 0..20), 0..4),
        mode in prop_oneof![Just(RedactMode::Known), Just(RedactMode::Values)],
    ) {
        let secret = format!("Zq9{secret}");
        let planted: Vec<String> = FORMS[form].iter().map(|word| word.replace("SECRET", &secret))
            .collect();
        let argv: Vec<&[u8]> = before.iter().map(Vec::as_slice)
            .chain(planted.iter().map(String::as_bytes))
            .chain(after.iter().map(Vec::as_slice))
            .collect();
        let (words, _) = redacted(mode, &argv, false);
        prop_assert!(!words.join(" ").contains(&secret), "{words:?}");
    }

    #[test]
    fn spans_are_in_the_word_and_in_order(
        words in prop::collection::vec(prop::collection::vec(1u8.., 0..60), 0..6),
        cut in any::<bool>(),
    ) {
        let redactor = redactor(RedactMode::Values);
        redactor.words(true, words.iter().map(Vec::as_slice), cut, |_, word, spans| {
            let mut end = 0;
            for span in spans {
                assert!(end <= span.start && span.start < span.end && span.end <= word.len());
                end = span.end;
            }
        });
    }
}

/// Examples of the supported forms, as words.
const FORMS: [&[&str]; 22] = [
    &["--password", "SECRET"],
    &["--password=SECRET"],
    &["--TOKEN=SECRET"],
    &["API_KEY=SECRET"],
    &["mysql", "-pSECRET"],
    &["sshpass", "-p", "SECRET"],
    &["curl", "-u", "user:SECRET"],
    &["-H", "Authorization: Bearer SECRET"],
    &["-HX-Api-Key: SECRET"],
    &["Cookie: session=SECRET"],
    &["https://user:SECRET@host/path"],
    &["https://host/?access_token=SECRET&x=1"],
    &[
        "sh",
        "-c",
        "curl -H \"Authorization: Bearer SECRET\" http://h/",
    ],
    &["sh", "-c", "mysql -pSECRET db"],
    &["{\"password\":\"SECRET\"}"],
    &["{\\\"password\\\":\\\"SECRET\\\"}"],
    &["ghp_SECRET"],
    &["x=glpat-SECRET"],
    &["xoxb-1-SECRET"],
    &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SECRET"],
    &["-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----"],
    &["psql", "-c", "ALTER USER u PASSWORD 'SECRET'"],
];
