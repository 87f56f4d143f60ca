//! User accounts of the machine.
//!
//! This module runs getent(1) and id(1). A static program must not use the C library for look-ups.
//! The C library would load the machine's NSS modules, which are built for another C library, and
//! the program would crash. If getent and id are missing, as in small images, this module reads the
//! files. Small images have no other source of accounts.

use std::{
    fs,
    io::{self, ErrorKind},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

impl Account {
    /// Parses a line of passwd(5).
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1)?.into();
        let shell = fields.next()?.into();
        Some(Self {
            name,
            uid,
            gid,
            home,
            shell,
        })
    }

    /// Whether the account has this name or number.
    fn is(&self, key: &str) -> bool {
        self.name == key || self.uid.to_string() == key
    }
}

/// The account with this name or number.
///
/// # Errors
/// If getent(1) cannot be started, or is not installed and the file cannot be read.
pub(super) fn account(key: &str) -> io::Result<Option<Account>> {
    // No account has an empty name, a name that begins with `-`, or a name with `:`, a line break
    // or NUL. Some of these texts cannot be passed to getent either: a text with `-` in front is an
    // option, and an argument cannot have NUL.
    if key.is_empty() || key.starts_with('-') || key.contains([':', '\n', '\0']) {
        return Ok(None);
    }
    let lines = match run("getent", &["passwd", key])? {
        // The output is empty if there is no such account.
        Some(output) => text(&output),
        None => fs::read_to_string(PASSWD)?,
    };
    let mut accounts = lines.lines().filter_map(Account::parse);
    Ok(accounts.find(|account| account.is(key)))
}

/// Ids of the account's groups, the primary one first.
///
/// # Errors
/// If id(1) cannot be started or fails, or is not installed and the file cannot be read.
pub(super) fn groups(account: &Account) -> io::Result<Vec<u32>> {
    let mut groups = vec![account.gid];
    let others: Vec<u32> = match run("id", &["-G", &account.name])? {
        Some(output) if !output.status.success() => {
            return Err(io::Error::other(format!(
                "id -G {} failed: {}",
                account.name, output.status
            )));
        }
        Some(output) => text(&output)
            .split_whitespace()
            .flat_map(str::parse)
            .collect(),
        None => fs::read_to_string(GROUP)?
            .lines()
            .filter_map(|line| member_of(line, &account.name))
            .collect(),
    };
    groups.extend(others.into_iter().filter(|group| *group != account.gid));
    Ok(groups)
}

/// The id in a line of group(5), if the user is a member.
fn member_of(line: &str, user: &str) -> Option<u32> {
    let mut fields = line.split(':').skip(2);
    let (gid, members) = (fields.next()?, fields.next()?);
    let is_member = members.split(',').any(|member| member == user);
    is_member.then(|| gid.parse().ok()).flatten()
}

/// Runs a program to its end; `None` if it is not installed.
fn run(program: &str, arguments: &[&str]) -> io::Result<Option<Output>> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match output {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a program has printed.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_passwd_and_group() {
        let alice = Account::parse("alice:x:4001:4002:Alice, A:/home/alice:/bin/zsh").unwrap();
        assert_eq!((alice.uid, alice.gid), (4001, 4002));
        assert_eq!(alice.home, PathBuf::from("/home/alice"));
        assert_eq!(alice.shell, PathBuf::from("/bin/zsh"));
        assert!(alice.is("alice") && alice.is("4001") && !alice.is("4002"));
        assert_eq!(Account::parse("alice:x:many:1::/:/bin/sh"), None);
        assert_eq!(Account::parse("+::::::"), None);
        assert_eq!(member_of("build:x:4010:bob,alice", "alice"), Some(4010));
        assert_eq!(member_of("build:x:4010:bob,malice", "alice"), None);
    }

    #[test]
    fn root_is_everywhere() {
        let root = account("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(account("0").unwrap().unwrap().name, "root");
        assert_eq!(groups(&root).unwrap().first(), Some(&0));
        for nobody in ["", "-s", "root:x", "no such user"] {
            assert_eq!(account(nobody).unwrap(), None, "{nobody:?}");
        }
    }
}
