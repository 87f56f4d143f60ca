//! The answers to the questions of docs/reading-the-log.md, for the log of `log.rs`.

/// The answer to one question.
pub(crate) struct Answer {
    /// The heading of the question.
    pub(crate) question: &'static str,
    /// The rows that jq, DuckDB and ClickHouse return, with `|` between fields. They must return no
    /// other row.
    pub(crate) rows: &'static [&'static str],
    /// Texts that `exectrail-log` must show.
    pub(crate) shown: &'static [&'static str],
    /// Texts of lines that nearly match, which `exectrail-log` must not show.
    pub(crate) hidden: &'static [&'static str],
}

pub(crate) const ANSWERS: [Answer; 10] = [
    Answer {
        question: "1. Who ran this program?",
        rows: &[
            "2026-11-23 08:00:03.000000001|jessie|apache|/usr/bin/curl|/usr/bin/curl -H X: \
             \u{fffd}[31m\u{fffd}'; DROP TABLE lines; --\u{fffd}two\u{fffd}lines",
            "2026-11-24 10:00:06.000000003|robin|nginx|/home/robin/bin/curl|curl -T key",
        ],
        shown: &["DROP TABLE lines", "curl -T key"],
        hidden: &["not-curl"],
    },
    Answer {
        question: "2. What did this process start?",
        rows: &[
            "2026-11-24 09:00:03.000000002|1|201|2100|/usr/bin/sudo id",
            "2026-11-24 09:00:04.000000002|2|202|2200|/usr/bin/id",
            "2026-11-24 09:00:05.000000002|1|101|2300|/usr/bin/make all",
            "2026-11-24 09:00:06.000000002|2|203|2400|/usr/bin/cc -c main.c",
            "2026-11-24 09:00:07.000000002|3|204|2500|payload",
            "2026-11-24 09:00:08.000000002|4|205|2600|/tmp/gone",
            "2026-11-24 09:00:10.000000002|1|206|2700|/usr/bin/echo begin",
        ],
        shown: &[
            "/usr/bin/make all",
            "cc -c main.c",
            "payload",
            "/tmp/gone",
            "sudo id",
        ],
        // robin's shell starts both programs on another node. This shell has the process id and
        // start of jessie's make.
        hidden: &["git push", "uname"],
    },
    Answer {
        question: "3. What ran as root?",
        rows: &[
            "2026-11-24 09:00:03.000000002|jessie|apache|1000|0|1000|/usr/bin/sudo id",
            "2026-11-24 09:00:04.000000002|jessie|apache|0|0|0|/usr/bin/id",
            "2026-11-24 10:00:07.000000003|robin|nginx|100000|100000|0|/usr/bin/apt update",
        ],
        shown: &["/usr/bin/sudo id", "/usr/bin/id", "apt update"],
        hidden: &["uname", "make"],
    },
    Answer {
        question: "4. What entered from outside?",
        rows: &["2026-11-24 09:00:02.000000002|jessie|apache|200|2000|/usr/bin/bash -l"],
        shown: &["/usr/bin/bash -l"],
        hidden: &["robin", "sudo"],
    },
    Answer {
        question: "5. What is missing?",
        rows: &[
            "aaaaaaaaaaa1|lines missing|2026-11-23 08:00:04.000000001|\
             2026-11-23 08:00:06.000000001|1",
            "aaaaaaaaaaa1|lost exec|2026-11-23 08:00:04.000000001|2026-11-23 08:00:06.000000001|3",
            "aaaaaaaaaaa1|no end: running, killed or cut|2026-11-23 08:00:07.000000001||",
            "aaaaaaaaaaa2|not recorded before|2026-11-23 08:00:07.000000001|\
             2026-11-24 09:00:00.000000002|",
            "aaaaaaaaaaa2|suppressed exec|2026-11-24 09:00:02.000000002|\
             2026-11-24 09:00:11.000000002|7",
            "bbbbbbbbbbb1|no end: running, killed or cut|2026-11-24 10:00:07.000000003||",
        ],
        shown: &[
            "lines 5 to 5 of the run are missing",
            "3 lost",
            "7 suppressed",
        ],
        hidden: &[],
    },
    Answer {
        question: "6. What is new since yesterday?",
        rows: &[
            "/usr/bin/sudo|2026-11-24 09:00:03.000000002|1|1",
            "/usr/bin/id|2026-11-24 09:00:04.000000002|1|1",
            "/usr/bin/make|2026-11-24 09:00:05.000000002|1|1",
            "/usr/bin/cc|2026-11-24 09:00:06.000000002|1|1",
            "memfd:payload|2026-11-24 09:00:07.000000002|1|1",
            "/tmp/gone|2026-11-24 09:00:08.000000002|1|1",
            "/usr/bin/echo|2026-11-24 09:00:10.000000002|1|1",
            "/usr/bin/git|2026-11-24 10:00:03.000000003|1|1",
            "/opt/not-curl|2026-11-24 10:00:05.000000003|1|1",
            "/home/robin/bin/curl|2026-11-24 10:00:06.000000003|1|1",
            "/usr/bin/apt|2026-11-24 10:00:07.000000003|1|1",
        ],
        shown: &["/usr/bin/make\n", "memfd:payload", "/home/robin/bin/curl"],
        hidden: &["/usr/bin/bash", "/usr/bin/curl\n", "uname"],
    },
    Answer {
        question: "7. Which execs failed most?",
        rows: &["/usr/local/bin/make|ENOENT|2|1", "/etc/shadow|EACCES|1|1"],
        shown: &[
            "2 * failed: ENOENT /usr/local/bin/make",
            "1 * failed: EACCES /etc/shadow",
        ],
        hidden: &["make all"],
    },
    Answer {
        question: "8. Which programs ran from memory or from deleted files?",
        rows: &[
            "2026-11-24 09:00:07.000000002|jessie|apache|memory|memfd:payload|payload",
            "2026-11-24 09:00:08.000000002|jessie|apache|deleted|/tmp/gone|/tmp/gone",
        ],
        shown: &["payload", "/tmp/gone"],
        hidden: &["make", "robin"],
    },
    Answer {
        question: "9. What did each user execute most?",
        rows: &[
            "jessie|apache|/usr/bin/bash|2",
            "jessie|apache|/usr/bin/uname|2",
            "jessie|apache|/tmp/gone|1",
            "jessie|apache|/usr/bin/cc|1",
            "jessie|apache|/usr/bin/curl|1",
            "jessie|apache|/usr/bin/echo|1",
            "jessie|apache|/usr/bin/id|1",
            "jessie|apache|/usr/bin/make|1",
            "jessie|apache|/usr/bin/sudo|1",
            "jessie|apache|memfd:payload|1",
            "robin|nginx|/home/robin/bin/curl|1",
            "robin|nginx|/opt/not-curl|1",
            "robin|nginx|/usr/bin/apt|1",
            "robin|nginx|/usr/bin/bash|1",
            "robin|nginx|/usr/bin/git|1",
            "robin|nginx|/usr/bin/uname|1",
        ],
        shown: &["jessie", "/usr/bin/uname", "/home/robin/bin/curl"],
        hidden: &["/etc/shadow"],
    },
    Answer {
        question: "10. Whose user differs from its parent's?",
        rows: &[
            "2026-11-24 09:00:03.000000002|jessie|apache|1000|1000|1000|0|/usr/bin/bash -l|\
             /usr/bin/sudo id",
            "2026-11-24 09:00:04.000000002|jessie|apache|1000|0|0|0|/usr/bin/sudo id|/usr/bin/id",
            "2026-11-24 10:00:07.000000003|robin|nginx|101000|101000|100000|100000|/usr/bin/bash|\
             /usr/bin/apt update",
        ],
        shown: &["/usr/bin/sudo id"],
        hidden: &["make", "git push"],
    },
];
