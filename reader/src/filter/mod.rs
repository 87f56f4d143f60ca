//! Which lines are wanted.

mod descendants;
mod moment;
mod under;

use std::path::PathBuf;

use clap::Args;
use regex::Regex;

use crate::{
    labels::Labels,
    record::{Event, Record},
};

use descendants::Descendants;
pub(crate) use moment::{Moment, time};
use under::Under;

/// Flags that choose lines.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct FilterArgs {
    /// Only this user: label username, user_email or user_id; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Vec<String>,

    /// Only this workspace: label workspace_name or workspace_id; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) workspace: Vec<String>,

    /// Only this run of exectrail; repeatable
    #[arg(long, value_name = "ID")]
    pub(crate) run: Vec<String>,

    /// Only lines of this kind, such as exec, exit, lost; repeatable
    #[arg(long, value_name = "MSG")]
    pub(crate) msg: Vec<String>,

    /// Only from this time on: RFC 3339, or how long ago, such as 90s, 15m, 2h, 3d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,

    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,

    /// Only this program: its path, or its name without directories; repeatable
    ///
    /// It is compared with the file that runs (exe) and the name that the caller gave (filename).
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) exe: Vec<String>,

    /// Only if the arguments, with blanks between them, match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) argv: Option<Regex>,

    /// Only this process and its descendants: a process id in the node's PID namespace
    ///
    /// Each node has its own process ids: choose the workspace, too, if the log has several nodes.
    /// A descendant whose parent has no line, such as a child of a subshell, is known by its
    /// session. Processes that may be descendants, and are not shown, are counted on standard
    /// error. Files are read twice. With --follow, and from standard input, a descendant is known
    /// only from the first line of its parent on.
    #[arg(long, value_name = "PID")]
    pub(crate) under: Option<u64>,

    /// Only programs that were put into the workspace from outside, such as by kubectl exec
    #[arg(long)]
    pub(crate) entered: bool,
}

/// Decides which lines are wanted.
#[derive(Debug)]
pub(crate) struct Filter {
    args: FilterArgs,
    under: Option<Family>,
    text: String,
}

/// A process and its descendants.
#[derive(Debug)]
enum Family {
    /// As all lines show them.
    Whole(Descendants),
    /// As the lines so far show them.
    SoFar(Under),
}

impl Filter {
    /// The filter of these flags, for files that are read as they grow.
    pub(crate) fn live(args: FilterArgs) -> Self {
        let under = args.under.map(Under::new).map(Family::SoFar);
        Self::new(args, under)
    }

    /// The filter of these flags, for files that are read to their end. The descendants of a
    /// process are found by reading the files once before, if they can be read twice.
    pub(crate) fn of(program: &str, args: FilterArgs, files: &[PathBuf]) -> Self {
        let Some(pid) = args
            .under
            .filter(|_| files.iter().all(|file| file.is_file()))
        else {
            return Self::live(args);
        };
        let descendants = Descendants::find(pid, files);
        if descendants.possible > 0 {
            let count = descendants.possible;
            eprintln!(
                "{program}: processes that may be descendants of {pid}, and are not shown: \
                 {count}; their parents have no line, and their session is older than {pid}"
            );
        }
        Self::new(args, Some(Family::Whole(descendants)))
    }

    fn new(args: FilterArgs, under: Option<Family>) -> Self {
        Self {
            args,
            under,
            text: String::new(),
        }
    }

    /// Whether the flags name this kind of line.
    pub(crate) fn names(&self, msg: &str) -> bool {
        self.args.msg.iter().any(|name| name == msg)
    }

    /// Whether flags choose processes. Lines without a process are then not wanted, except `lost`
    /// and `suppressed`: the events that these count may match.
    fn chooses_processes(&self) -> bool {
        let args = &self.args;
        !args.exe.is_empty() || args.argv.is_some() || args.under.is_some() || args.entered
    }

    /// Whether a line is of the chosen users, workspaces and runs, whatever its time and kind.
    pub(crate) fn is_in_scope(&self, record: &Record<'_>, labels: &Labels) -> bool {
        let args = &self.args;
        let any = |values: &[String], is: &dyn Fn(&str) -> bool| {
            values.is_empty() || values.iter().any(|value| is(value))
        };
        any(&args.user, &|name| labels.is_user(name))
            && any(&args.workspace, &|name| labels.is_workspace(name))
            && any(&args.run, &|id| record.fields.run.as_deref() == Some(id))
    }

    /// Whether a line is in the chosen period.
    pub(crate) fn is_in_period(&self, record: &Record<'_>) -> bool {
        let args = &self.args;
        // All times have the same form.
        args.since
            .as_ref()
            .is_none_or(|since| &*record.ts >= since.text())
            && args
                .until
                .as_ref()
                .is_none_or(|until| &*record.ts < until.text())
    }

    /// Whether a line is wanted. All lines must be given, in their order: the descendants of a
    /// process are known by them.
    pub(crate) fn wants(&mut self, record: &Record<'_>, labels: &Labels) -> bool {
        if !self.is_in_scope(record, labels) {
            return false;
        }
        let event = record.fields.event.as_deref();
        let is_under = match (&mut self.under, event) {
            (Some(Family::Whole(descendants)), Some(event)) => descendants.has(event),
            (Some(Family::SoFar(under)), Some(event)) => under.has(event),
            _ => true,
        };
        let has_kind = self.args.msg.is_empty() || self.names(&record.msg);
        if !has_kind || !is_under || !self.is_in_period(record) {
            return false;
        }
        match event {
            Some(event) => self.has_process(event),
            None => !self.chooses_processes() || matches!(&*record.msg, "lost" | "suppressed"),
        }
    }

    fn has_process(&mut self, event: &Event<'_>) -> bool {
        let args = &self.args;
        if args.entered && !event.entered {
            return false;
        }
        let names = [event.exe.as_deref(), event.filename.as_deref()];
        let is_named = |program: &String| {
            names
                .into_iter()
                .flatten()
                .any(|name| is_program(name, program))
        };
        if !args.exe.is_empty() && !args.exe.iter().any(is_named) {
            return false;
        }
        let Some(regex) = &args.argv else {
            return true;
        };
        self.text.clear();
        event.push_argv(&mut self.text);
        event.argv.is_some() && regex.is_match(&self.text)
    }
}

/// Whether a path is that of the program: the same path, or a path whose last name is this one.
fn is_program(path: &str, program: &str) -> bool {
    if program.contains('/') {
        return path == program;
    }
    path.rsplit('/').next() == Some(program)
}
