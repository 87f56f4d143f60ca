//! The names in user space agree with the object, and preflight checks everything that the object
//! needs.

use std::collections::{BTreeMap, BTreeSet};

use aya_obj::{Object, ProgramSection, generated::bpf_insn};
use exectrail_common::map_names;
use exectrail_preflight::trial;

use super::{
    object::OBJECT,
    programs::{END_CHECK, EXEC, EXIT, FAILED, FAILED_ANY, RENAME, SIDECAR_SCOPE},
};

/// `bpf_get_current_task_btf`, which only the programs for failed execs call. They are optional, so
/// preflight does not ask for it.
const GET_CURRENT_TASK_BTF: i32 = 158;

/// BPF_JMP | BPF_CALL. The source register distinguishes helpers from functions (BPF_PSEUDO_CALL).
const CALL: u8 = 0x85;
const HELPER: u8 = 0;
const FUNCTION: u8 = 1;
/// BPF_ALU64 | BPF_MOV | BPF_X.
const COPY: u8 = 0xbf;
/// Mask of an operation's class, and BPF_LDX.
const CLASS: u8 = 7;
const LOAD: u8 = 1;

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
    assert_eq!(
        map_names::ALL.iter().copied().collect::<BTreeSet<_>>(),
        found
    );
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
    let object = parsed();
    let instructions = object.functions.values().flat_map(|f| &f.instructions);
    let helpers = instructions
        .filter(|instruction| instruction.code == CALL && instruction.src_reg() == HELPER)
        .map(|instruction| instruction.imm);
    let helpers: BTreeSet<i32> = helpers.filter(|id| *id != GET_CURRENT_TASK_BTF).collect();
    assert_eq!(trial::helpers().collect::<BTreeSet<_>>(), helpers);
}

#[test]
fn the_entry_of_a_program_with_functions_loads_from_its_context_only() {
    // BPF_ST, BPF_STX, BPF_JMP and BPF_JMP32 do not write their destination register. After a call
    // the verifier lets no code read r1 to r5.
    const WRITES_NONE: [u8; 4] = [2, 3, 5, 6];
    let object = parsed();
    for (name, program) in &object.programs {
        let entry = &object.functions[&program.function_key()].instructions;
        if !(0..entry.len()).any(|at| callee(entry, at).is_some()) {
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

/// Frames of a chain of calls, each rounded up to 32 bytes, may take 512 bytes together
/// (`check_max_stack_depth`, kernel/bpf/verifier.c). Later kernels demand less. With a JIT, Linux
/// 6.9 rounds up to 16 bytes, and from 6.13 on a large frame of a tracing program can count
/// separately.
#[test]
fn every_chain_of_calls_fits_on_the_stack() {
    let mut object = parsed();
    let sections = object.functions.keys().map(|(section, _)| *section);
    let sections = sections.collect();
    object.relocate_calls(&sections).unwrap();
    for (name, program) in &object.programs {
        let code = &object.functions[&program.function_key()].instructions;
        // A program's functions follow its entry. Each function begins at the target of a call.
        let mut frames = BTreeMap::from([(0, 0)]);
        frames.extend((0..code.len()).filter_map(|at| Some((callee(code, at)?, 0))));
        let function_of = |at: usize| frames.range(..=at).next_back().map(|(start, _)| *start);
        let functions: Vec<usize> = (0..code.len()).filter_map(function_of).collect();
        for (at, function) in functions.iter().enumerate() {
            let frame = frames.get_mut(function).unwrap();
            *frame = depth(code, at).max(*frame);
        }
        let deepest = deepest(code, &functions, &frames, 0);
        assert!(deepest <= 512, "{name} needs {deepest} bytes of stack");
    }
}

/// The position of the function that the instruction at `at` calls.
fn callee(code: &[bpf_insn], at: usize) -> Option<usize> {
    let is_call = code[at].code == CALL && code[at].src_reg() == FUNCTION;
    // The offset is relative to the next instruction.
    is_call.then(|| at.checked_add_signed(code[at].imm as isize + 1).unwrap())
}

/// The bytes of the frame that the instruction at `at` uses. It uses them by an access below r10,
/// or by a copy of r10 from which the next instruction subtracts.
fn depth(code: &[bpf_insn], at: usize) -> usize {
    // BPF_ALU64 | BPF_ADD | BPF_K.
    const ADD: u8 = 0x07;
    // BPF_ST and BPF_STX.
    const STORES: [u8; 2] = [2, 3];
    const FRAME: u8 = 10;
    let instruction = code[at];
    let class = instruction.code & CLASS;
    let offset = match class {
        LOAD if instruction.src_reg() == FRAME => i32::from(instruction.off),
        _ if STORES.contains(&class) && instruction.dst_reg() == FRAME => {
            i32::from(instruction.off)
        }
        _ if instruction.code == COPY && instruction.src_reg() == FRAME => match code.get(at + 1) {
            Some(next) if next.code == ADD && next.dst_reg() == instruction.dst_reg() => next.imm,
            _ => panic!("a copy of r10 that is not at once made a pointer into the frame"),
        },
        _ => 0,
    };
    offset.unsigned_abs() as usize
}

/// The bytes of stack that the function at `start` needs, including the functions that it calls.
fn deepest(
    code: &[bpf_insn],
    functions: &[usize],
    frames: &BTreeMap<usize, usize>,
    start: usize,
) -> usize {
    let below = (0..code.len()).filter(|at| functions[*at] == start);
    let below = below.filter_map(|at| callee(code, at));
    let below = below.map(|callee| deepest(code, functions, frames, callee));
    frames[&start].max(1).next_multiple_of(32) + below.max().unwrap_or(0)
}
