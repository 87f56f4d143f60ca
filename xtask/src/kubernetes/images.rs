//! The images of the node, as archives in docker's format, which containerd imports. The node has
//! no way to a registry, so the images have the names that the shipped manifests and containerd's
//! configuration ask for.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::layout::{PAUSE_IMAGE, Run, WORKSPACE_IMAGE, exectrail_image};
use crate::{digest, image};

/// The programs that the script of `templates/plain-yaml/pod.yaml` needs, and some that the
/// checks execute.
const APPLETS: [&str; 8] = [
    "cat", "date", "echo", "readlink", "sh", "sleep", "true", "wget",
];

/// Writes the archives.
pub(super) fn write(run: &Run) -> Result<()> {
    let [exectrail, workspace, pause] = run.images();
    image::archive(&exectrail_image(), &exectrail)?;
    let busybox = run.program("bin/busybox");
    let busybox =
        fs::read(&busybox).with_context(|| format!("cannot read {}", busybox.display()))?;
    archive(&busybox, WORKSPACE_IMAGE, &json!(["sh"]), &workspace)?;
    let forever = json!(["/bin/busybox", "sleep", "infinity"]);
    archive(&busybox, PAUSE_IMAGE, &forever, &pause)
}

/// Writes an image with busybox to `file`; a container of the image runs `command`.
fn archive(busybox: &[u8], name: &str, command: &Value, file: &Path) -> Result<()> {
    let layer = layer(busybox)?;
    let configuration = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest::of(&layer))]},
    });
    let configuration = configuration.to_string().into_bytes();
    let configuration_name = format!("{}.json", digest::of(&configuration));
    let manifest = json!([{
        "Config": configuration_name,
        "RepoTags": [name],
        "Layers": ["layer.tar"],
    }]);
    let created = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let mut archive = Builder::new(created);
    append(&mut archive, &configuration_name, 0o644, &configuration)?;
    append(&mut archive, "layer.tar", 0o644, &layer)?;
    append(
        &mut archive,
        "manifest.json",
        0o644,
        manifest.to_string().as_bytes(),
    )?;
    archive.into_inner()?.sync_all()?;
    Ok(())
}

/// The files of the image.
fn layer(busybox: &[u8]) -> Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    for directory in ["bin/", "tmp/"] {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o1777);
        header.set_size(0);
        layer.append_data(&mut header, directory, &[][..])?;
    }
    append(&mut layer, "bin/busybox", 0o755, busybox)?;
    for applet in APPLETS {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        layer.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    Ok(layer.into_inner()?)
}

fn append(
    archive: &mut Builder<impl std::io::Write>,
    name: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    Ok(archive.append_data(&mut header, name, content)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_archive_refers_to_its_files_by_their_digests() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("image.tar");
        archive(b"program", "example.com/a:1", &json!(["sh"]), &file).unwrap();
        let mut files = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(File::open(&file).unwrap())
            .entries()
            .unwrap()
        {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(name, content);
        }
        let json = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
        let manifest = &json("manifest.json")[0];
        assert_eq!(manifest["RepoTags"][0], "example.com/a:1");
        let configuration = manifest["Config"].as_str().unwrap();
        let content = digest::of(&files[configuration]);
        assert_eq!(configuration, format!("{content}.json"));
        let layer = digest::of(&files["layer.tar"]);
        let named = &json(configuration)["rootfs"]["diff_ids"][0];
        assert_eq!(named, &format!("sha256:{layer}"));
    }
}
