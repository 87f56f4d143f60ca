//! One virtual machine: boots it, receives its reports, ends it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use exectrail_vm_tests::{Message, Plan, Variant};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    accelerator::{Accelerator, PC_EMULATOR},
    disk,
    initramfs::{self, Programs},
    kernel_files::Kernel,
    kernel_series,
};

/// Makes Linux expect more processors than there are. Linux does so only on a hypervisor
/// (topology_register_apic, arch/x86/kernel/cpu/topology.c), and does not take QEMU's emulation for
/// one. These arguments make Linux take the machine for a virtual machine of VMware, whose I/O port
/// QEMU emulates (vmware_platform, arch/x86/kernel/cpu/vmware.c). Linux looks at the serial number
/// only if the processor lacks the feature `hypervisor`, so accelerator.rs turns that feature off.
const MANY_CPUS: [&str; 2] = ["-smbios", "type=1,serial=VMware-0"];

/// How a machine ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The guest reported that it is done.
    Done,
    /// The machine ended before it was done.
    Early,
    /// The host ended the machine because it had reported nothing for too long.
    Silent,
}

/// The result of a machine's run.
pub(crate) struct Run {
    /// How it ended.
    pub(crate) ending: Ending,
    /// Exit status of QEMU, or of user-mode Linux.
    pub(crate) status: ExitStatus,
    /// The messages that it reported.
    pub(crate) messages: Vec<Message>,
    /// The text of its console, and QEMU's own messages.
    pub(crate) console: String,
    /// Time from its start to its end.
    pub(crate) took: Duration,
}

/// A machine to run.
pub(crate) struct Machine<'a> {
    /// The kernel that it boots.
    pub(crate) kernel: &'a Kernel,
    /// The programs in its initramfs.
    pub(crate) programs: &'a Programs,
    /// The tests that it runs.
    pub(crate) plan: &'a Plan,
    /// How its instructions are executed.
    pub(crate) accelerator: Accelerator,
    /// How long it may report nothing. There is no limit to the whole run, because a machine's
    /// speed depends on the other work of its host.
    pub(crate) silence: Duration,
}

impl Machine<'_> {
    /// Boots the machine, and calls `receive` with each message. Returns when the machine is done,
    /// has ended, or has been silent for too long.
    pub(crate) fn run(&self, mut receive: impl FnMut(&Message)) -> Result<Run> {
        let since = Instant::now();
        let directory = tempfile::TempDir::with_prefix("exectrail-vm-")
            .context("cannot create a directory for the machine's files")?;
        let initramfs = directory.path().join("initramfs");
        fs::write(&initramfs, initramfs::build(self.programs, self.plan)?)?;

        let mut child = self.command(directory.path())?.spawn().with_context(|| {
            match self.kernel.series.machine {
                kernel_series::MachineKind::Process => {
                    format!("cannot start {}", self.kernel.image.display())
                }
                kernel_series::MachineKind::Pc | kernel_series::MachineKind::Arm64 => format!(
                    "cannot start {}; `cargo xtask setup --tests` installs it",
                    self.emulator()
                ),
            }
        })?;
        let mut messages = Vec::new();
        let heard = messages_of(&mut child);
        let mut progress = Instant::now();
        let ending = loop {
            let left = self.silence.saturating_sub(progress.elapsed());
            match heard.recv_timeout(left) {
                Ok(Message::Done) => break Ending::Done,
                Ok(message) => {
                    if !matches!(message, Message::Overdue { .. }) {
                        progress = Instant::now();
                    }
                    receive(&message);
                    messages.push(message);
                }
                Err(RecvTimeoutError::Disconnected) => break Ending::Early,
                Err(RecvTimeoutError::Timeout) => break Ending::Silent,
            }
        };
        if self.plan.keep && ending == Ending::Done {
            let console = directory.path().join("console.socket");
            eprintln!(
                "The machine is left running, with a shell on its console:\n  \
                 socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:{}\n\
                 `busybox reboot -f` in it, or Ctrl-C here, ends it.",
                console.display()
            );
        } else if ending == Ending::Silent || !self.ends_soon(&mut child)? {
            // The machine may have ended by itself just now.
            let _ = match self.kernel.series.machine {
                kernel_series::MachineKind::Pc | kernel_series::MachineKind::Arm64 => child.kill(),
                kernel_series::MachineKind::Process => {
                    kill_process_group(Pid::from_child(&child), Signal::KILL).map_err(Into::into)
                }
            };
        }
        Ok(Run {
            ending,
            status: child.wait()?,
            messages,
            console: console(directory.path(), &mut child),
            took: since.elapsed(),
        })
    }

    /// Whether the machine ends soon. A guest that is done reboots, which ends QEMU; user-mode
    /// Linux would start again.
    fn ends_soon(&self, child: &mut Child) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.kernel.series.machine.is_virtual() && Instant::now() < deadline {
            if child.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }

    fn command(&self, directory: &Path) -> Result<Command> {
        let mut command = match self.kernel.series.machine {
            kernel_series::MachineKind::Pc | kernel_series::MachineKind::Arm64 => {
                self.qemu(directory)?
            }
            kernel_series::MachineKind::Process => self.process(directory)?,
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }

    /// The command of user-mode Linux: as [`Self::qemu`], but without the socket.
    fn process(&self, directory: &Path) -> Result<Command> {
        let console = File::create(directory.join("console"))?;
        let mut linux = Command::new(&self.kernel.image);
        // The serial lines of user-mode Linux are numbered like a PC's.
        linux
            .args(["mem=1024M", "con=null", "ssl=null"])
            .args(["ssl0=null,fd:2", "ssl1=null,fd:1"])
            .arg(format!("initrd={}", directory.join("initramfs").display()))
            .args(self.command_line().split(' '))
            .current_dir(directory)
            .stderr(console)
            // User-mode Linux consists of several processes.
            .process_group(0);
        Ok(linux)
    }

    /// The command of QEMU. The report is on standard output; the console is in a file, and on a
    /// socket for people.
    fn qemu(&self, directory: &Path) -> Result<Command> {
        let at = directory.display();
        let mut qemu = Command::new(self.emulator());
        let machine = self.kernel.series.machine;
        qemu.args(self.accelerator.arguments(machine, self.plan.variant));
        if self.plan.variant == Variant::ManyCpus {
            qemu.args(MANY_CPUS);
        }
        qemu.args([
            "-smp",
            self.processors(),
            "-m",
            self.memory(),
            "-nodefaults",
            "-display",
            "none",
        ])
        .args(["-no-reboot", "-chardev"])
        .arg(format!(
            "socket,id=console,path={at}/console.socket,server=on,wait=off,logfile={at}/console"
        ))
        .args(["-serial", "chardev:console"])
        .args(["-chardev", "stdio,id=report,signal=off"])
        .args(self.report_line())
        .arg("-kernel")
        .arg(&self.kernel.image)
        .arg("-initrd")
        .arg(directory.join("initramfs"))
        .arg("-append")
        .arg(self.command_line())
        .stderr(Stdio::piped());
        if self.plan.scenario.is_on_a_node() {
            self.attach_disks(&mut qemu)?;
        }
        Ok(qemu)
    }

    fn emulator(&self) -> &'static str {
        match self.kernel.series.machine {
            kernel_series::MachineKind::Arm64 => "qemu-system-aarch64",
            _ => PC_EMULATOR,
        }
    }

    /// The device of the report: a PC's second serial port. The ARM board has only one serial port,
    /// and gets a second one on a PCI card.
    fn report_line(&self) -> [&'static str; 2] {
        match self.kernel.series.machine {
            kernel_series::MachineKind::Arm64 => ["-device", "pci-serial,chardev=report"],
            _ => ["-serial", "chardev:report"],
        }
    }

    /// All disks are on one controller, on which each has its number. Every kernel of a node has
    /// the driver of this controller built in.
    fn attach_disks(&self, qemu: &mut Command) -> Result<()> {
        let disks = disk::disks(self.kernel)?;
        qemu.args(["-device", "nvme,id=nvme,serial=disks"]);
        for (number, file) in [disks.root, disks.modules].iter().enumerate() {
            qemu.arg("-drive")
                .arg(format!(
                    "file={},format=raw,if=none,id=disk{number},snapshot=on,cache=unsafe",
                    file.display()
                ))
                .arg("-device")
                .arg(format!(
                    "nvme-ns,drive=disk{number},bus=nvme,nsid={}",
                    number + 1
                ));
        }
        Ok(())
    }

    fn processors(&self) -> &'static str {
        match self.plan.variant {
            Variant::OneCpu => "1",
            // The other processors could be added while the kernel runs.
            Variant::ManyCpus => "4,sockets=48,cores=4,maxcpus=192",
            Variant::Usual | Variant::CgroupV1 | Variant::NoJit | Variant::Systemd => "2",
        }
    }

    /// Memory of the machine, in MiB. A node writes images to its disk, and the page cache holds
    /// them.
    fn memory(&self) -> &'static str {
        if self.plan.scenario.is_on_a_node() {
            "3072"
        } else {
            "1024"
        }
    }

    fn command_line(&self) -> String {
        // - panic=-1: a panic reboots at once, and -no-reboot ends QEMU.
        // - no_timer_check: on a busy host an emulated timer may be too late for the kernel's check
        //   (check_timer, arch/x86/kernel/apic/io_apic.c). The kernel would then panic.
        // - init_on_alloc=0: an emulated processor takes long to clear every page before its use.
        let console = match self.kernel.series.machine {
            kernel_series::MachineKind::Arm64 => "console=ttyAMA0",
            _ => "console=ttyS0 no_timer_check",
        };
        let base = format!("{console} quiet panic=-1 oops=panic mitigations=off init_on_alloc=0");
        match self.plan.scenario.lockdown() {
            Some(mode) => format!("{base} lockdown={mode}"),
            None => base,
        }
    }
}

/// The messages of a machine, as it sends them; the channel closes when the machine ends.
fn messages_of(child: &mut Child) -> mpsc::Receiver<Message> {
    let (said, heard) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || read_messages(stdout, &said));
    }
    heard
}

fn read_messages(stdout: impl Read, said: &Sender<Message>) {
    for line in BufReader::new(stdout).split(b'\n') {
        let Ok(line) = line else { return };
        // Firmware may write to the port before the guest does.
        let Some(start) = line.iter().position(|byte| *byte == b'{') else {
            continue;
        };
        if let Ok(message) = serde_json::from_slice(&line[start..])
            && said.send(message).is_err()
        {
            return;
        }
    }
}

fn console(directory: &Path, child: &mut Child) -> String {
    let bytes = fs::read(directory.join("console")).unwrap_or_default();
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if let Some(mut stderr) = child.stderr.take() {
        let mut bytes = Vec::new();
        // Text that was read before an error is still useful.
        let _ = stderr.read_to_end(&mut bytes);
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    text
}
