//! Writes an image to a file, in docker's format.

use std::path::Path;

use anyhow::Result;

use crate::builder::Builder;
use crate::command;

/// Writes the image `tag` to `file`, under the name `name`.
pub(super) fn write(builder: Builder, tag: &str, name: &str, file: &Path) -> Result<()> {
    match builder {
        Builder::Buildah | Builder::Podman => {
            let to = format!("docker-archive:{}:{name}", file.display());
            let mut push = command::new(builder.program());
            command::output(push.args(["push", "--quiet", tag, &to])).map(drop)
        }
        Builder::Docker => {
            command::output(command::new("docker").args(["tag", tag, name]))?;
            let mut save = command::new("docker");
            let saved = command::output(save.arg("save").arg("--output").arg(file).arg(name));
            let _ = command::output(command::new("docker").args(["rmi", name]));
            saved.map(drop)
        }
    }
}
