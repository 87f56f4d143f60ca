//! The first slot of each CPU for the beginning of argv becomes free again; see
//! `probes-ebpf/src/early.rs`.

use std::fs;

use aya::maps::{Array, Map, MapData};
use exectrail_common::map_memory::{EARLY_SLOT_BYTES, early_slots};

use crate::{
    pod::{Pod, Sidecar, Workspace, wait_for},
    tools::{needs_kernel, usable_cpus},
};

/// A slot. Its first 8 bytes are the start time of a process, or 0 if the slot is free.
type Slot = [u8; EARLY_SLOT_BYTES as usize];

/// The slots of the CPUs that this test can use.
struct Slots {
    map: Array<MapData, Slot>,
    cpus: Vec<u32>,
    /// Number of slots of each CPU.
    each: u32,
}

impl Slots {
    fn of(sidecar: &Sidecar) -> Self {
        let map = Map::Array(MapData::from_id(map_id(sidecar)).unwrap());
        Self {
            map: map.try_into().unwrap(),
            cpus: usable_cpus(),
            each: early_slots(aya::util::nr_cpus().unwrap() as u64),
        }
    }

    /// The start time in the first slot of each CPU.
    fn firsts(&self) -> Vec<u64> {
        self.cpus
            .iter()
            .map(|cpu| u64::from_ne_bytes(*self.first(*cpu).first_chunk().unwrap()))
            .collect()
    }

    fn first(&self, cpu: u32) -> Slot {
        self.map.get(&self.index(cpu), 0).unwrap()
    }

    fn index(&self, cpu: u32) -> u32 {
        cpu * self.each
    }

    /// Takes the first slot of each CPU for a process that does not exist.
    fn take_firsts(&mut self) {
        for cpu in self.cpus.clone() {
            let mut slot = self.first(cpu);
            *slot.first_chunk_mut().unwrap() = NO_PROCESS.to_ne_bytes();
            self.map.set(self.index(cpu), slot, 0).unwrap();
        }
    }
}

/// A start time that no process has.
const NO_PROCESS: u64 = 1;

/// Id of the map with the slots.
fn map_id(sidecar: &Sidecar) -> u32 {
    let directory = format!("/proc/{}/fdinfo", sidecar.pid());
    let size = format!("value_size:\t{EARLY_SLOT_BYTES}\n");
    fs::read_dir(directory)
        .unwrap()
        .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
        .filter(|info| info.contains(&size))
        .find_map(|info| {
            let id = info.lines().find_map(|line| line.strip_prefix("map_id:"))?;
            id.trim().parse().ok()
        })
        .unwrap()
}

/// Executes a program `times` times on each CPU that this test can use.
fn execute(workspace: &Workspace, times: u32) {
    let script = format!("n=0; while [ $n -lt {times} ]; do /bin/true; n=$((n+1)); done");
    for cpu in usable_cpus() {
        workspace.run("taskset", &["-c", &cpu.to_string(), "sh", "-c", &script]);
    }
}

/// If a process has a slot and will never free it, a later exec takes the slot over.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_slot_that_nobody_frees_is_taken_over() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let mut slots = Slots::of(&sidecar);
    slots.take_firsts();
    let workspace = pod.workspace();
    wait_for("the first slot of each CPU is free", || {
        execute(&workspace, 1_100);
        slots.firsts().iter().all(|owner| *owner == 0).then_some(())
    });
    sidecar.stop();
}
