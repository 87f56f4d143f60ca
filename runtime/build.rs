//! Builds the eBPF programs. `src/probes/object.rs` includes the object file, and the lists of its
//! field loads and of its constants.
//!
//! The BPF target has no prebuilt `core`, so cargo builds it from source. On a stable toolchain,
//! cargo does that only with `RUSTC_BOOTSTRAP=1`. The variable is set for this one build only.

#![forbid(unsafe_code)]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use exectrail_common::{
    constants::{FIRST_CONSTANT, WORDS},
    offsets::{FIELDS, FIRST_FIELD},
};
use object::{
    Endianness, Object as _, ObjectSection as _, SectionKind,
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

const PACKAGE: &str = "exectrail-probes";

/// Variable with the directory that all builds of this repository share for the probes
/// (`.cargo/config.toml`). The probes are the same in each profile and for each target.
const TARGET_DIR: &str = "EXECTRAIL_PROBES_TARGET_DIR";

fn main() -> Result<(), Box<dyn Error>> {
    // Read when this script runs, not when it is compiled (`env!`): clones may share a target
    // directory.
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?;
    let root = Path::new(&manifest_dir).join("..");
    // Only these files, not whole packages: other tools write files beside the manifests.
    for source in [
        "Cargo.lock",
        "Cargo.toml",
        "common/Cargo.toml",
        "common/src",
        "probes-ebpf/Cargo.toml",
        "probes-ebpf/src",
        "runtime/build.rs",
    ] {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo:rerun-if-env-changed={TARGET_DIR}");
    // Cargo watches the linker, not PATH: `cargo` and `cargo xtask` have different PATHs but find
    // the same linker.
    let linker = on_path("bpf-linker").ok_or_else(|| explain("bpf-linker is not on PATH"))?;
    println!("cargo:rerun-if-changed={}", linker.display());

    let endian = env::var("CARGO_CFG_TARGET_ENDIAN")?;
    let target = match endian.as_str() {
        "little" => "bpfel-unknown-none",
        _ => "bpfeb-unknown-none",
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let target_dir = target_dir(&out);
    let mut rustflags = vec![
        // This selects the layout of aya-ebpf's register types. The probes use none of these types
        // (xtask/tests/source/probes.rs), so one object is right everywhere.
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // bpf-linker makes BTF from debug information.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
    ];
    rustflags.extend(same_paths_everywhere(&root)?);
    let rustflags = rustflags.join("\x1f");
    let built = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?)
        .args(["build", "--release", "--bins", "--package", PACKAGE])
        .args(["--target", target, "-Zbuild-std=core", "--target-dir"])
        .arg(&target_dir)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags)
        // These variables are meant for the crate of this script.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC")
        .current_dir(&root)
        .output()?;
    if !built.status.success() {
        let log = String::from_utf8_lossy(&built.stderr);
        return Err(explain(&format!("the probes do not build:\n{log}")));
    }
    let object = target_dir.join(target).join("release").join(PACKAGE);
    let object = without_debug_information(&object)?;
    let unfinished = Unfinished::of(&object)?;
    fs::write(
        out.join("field_loads.rs"),
        format!("{:?}", unfinished.field_loads),
    )?;
    fs::write(
        out.join("constants.rs"),
        format!("{:?}", unfinished.constants),
    )?;
    fs::write(out.join(PACKAGE), object)?;
    Ok(())
}

/// The first file of this name in a directory of PATH.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// The directory in which cargo builds the probes: the shared one if it can be written.
fn target_dir(out: &Path) -> PathBuf {
    env::var_os(TARGET_DIR)
        .map(PathBuf::from)
        .filter(|shared| {
            // The repository may be on a read-only mount, with the directory already in it.
            fs::create_dir_all(shared).is_ok() && fs::write(shared.join("writable"), "").is_ok()
        })
        .unwrap_or_else(|| out.join("target"))
}

/// The object without its DWARF, which is four fifths of its size. Only bpf-linker reads the DWARF,
/// to make BTF.
fn without_debug_information(object: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let whole = fs::read(object)?;
    let mut builder = Builder::read(&*whole)?;
    for section in &mut builder.sections {
        let name = section.name.to_vec();
        section.delete = [&b".debug_"[..], b".rel.debug_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
    }
    builder.delete_orphans();
    // LLVM has the names of sections and symbols in one table; the crate `object` writes two
    // tables.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    Ok(stripped)
}

/// The places of the object where user space puts values before it loads the object.
#[derive(Default)]
struct Unfinished {
    /// For each load of a kernel field: the position of the load's offset, and the field.
    field_loads: Vec<(usize, usize)>,
    /// For each register that is set to a constant: the position of the number, and the word.
    constants: Vec<(usize, usize)>,
}

/// Bytes of an instruction (Documentation/bpf/standardization/instruction-set.rst). The operations
/// below are from the same document.
const INSTRUCTION: usize = 8;
/// BPF_LDX | BPF_MEM with BPF_W and BPF_DW: a load.
const LOADS: [u8; 2] = [0x61, 0x79];
/// BPF_ALU64 | BPF_MOV | BPF_K: sets a register to a number.
const SET: u8 = 0xb7;
/// BPF_LD | BPF_IMM | BPF_DW, which takes the room of two instructions.
const WIDE: u8 = 0x18;

impl Unfinished {
    fn of(object: &[u8]) -> Result<Self, Box<dyn Error>> {
        let file = object::File::parse(object)?;
        let mut unfinished = Self::default();
        for section in file
            .sections()
            .filter(|section| section.kind() == SectionKind::Text)
        {
            let (start, _) = section
                .file_range()
                .ok_or("a section of code is not in the file")?;
            let mut code = section.data()?;
            let mut position = start as usize;
            while let Some((instruction, rest)) = code.split_first_chunk() {
                unfinished.note(position, instruction, file.endianness())?;
                let second = if instruction[0] == WIDE {
                    INSTRUCTION
                } else {
                    0
                };
                code = rest.get(second..).unwrap_or_default();
                position += INSTRUCTION + second;
            }
        }
        if unfinished.field_loads.is_empty() || unfinished.constants.is_empty() {
            return Err("the object has no load of a kernel field, or no constant".into());
        }
        Ok(unfinished)
    }

    /// Notes the instruction at this position of the object, if it loads a field or sets a
    /// constant.
    fn note(
        &mut self,
        position: usize,
        instruction: &[u8; INSTRUCTION],
        endianness: Endianness,
    ) -> Result<(), Box<dyn Error>> {
        let [operation, _, low, high, number @ ..] = *instruction;
        let offset = [low, high];
        let (offset, number) = match endianness {
            Endianness::Little => (i16::from_le_bytes(offset), i32::from_le_bytes(number)),
            Endianness::Big => (i16::from_be_bytes(offset), i32::from_be_bytes(number)),
        };
        if LOADS.contains(&operation) && offset >= FIRST_FIELD {
            let field = within(offset - FIRST_FIELD, FIELDS, "load's offset")?;
            self.field_loads.push((position + 2, field));
        }
        // The upper half distinguishes the constants from other numbers.
        if number >> 16 == FIRST_CONSTANT >> 16 {
            if operation != SET {
                return Err(format!("the constant {number:#x} is in no `mov`").into());
            }
            let word = within(number - FIRST_CONSTANT, WORDS, "constant")?;
            self.constants.push((position + 4, word));
        }
        Ok(())
    }
}

/// The index, if it is below `end`.
fn within<T: TryInto<usize>>(index: T, end: usize, what: &str) -> Result<usize, Box<dyn Error>> {
    index
        .try_into()
        .ok()
        .filter(|index| *index < end)
        .ok_or_else(|| format!("a {what} in the object stands for nothing").into())
}

/// BTF has the paths of source files. These flags make the paths, and so the object, the same on
/// every machine.
fn same_paths_everywhere(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let rustc = env::var_os("RUSTC").ok_or("RUSTC is not set")?;
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout)?.trim_end());
    let core = sysroot.join("lib/rustlib/src/rust");
    let places = [
        (cargo_home, "/cargo"),
        // This path may be a link; rustc uses either name.
        (core.canonicalize().ok(), "/rustc"),
        (Some(core), "/rustc"),
        (Some(root.canonicalize()?), "/exectrail"),
    ];
    Ok(places
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())))
        .collect())
}

/// An error with what to do about it.
fn explain(problem: &str) -> Box<dyn Error> {
    format!("{problem}\nhelp: `cargo xtask setup` installs what the build needs").into()
}
