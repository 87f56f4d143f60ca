//! Programs whose short options take a secret.

/// A program, or several with the same options.
#[derive(Debug)]
pub(super) struct Program {
    names: &'static [&'static [u8]],
    /// Letters whose value is a secret.
    secret: &'static [u8],
    /// Whether the value may be the next word; otherwise it follows the letter directly.
    separate: bool,
    /// Letters that take another value, so that no letter follows them. A letter that takes a value
    /// in only some of the programs is not here. In the other programs, what follows it may be the
    /// letter of a secret.
    valued: &'static [u8],
    /// Whole options whose value is a secret: the next word, or what follows `=`. Only options that
    /// end with `:`, and `-hp`, can have their value directly after them.
    whole: &'static [&'static [u8]],
    /// The options count only after this word.
    pub(super) after: Option<&'static [u8]>,
}

const NONE: Program = Program {
    names: &[],
    secret: b"",
    separate: true,
    valued: b"",
    whole: &[],
    after: None,
};

/// The programs.
static PROGRAMS: [Program; 15] = [
    Program {
        names: &[
            b"mysql",
            b"mysqldump",
            b"mysqladmin",
            b"mysqlimport",
            b"mysqlshow",
            b"mysqlcheck",
            b"mysqlpump",
            b"mysqlslap",
            b"mysqlbinlog",
            b"mysqlsh",
            b"mariadb",
            b"mariadb-dump",
            b"mariadb-admin",
            b"mariadb-import",
            b"mariadb-show",
            b"mariadb-check",
        ],
        secret: b"p",
        separate: false,
        valued: b"DOPSehu",
        ..NONE
    },
    Program {
        names: &[b"sshpass"],
        secret: b"p",
        valued: b"fdP",
        ..NONE
    },
    Program {
        names: &[b"redis-cli", b"valkey-cli", b"redis-benchmark"],
        secret: b"a",
        valued: b"hpsunirXdD",
        ..NONE
    },
    Program {
        names: &[
            b"mongo",
            b"mongosh",
            b"mongodump",
            b"mongorestore",
            b"mongoexport",
            b"mongoimport",
            b"mongostat",
            b"mongotop",
            b"mongofiles",
            b"cqlsh",
        ],
        secret: b"p",
        valued: b"uhdcfekoqtl",
        ..NONE
    },
    Program {
        names: &[b"sqlcmd", b"bcp", b"tsql", b"osql"],
        secret: b"PZz",
        valued: b"SUdHiQqo",
        ..NONE
    },
    Program {
        names: &[
            b"ldapsearch",
            b"ldapadd",
            b"ldapmodify",
            b"ldapdelete",
            b"ldapwhoami",
            b"ldappasswd",
            b"ldapcompare",
            b"ldapmodrdn",
            b"ldapexop",
        ],
        secret: b"was",
        valued: b"DHhpbfdoOPRUXYyel",
        ..NONE
    },
    Program {
        names: &[b"smbclient", b"rpcclient", b"smbget", b"smbmap", b"net"],
        secret: b"UA",
        valued: b"IpdWnOscL",
        whole: &[b"--user"],
        ..NONE
    },
    Program {
        names: &[b"curl"],
        secret: b"uUbE",
        valued: b"AcCdDeFhHKmoPQrtTwxXyYz",
        whole: &[
            b"--user",
            b"--proxy-user",
            b"--cookie",
            b"--cert",
            b"--proxy-cert",
        ],
        ..NONE
    },
    Program {
        names: &[b"http", b"https", b"httpie", b"xh", b"xhs"],
        secret: b"a",
        valued: b"Aops",
        ..NONE
    },
    Program {
        names: &[
            b"docker", b"podman", b"nerdctl", b"buildah", b"skopeo", b"helm", b"oras", b"crane",
            b"az", b"oc", b"argocd", b"regctl", b"cf",
        ],
        secret: b"p",
        valued: b"u",
        after: Some(b"login"),
        ..NONE
    },
    Program {
        names: &[b"zip", b"unzip", b"zipcloak"],
        secret: b"P",
        valued: b"x",
        ..NONE
    },
    Program {
        names: &[b"7z", b"7za", b"7zr", b"7zz", b"rar", b"unrar"],
        secret: b"p",
        separate: false,
        whole: &[b"-hp"],
        valued: b"omtvwxiasrc",
        ..NONE
    },
    Program {
        names: &[b"plink", b"pscp", b"psftp", b"putty"],
        whole: &[b"-pw"],
        ..NONE
    },
    Program {
        names: &[b"openssl"],
        whole: &[b"-k", b"-K", b"-pass"],
        ..NONE
    },
    Program {
        names: &[
            b"xfreerdp",
            b"wlfreerdp",
            b"sdl-freerdp",
            b"rdesktop",
            b"useradd",
            b"usermod",
        ],
        secret: b"p",
        valued: b"udncegGs",
        whole: &[b"/p:", b"/gp:"],
        ..NONE
    },
];

/// Texts by which the text search notices these programs.
pub(super) const FRAGMENTS: [&str; 20] = [
    "mysql",
    "mariadb",
    "sshpass",
    "redis-",
    "valkey",
    "mongo",
    "cqlsh",
    "sqlcmd",
    "osql",
    "ldap",
    "smb",
    "rpcclient",
    "curl",
    "login",
    "openssl",
    "plink",
    "pscp",
    "freerdp",
    "rdesktop",
    "psftp",
];

/// Programs with short names: the search finds these only at the end of a word.
pub(super) const SHORT: [&str; 19] = [
    "bcp", "tsql", "http", "https", "httpie", "xh", "xhs", "zip", "unzip", "zipcloak", "7z", "7za",
    "7zr", "7zz", "rar", "putty", "usermod", "useradd", "net",
];

/// The rule of secrets in options of known programs.
pub(super) const RULE: &str = "program";

/// Where an option of a program has its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// No secret.
    No,
    /// The rest of the word from here on is a secret.
    From(usize),
    /// The next word is a secret.
    Next,
}

impl Program {
    /// The program that `word` names, with or without a directory.
    pub(super) fn named(word: &[u8]) -> Option<&'static Self> {
        let name = word.rsplit(|byte| *byte == b'/').next()?;
        let name = name.strip_suffix(b".exe").unwrap_or(name);
        if name.len() > 20 {
            return None;
        }
        PROGRAMS
            .iter()
            .find(|program| program.names.contains(&name))
    }

    /// Where the secret is, if `word` is an option of this program.
    pub(super) fn option(&self, word: &[u8]) -> Secret {
        for option in self.whole {
            if word == *option {
                return Secret::Next;
            }
            let Some(rest) = word.strip_prefix(*option) else {
                continue;
            };
            if option.ends_with(b":") || *option == b"-hp" {
                return Secret::From(option.len());
            }
            if rest.starts_with(b"=") {
                return Secret::From(option.len() + 1);
            }
        }
        let Some((b'-', letters)) = word.split_first() else {
            return Secret::No;
        };
        if letters.first() == Some(&b'-') {
            return Secret::No;
        }
        for (index, letter) in letters.iter().enumerate() {
            if self.secret.contains(letter) {
                let from = index + 2;
                return match (from < word.len(), self.separate) {
                    (true, _) => Secret::From(from),
                    (false, true) => Secret::Next,
                    (false, false) => Secret::No,
                };
            }
            if self.valued.contains(letter) || !letter.is_ascii_alphanumeric() {
                break;
            }
        }
        Secret::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(program: &str, word: &str) -> Secret {
        Program::named(program.as_bytes())
            .unwrap()
            .option(word.as_bytes())
    }

    #[test]
    fn options_of_known_programs() {
        assert_eq!(option("mysql", "-psecret"), Secret::From(2));
        assert_eq!(option("/usr/bin/mysql", "-p"), Secret::No);
        assert_eq!(option("mysql", "-uroot-p"), Secret::No);
        assert_eq!(option("mysql", "-hprod"), Secret::No);
        assert_eq!(option("mysql", "-eselect x.p"), Secret::No);
        assert_eq!(option("mysql", "-BNpX"), Secret::From(4));
        assert_eq!(option("mysqldump", "-AdpX"), Secret::From(4));
        assert_eq!(option("redis-cli", "-xa"), Secret::Next);
        assert_eq!(option("unzip", "-nPX"), Secret::From(3));
        assert_eq!(option("zip", "-drP"), Secret::Next);
        assert_eq!(option("http", "-ca"), Secret::Next);
        assert_eq!(option("sshpass", "-p"), Secret::Next);
        assert_eq!(option("sshpass", "-vpX"), Secret::From(3));
        assert_eq!(option("curl", "-su"), Secret::Next);
        assert_eq!(option("curl", "-sSuuser:pass"), Secret::From(4));
        assert_eq!(option("curl", "-ofile-u"), Secret::No);
        assert_eq!(option("curl", "--user"), Secret::Next);
        assert_eq!(option("curl", "--user=u:p"), Secret::From(7));
        assert_eq!(option("curl", "--user-agent=x"), Secret::No);
        assert_eq!(option("plink", "-pw"), Secret::Next);
        assert_eq!(option("rar", "-hpX"), Secret::From(3));
        assert_eq!(option("xfreerdp", "/p:X"), Secret::From(3));
        assert!(Program::named(b"mkdir").is_none());
    }

    /// The search finds each program: by a part of its name, by its end, or by the word after it.
    #[test]
    fn no_program_is_overlooked() {
        for program in &PROGRAMS {
            let names = program
                .names
                .iter()
                .map(|name| str::from_utf8(name).unwrap());
            let after = program.after.map(|word| str::from_utf8(word).unwrap());
            for name in names {
                let is_found = FRAGMENTS
                    .iter()
                    .any(|part| name.contains(part) || after == Some(part))
                    || SHORT.iter().any(|end| name.ends_with(end));
                assert!(is_found, "{name}");
            }
        }
    }
}
