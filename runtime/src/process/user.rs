//! The user of a command, if the command gets another user than this process: the user of `--user`,
//! or sudo's caller.

use std::{env, io, path::PathBuf, process::Command};

use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

use super::accounts::{self, Account};

/// Variables in which sudo describes its caller and its command. A command that runs as that caller
/// does not run under sudo, so these variables are removed.
const SUDO: [&str; 4] = ["SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_COMMAND"];

/// Why the command cannot run as another user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    #[error("there is no user {name:?} (--user)")]
    Unknown { name: String },
    #[error("{variable}={value:?} is not a number; unset it, or name a user (--user)")]
    NoNumber {
        variable: &'static str,
        value: String,
    },
    #[error(
        "SUDO_UID is {uid}, which is no user here, and SUDO_GID is not set: set it, or name a user \
         (--user)"
    )]
    NoGroup { uid: u32 },
    #[error("cannot look up the user {name:?}: {source}")]
    LookUp { name: String, source: io::Error },
    #[error("cannot switch to the user {name:?}: {source}")]
    Become {
        name: String,
        source: nix::errno::Errno,
    },
}

/// A user that this process can become.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    /// Home directory and shell; `None` for a user without an entry.
    entry: Option<(PathBuf, PathBuf)>,
}

/// The user of the command: the user of `--user`, otherwise sudo's caller; `None` if the command
/// keeps this process's user.
pub(crate) fn wanted(user: Option<&str>) -> Result<Option<Identity>, UserError> {
    let identity = match user {
        Some(name) => Some(named(name)?),
        None => sudo_caller()?,
    };
    Ok(identity.filter(|identity| identity.uid != geteuid()))
}

/// A user by name, otherwise by number.
fn named(name: &str) -> Result<Identity, UserError> {
    match look_up(name)? {
        Some(account) => Identity::of(account),
        None => Err(UserError::Unknown {
            name: name.to_owned(),
        }),
    }
}

fn look_up(name: &str) -> Result<Option<Account>, UserError> {
    accounts::account(name).map_err(|source| UserError::LookUp {
        name: name.to_owned(),
        source,
    })
}

/// The number in a variable that sudo sets; `None` if it is unset or empty. Other text is an error:
/// if it meant "not under sudo", the command would run as root.
fn number(variable: &'static str) -> Result<Option<u32>, UserError> {
    let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let value = value.to_string_lossy();
    match value.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(UserError::NoNumber {
            variable,
            value: value.into_owned(),
        }),
    }
}

/// The user who called sudo. If the user's entry cannot be read here (as with a directory service),
/// sudo's variables describe the user, and `SUDO_GID` is needed.
fn sudo_caller() -> Result<Option<Identity>, UserError> {
    let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
    let Some(uid) = uid else {
        return Ok(None);
    };
    if let Ok(Some(account)) = look_up(&uid.to_string())
        && account.uid == uid
    {
        return Identity::of(account).map(Some);
    }
    let gid = Gid::from_raw(gid.ok_or(UserError::NoGroup { uid })?);
    Ok(Some(Identity {
        name: env::var("SUDO_USER").unwrap_or_else(|_| uid.to_string()),
        uid: Uid::from_raw(uid),
        gid,
        groups: vec![gid],
        entry: None,
    }))
}

impl Identity {
    fn of(account: Account) -> Result<Self, UserError> {
        let groups = accounts::groups(&account).map_err(|source| UserError::LookUp {
            name: account.name.clone(),
            source,
        })?;
        Ok(Self {
            groups: groups.into_iter().map(Gid::from_raw).collect(),
            uid: Uid::from_raw(account.uid),
            gid: Gid::from_raw(account.gid),
            entry: Some((account.home, account.shell)),
            name: account.name,
        })
    }

    /// Becomes the user, permanently.
    pub(crate) fn assume(&self) -> Result<(), UserError> {
        setgroups(&self.groups)
            .and_then(|()| setgid(self.gid))
            .and_then(|()| setuid(self.uid))
            .map_err(|source| UserError::Become {
                name: self.name.clone(),
                source,
            })
    }

    /// Sets the variables that describe the command's user, and removes those that no longer apply.
    /// All other variables stay.
    pub(crate) fn describe_in(&self, command: &mut Command) {
        command.env("USER", &self.name).env("LOGNAME", &self.name);
        match &self.entry {
            Some((home, shell)) => command.env("HOME", home).env("SHELL", shell),
            None => command.env_remove("HOME").env_remove("SHELL"),
        };
        // MAIL belongs to the previous user.
        command.env_remove("MAIL");
        if env::var("SUDO_UID").ok().as_deref() == Some(&self.uid.to_string()) {
            for variable in SUDO {
                command.env_remove(variable);
            }
        }
    }
}
