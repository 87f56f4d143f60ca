//! `cargo xtask release`: one command changes the version in all files, and makes the commit and
//! the tag.
//!
//! Everything happens in a scratch work tree first. The user's work tree and branch change only at
//! the end, in one step, after the commit and the tag exist.

mod changelog;
mod files;
mod lock;
mod places;
mod repository;
mod version;

use anyhow::{Result, bail};
use jiff::Timestamp;

use self::files::Files;
use self::repository::{Repository, Scratch};
use crate::progress;

/// Arguments of `cargo xtask release`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The new version, such as 0.2.0 or 1.0.0-rc.1; greater than that in Cargo.toml
    version: String,

    /// Release the version that is already in Cargo.toml, if no version has been released so far
    #[arg(long)]
    first: bool,

    /// Print the changes as a diff, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// `cargo xtask release`.
pub(crate) fn command(args: &Args) -> Result<()> {
    let repository = Repository::open()?;
    repository.ensure_clean()?;
    let old = version::parse(&version::in_cargo_toml()?)?;
    let new = version::parse(&args.version)?;
    let tag = format!("v{new}");
    repository.ensure_no_tag(&tag)?;
    if args.first {
        version::ensure_first(&new, &old, &repository.version_tags()?)?;
    } else {
        version::ensure_greater(&new, &old)?;
    }

    let scratch = Scratch::new(&repository)?;
    let mut files = Files::read(scratch.path(), &repository.files()?)?;
    let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let notes = files.change(changelog::PATH, |text| {
        changelog::release(text, &new.to_string(), &today)
    })?;
    places::change_all(&mut files, &old.to_string(), &new.to_string())?;
    files.write(scratch.path())?;
    lock::ensure_accepted(scratch.path())?;

    if args.dry_run {
        print!("{}", scratch.diff()?);
        progress::note(format_args!(
            "would commit these changes as \"Release {new}\" and create the tag {tag}; nothing is \
             changed"
        ));
        return Ok(());
    }
    let commit = scratch.commit(&format!("Release {new}"))?;
    repository.tag(&tag, &commit, &format!("exectrail {new}\n\n{notes}"))?;
    if let Err(error) = repository.fast_forward(&commit) {
        // The tag would belong to a commit on no branch.
        repository.remove_tag(&tag)?;
        bail!("{error:#}\nNothing is changed");
    }
    println!("Release {new}: commit {commit}, tag {tag}");
    progress::note("to publish the commit and the tag: git push --follow-tags");
    Ok(())
}
