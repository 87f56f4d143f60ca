//! The names in user space agree with the object, and preflight tries all that the object needs.

use std::collections::BTreeSet;

use aya_obj::{Object, ProgramSection};
use exectrail_common::maps;
use exectrail_preflight::trial;

use super::{
    object::OBJECT,
    programs::{END_CHECK, EXEC, EXIT, FAILED, FAILED_ANY, RENAME, SIDECAR_SCOPE},
};

/// `bpf_get_current_task_btf`, which only the programs for failed execs call. They are optional, so
/// preflight does not ask for it.
const GET_CURRENT_TASK_BTF: i32 = 158;

fn parsed() -> Object {
    Object::parse(OBJECT).unwrap()
}

#[test]
fn the_table_has_each_program_of_the_object_and_no_other() {
    let object = parsed();
    let known = EXEC.iter().chain(&EXIT).chain(&RENAME);
    let known = known.chain([&SIDECAR_SCOPE, &END_CHECK, &FAILED_ANY]);
    let known: BTreeSet<&str> = known.map(|program| program.name).chain(FAILED).collect();
    let programs = &object.programs;
    let found: BTreeSet<&str> = programs.keys().map(String::as_str).collect();
    assert_eq!(known, found);
    for (name, program) in programs {
        let is_fexit = matches!(program.section, ProgramSection::FExit { .. });
        assert_eq!(is_fexit, FAILED.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn the_names_are_those_of_the_maps_of_the_object() {
    let object = parsed();
    // The compiler's own maps begin with a full stop: .rodata, .bss.
    let found: BTreeSet<&str> = object
        .maps
        .keys()
        .map(String::as_str)
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(maps::ALL.iter().copied().collect::<BTreeSet<_>>(), found);
}

#[test]
fn preflight_tries_each_kind_of_map_and_no_other() {
    let object = parsed();
    let kinds = object.maps.values().map(aya_obj::Map::map_type);
    let tried = trial::map_kinds().collect::<BTreeSet<_>>();
    assert_eq!(tried, kinds.collect());
}

#[test]
fn preflight_tries_each_helper_and_no_other() {
    // BPF_JMP | BPF_CALL; a source register of 0 means a helper (BPF_PSEUDO_CALL is 1).
    const CALL: u8 = 0x85;
    let object = parsed();
    let instructions = object.functions.values().flat_map(|f| &f.instructions);
    let helpers = instructions
        .filter(|instruction| instruction.code == CALL && instruction.src_reg() == 0)
        .map(|instruction| instruction.imm);
    let helpers: BTreeSet<i32> = helpers.filter(|id| *id != GET_CURRENT_TASK_BTF).collect();
    assert_eq!(trial::helpers().collect::<BTreeSet<_>>(), helpers);
}

#[test]
fn the_entry_of_a_program_with_functions_loads_from_its_context_only() {
    // BPF_JMP | BPF_CALL with BPF_PSEUDO_CALL; BPF_ALU64 | BPF_MOV | BPF_X. The class is in the
    // lowest three bits: BPF_LDX is 1; BPF_ST, BPF_STX, BPF_JMP and BPF_JMP32 do not write their
    // destination register. After a call the verifier lets no code read r1 to r5.
    const CALL: (u8, u8) = (0x85, 1);
    const COPY: u8 = 0xbf;
    const CLASS: u8 = 7;
    const LOAD: u8 = 1;
    const WRITES_NONE: [u8; 4] = [2, 3, 5, 6];
    let object = parsed();
    for (name, program) in &object.programs {
        let entry = &object.functions[&program.function_key()].instructions;
        if !entry.iter().any(|i| (i.code, i.src_reg()) == CALL) {
            continue;
        }
        let mut context = BTreeSet::from([1]);
        for instruction in entry {
            let (code, from, to) = (
                instruction.code,
                instruction.src_reg(),
                instruction.dst_reg(),
            );
            assert!(
                code & CLASS != LOAD || context.contains(&from),
                "{name}: some kernels panic if such a load faults, see probes-ebpf/src/main.rs"
            );
            if code == COPY && context.contains(&from) {
                context.insert(to);
            } else if !WRITES_NONE.contains(&(code & CLASS)) {
                context.remove(&to);
            }
        }
    }
}
