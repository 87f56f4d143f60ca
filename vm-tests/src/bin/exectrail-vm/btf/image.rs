//! The BTF in a kernel's image. A PC's image contains the compressed kernel. An ARM board's image
//! is the kernel itself, or an EFI program that contains the compressed kernel.

use std::{
    io::Write as _,
    ops::Range,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};

/// The beginning of `btf_header` (include/uapi/linux/btf.h): magic, version, flags, and the length
/// of the header.
const BTF_START: [u8; 8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0];

/// The bytes of the kernel's BTF.
pub(super) fn btf(image: &[u8]) -> Result<Vec<u8>> {
    let kernel = match packed(image)? {
        Some((bytes, compression)) => unpacked(bytes, compression)?,
        None => image.to_vec(),
    };
    let range = find(&kernel).context("the kernel's image has no BTF")?;
    Ok(kernel[range].to_vec())
}

/// How the kernel in an image is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Lz4,
    Xz,
    Zstd,
}

impl Compression {
    fn of(bytes: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 4] = [
            (&[0x1f, 0x8b], Self::Gzip),
            (&[0x02, 0x21, 0x4c, 0x18], Self::Lz4),
            (&[0xfd, b'7', b'z', b'X', b'Z'], Self::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd),
        ];
        let found = known.iter().find(|(start, _)| bytes.starts_with(start))?;
        Some(found.1)
    }

    /// The program that decompresses it; its package has the same name, except for xz-utils.
    fn program(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// The compressed kernel in an image; `None` if the image is the kernel.
fn packed(image: &[u8]) -> Result<Option<(&[u8], Compression)>> {
    let packed = if image.get(0x202..0x206) == Some(b"HdrS") {
        // Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length.
        let sectors = match image.get(0x1f1) {
            Some(0) | None => 4,
            Some(sectors) => usize::from(*sectors),
        };
        let start = (sectors + 1) * 512 + number(image, 0x248)?;
        slice(image, start, number(image, 0x24c)?)?
    } else if image.get(4..8) == Some(b"zimg") {
        // drivers/firmware/efi/libstub/zboot-header.S: offset and length of the payload.
        slice(image, number(image, 8)?, number(image, 12)?)?
    } else {
        return Ok(None);
    };
    let compression = Compression::of(packed).with_context(|| {
        let start = packed.get(..8).unwrap_or(packed);
        format!("the kernel is compressed in a way that is not known: it begins with {start:x?}")
    })?;
    Ok(Some((packed, compression)))
}

fn number(image: &[u8], at: usize) -> Result<usize> {
    let bytes = slice(image, at, 4)?;
    Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
}

fn slice(image: &[u8], start: usize, length: usize) -> Result<&[u8]> {
    let end = start.saturating_add(length);
    image.get(start..end).with_context(|| {
        format!(
            "the image of {} bytes ends before {start} + {length}",
            image.len()
        )
    })
}

/// Decompresses bytes with a program.
fn unpacked(bytes: &[u8], compression: Compression) -> Result<Vec<u8>> {
    let program = compression.program();
    let mut child = Command::new(program)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!("cannot start {program}; `cargo xtask setup --tests` installs it")
        })?;
    let mut input = child.stdin.take().context("no standard input")?;
    let bytes = bytes.to_vec();
    // The kernel's build appends the unpacked length to the payload. The programs do not know of
    // this length, and report an error after they have written everything.
    let feeder = thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    let fed = feeder.join();
    if output.stdout.is_empty() {
        bail!(
            "{program} cannot unpack the kernel: {}, {fed:?}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(output.stdout)
}

/// Range of the BTF: the longest range that begins with a header that fits the bytes after it. An
/// ELF file names this range as the section `.BTF`, but an ARM image has no sections.
fn find(kernel: &[u8]) -> Option<Range<usize>> {
    let mut best: Option<Range<usize>> = None;
    let mut from = 0;
    while let Some(at) = position(kernel.get(from..)?, &BTF_START) {
        let start = from + at;
        if let Ok(length) = length(&kernel[start..])
            && best.as_ref().is_none_or(|best| best.len() < length)
        {
            best = Some(start..start + length);
        }
        from = start + 1;
    }
    best
}

/// The length of the BTF at the beginning of `bytes`.
fn length(bytes: &[u8]) -> Result<usize> {
    let header = number(bytes, 4)?;
    let (types, types_length) = (number(bytes, 8)?, number(bytes, 12)?);
    let (strings, strings_length) = (number(bytes, 16)?, number(bytes, 20)?);
    ensure!(
        types == 0 && strings == types_length && strings_length > 0,
        "no header that pahole writes"
    );
    let length = header + types_length + strings_length;
    slice(bytes, 0, length)?;
    // The first string is empty, and the last one is terminated.
    ensure!(
        bytes[header + strings] == 0 && bytes[length - 1] == 0,
        "no strings"
    );
    Ok(length)
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BTF without types, with these strings.
    fn sample(strings: &[u8]) -> Vec<u8> {
        let mut btf = BTF_START.to_vec();
        for number in [0, 0, 0, strings.len() as u32] {
            btf.extend(number.to_le_bytes());
        }
        btf.extend(strings);
        btf
    }

    #[test]
    fn the_longest_btf_is_found() {
        let (short, long) = (sample(b"\0a\0"), sample(b"\0abc\0def\0"));
        let cut = &sample(b"\0 this one is longer than what follows \0")[..30];
        let mut kernel = b"something".to_vec();
        kernel.extend(&short);
        kernel.extend(b"\x9f\xeb and more");
        let start = kernel.len();
        kernel.extend(&long);
        kernel.extend(cut);
        assert_eq!(find(&kernel), Some(start..start + long.len()));
        assert_eq!(find(b"nothing"), None);
    }

    #[test]
    fn a_compressed_kernel_of_a_pc_is_unpacked() {
        let btf_bytes = sample(b"\0abc\0");
        let mut gzip = Command::new("gzip")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        gzip.stdin.take().unwrap().write_all(&btf_bytes).unwrap();
        let packed = gzip.wait_with_output().unwrap().stdout;
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x24c..0x250].copy_from_slice(&(packed.len() as u32 + 4).to_le_bytes());
        image.extend(&packed);
        image.extend((btf_bytes.len() as u32).to_le_bytes());
        assert_eq!(btf(&image).unwrap(), btf_bytes);
        image.truncate(1030);
        assert!(btf(&image).is_err());
    }
}
