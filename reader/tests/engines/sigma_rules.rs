//! Sigma rules for the tests. Each rule lists the execs of the log that it matches. Most rules
//! nearly match other execs.

/// A rule.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// YAML of `detection`, in one line.
    pub(crate) detection: &'static str,
    /// The first words of the command lines that the rule matches.
    pub(crate) matches: &'static [&'static str],
}

const CURL: &str = "/usr/bin/curl";
const SUDO: &str = "/usr/bin/sudo";

pub(crate) const RULES: [Rule; 20] = [
    Rule {
        name: "equal: not /home/robin/bin/curl",
        detection: "{s: {Image: /usr/bin/curl}, condition: s}",
        matches: &[CURL],
    },
    Rule {
        name: "endswith: not /opt/not-curl",
        detection: "{s: {Image|endswith: /curl}, condition: s}",
        matches: &[CURL, "curl"],
    },
    Rule {
        name: "startswith: not memfd:payload",
        detection: "{s: {Image|startswith: /opt/}, condition: s}",
        matches: &["/opt/not-curl"],
    },
    Rule {
        name: "contains: underscore and percent are no wildcards",
        detection: "{s: {CommandLine|contains: [main_c, m%c]}, condition: s}",
        matches: &[],
    },
    Rule {
        name: "contains",
        detection: "{s: {CommandLine|contains: main.c}, condition: s}",
        matches: &["/usr/bin/cc"],
    },
    Rule {
        name: "contains|all: `uname -a` and `make all` have no -r",
        detection: "{s: {CommandLine|contains|all: [a, -r]}, condition: s}",
        matches: &["/usr/bin/uname"],
    },
    Rule {
        name: "re: case counts",
        detection: r"{s: {CommandLine|re: 'X: .*DROP \w+ lines'}, condition: s}",
        matches: &[CURL],
    },
    Rule {
        name: "re: lower case does not match",
        detection: r"{s: {CommandLine|re: 'drop \w+ lines'}, condition: s}",
        matches: &[],
    },
    Rule {
        name: "re|i",
        detection: r"{s: {CommandLine|re|i: 'drop \w+ lines'}, condition: s}",
        matches: &[CURL],
    },
    Rule {
        name: "re: a dot matches no line break",
        detection: "{s: {CommandLine|re: 'two.lines'}, condition: s}",
        matches: &[],
    },
    Rule {
        name: "not",
        detection: "{s: {Image|endswith: /curl}, f: {CommandLine|contains: -T}, \
                    condition: s and not f}",
        matches: &[CURL],
    },
    Rule {
        name: "not, on a key that the line does not have",
        detection: "{s: {Image|endswith: /curl}, f: {CurrentDirectory: /home/robin/bin}, \
                    condition: s and not f}",
        matches: &[CURL],
    },
    Rule {
        name: "1 of",
        detection: "{s_a: {Image|endswith: /git}, s_b: {Image|endswith: /apt}, \
                    condition: 1 of s_*}",
        matches: &["/usr/bin/apt", "/usr/bin/git"],
    },
    Rule {
        name: "all of",
        detection: "{s_a: {Image|endswith: /id}, s_b: {User: root}, condition: all of s_*}",
        matches: &["/usr/bin/id"],
    },
    Rule {
        name: "keywords",
        detection: "{keywords: [DROP TABLE, update], condition: keywords}",
        matches: &[CURL, "/usr/bin/apt"],
    },
    Rule {
        name: "null: the parent of /usr/bin/curl and of sudo is known",
        detection: "{s: {Image|endswith: [/curl, /sudo]}, n: {ParentImage: null}, \
                    condition: s and n}",
        matches: &["curl"],
    },
    Rule {
        name: "parent",
        detection: "{s: {ParentImage|endswith: /bash, Image|endswith: /sudo}, condition: s}",
        matches: &[SUDO],
    },
    Rule {
        name: "wildcards: one character, or any",
        detection: "{s: {Image: ['/usr/bin/?d', '/tmp/*ne']}, condition: s}",
        matches: &["/tmp/gone", "/usr/bin/id"],
    },
    Rule {
        name: "case is ignored",
        detection: "{s: {Image: /USR/bin/CC, CommandLine|contains: MAIN}, condition: s}",
        matches: &["/usr/bin/cc"],
    },
    Rule {
        name: "cased",
        detection: "{s: {Image|endswith|cased: [/CC, /make]}, condition: s}",
        matches: &["/usr/bin/make"],
    },
];

/// Rules that cannot be translated, each with a text that the error must contain.
pub(crate) const REFUSED: [(&str, &str); 5] = [
    ("{s: {Hashes|contains: 'MD5=1'}, condition: s}", "Hashes"),
    (
        "{s: {Image: /bin/a}, f: {LogonId: 1}, condition: s and not f}",
        "LogonId",
    ),
    ("{s: {User: www-data}, condition: s}", "User"),
    (
        "{s: {CommandLine|cidr: 10.0.0.0/8}, condition: s}",
        "address",
    ),
    ("{s: {Image|fieldref: ParentImage}, condition: s}", "field"),
];
