//! The flags that choose lines, with their texts.

use clap::Args;
use regex::Regex;

use super::moment::Moment;
use crate::{labels::Labels, record::Record};

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
    /// A line matches if the file that runs (exe) or the name that the caller gave (filename) is
    /// PROGRAM.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) exe: Vec<String>,

    /// Only if the arguments, with blanks between them, match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) argv: Option<Regex>,

    /// Only this process and its descendants: a process id in the node's PID namespace
    ///
    /// Process ids differ between nodes: if the log has several nodes, choose the workspace, too. A
    /// descendant whose parent has no line, such as a child of a subshell, is found by its session.
    /// Processes that may be descendants, but are not shown, are counted on standard error. Files
    /// are read twice. With --follow, or from standard input, descendants are found only after the
    /// first line of their parent.
    #[arg(long, value_name = "PID")]
    pub(crate) under: Option<u64>,

    /// Only programs that were put into the workspace from outside, such as by kubectl exec
    #[arg(long)]
    pub(crate) entered: bool,
}

impl FilterArgs {
    /// Whether a line belongs to the chosen users, workspaces and runs. Its time and kind do not
    /// matter.
    pub(crate) fn is_in_scope(&self, record: &Record<'_>, labels: &Labels) -> bool {
        let any = |values: &[String], is: &dyn Fn(&str) -> bool| {
            values.is_empty() || values.iter().any(|value| is(value))
        };
        any(&self.user, &|name| labels.is_user(name))
            && any(&self.workspace, &|name| labels.is_workspace(name))
            && any(&self.run, &|id| record.fields.run.as_deref() == Some(id))
    }

    /// Why the flags cannot choose any line; `None` if they can.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let (since, until) = self.since.as_ref().zip(self.until.as_ref())?;
        let (since, until) = (since.text(), until.text());
        (since >= until).then(|| format!("--since {since} is not before --until {until}"))
    }

    /// The filters as text, such as `user jessie, exe curl`; empty if there are none.
    pub(super) fn text(&self) -> String {
        let mut parts = Vec::new();
        for (name, values) in [
            ("user", &self.user),
            ("workspace", &self.workspace),
            ("run", &self.run),
            ("msg", &self.msg),
            ("exe", &self.exe),
        ] {
            if !values.is_empty() {
                parts.push(format!("{name} {}", values.join(" or ")));
            }
        }
        let mut add = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| format!("{name} {value}")));
        };
        let time = |time: &Option<Moment>| time.as_ref().map(|time| time.text().to_owned());
        add("argv", self.argv.as_ref().map(Regex::to_string));
        add("under process", self.under.map(|pid| pid.to_string()));
        add("since", time(&self.since));
        add("until", time(&self.until));
        if self.entered {
            parts.push("entered from outside".to_owned());
        }
        parts.join(", ")
    }
}
