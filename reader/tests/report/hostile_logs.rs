//! The page shows hostile text of a log only as text.

use serde_json::json;

use crate::page::open;

/// Hostile arguments, which could act as markup or as control codes of a terminal, and unusual
/// ones.
fn words() -> Vec<String> {
    let long = "x".repeat(100 * 1024);
    [
        "</script><script>document.title='changed'</script>",
        "<img src=x onerror=\"document.title='changed'\">",
        "</title><style>*{display:none}</style>",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{202e}txt.exe\u{2066}",
        "שלום عالم",
        "a\nb\r\tc\u{9b}31m",
        "\\u{1b}",
        "${alert(1)}`'\"&amp;",
        "",
        &long,
        "a\u{ad}\u{e0041}\u{fff9}b",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A log with these arguments, and with hostile text in its other keys.
fn log() -> String {
    let bad = "</script><script>document.title='changed'</script>\u{202e}\u{1b}[2J";
    let exec = json!({
        "filename": bad, "argv": words(), "pid": 7, "start": 1, "ppid": 1, "ns_ppid": 0,
        "exe": format!("/tmp/{bad}"), "comm": bad, "cwd": bad, "__proto__": {"a": bad}, bad: bad,
    });
    let labels = json!({"username": bad, "workspace_name": bad});
    let line = |number: u64, msg: &str, more: serde_json::Value| {
        let mut fields = more;
        fields["labels"] = labels.clone();
        fields["run"] = json!(bad);
        fields["line"] = json!(number);
        let time = format!("2026-11-24T04:04:0{number}.000000000Z");
        format!(r#"{{"ts":"{time}","level":"INFO","msg":"{msg}","fields":{fields}}}"#) + "\n"
    };
    let start = json!({"previous_run": {"run": bad, "gap_ns": 60_000_000_000_u64}});
    let lost = json!({"count": u64::MAX, "of": bad, "since": bad, "until": "9999-99-99"});
    [
        line(0, "tracing_started", start),
        line(
            1,
            "exec",
            json!({"cmdline": words().join(" "), "event": exec}),
        ),
        line(2, "lost", lost),
        "{\"ts\":\"half".to_owned(),
    ]
    .concat()
}

#[test]
fn a_hostile_argv_is_shown_exactly_and_changes_nothing() {
    let mut page = open!(&log());
    assert_eq!(page.value("document.title"), "What was executed");
    page.click("#exec-0");
    page.wait_text("#argv", "txt.exe");
    let shown =
        page.value("[...document.querySelectorAll('#argv li')].map((li) => li.textContent)");
    let shown: Vec<&str> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w.as_str().unwrap())
        .collect();
    let words = words();
    assert_eq!(shown.len(), words.len());
    let escaped = [
        (3, "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
        (4, "\\u{202e}txt.exe\\u{2066}"),
        (6, "a\\u{a}b\\u{d}\\u{9}c\\u{9b}31m"),
        (11, "a\\u{ad}\\u{e0041}\\u{fff9}b"),
    ];
    // A long argument is not shown whole.
    for (at, word) in words.iter().enumerate().filter(|(at, _)| *at != 10) {
        let escaped = escaped.iter().find(|(number, _)| *number == at);
        assert_eq!(shown[at], escaped.map_or(word.as_str(), |(_, text)| text));
    }
    // The page marks an escape that it makes. It does not mark the same characters of an argument.
    let marked = page.value("document.querySelectorAll('#argv li:nth-child(8) .escape').length");
    assert_eq!(marked, 0);
    let marked = page.value("document.querySelectorAll('#argv li:nth-child(4) .escape').length");
    assert_eq!(marked, 3);
    // A click shows the rest of a long argument.
    assert!(shown[10].len() < 5_000 && shown[10].ends_with("98,400 more characters"));
    page.value("document.querySelector('#argv .more').click()");
    let long = page.value("document.querySelector('#argv li:nth-child(11)').textContent.length");
    assert_eq!(long, 100 * 1024);
    // Every tab has a row, and the hostile text has added no element to the page.
    for tab in 0..6 {
        page.click(&format!("#tab-{tab}"));
        page.wait("document.querySelector('[role=tabpanel]:not([hidden]) .row')");
    }
    for element in [
        "img",
        "style:nth-of-type(2)",
        "script:not([type]):nth-of-type(2)",
    ] {
        let found = page.value(&format!(
            "document.body.querySelectorAll({element:?}).length"
        ));
        assert_eq!(found, 0, "{element}");
    }
    assert_eq!(page.value("document.title"), "What was executed");
    let seen = page
        .value("/[\\u0000-\\u0008\\u001b\\u202a-\\u202e\\u2066]/.test(document.body.innerText)");
    assert_eq!(seen, false);
    page.end();
}

#[test]
fn elements_that_are_put_into_the_page_load_and_run_nothing() {
    let mut page = open!(&log());
    let policy = page.value("document.querySelector('meta[http-equiv]').content");
    assert!(
        policy.as_str().unwrap().starts_with("default-src 'none';"),
        "{policy}"
    );
    page.value(
        "document.body.insertAdjacentHTML('beforeend',\
         '<img src=\"https://example.invalid/x\" onerror=\"window.ran = 1\">');\
         document.body.append(Object.assign(document.createElement('script'),\
         {textContent: 'window.ran = 2'}))",
    );
    let fetched =
        page.value("fetch('https://example.invalid/').then(() => 'sent', () => 'refused')");
    assert_eq!(fetched, "refused");
    assert_eq!(page.value("window.ran ?? 'did not run'"), "did not run");
}
