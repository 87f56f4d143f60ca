//! Examples and exit statuses: the end of each command's `--help`, and sections of its man page
//! (`commands/man.rs`). The examples and exit statuses of `preflight` are in preflight/src/cli.rs.

pub(super) const EXECTRAIL: &str = "\
Examples:
  # what does a build execute?
  sudo exectrail run -- make

  # can this machine trace?
  exectrail preflight

  # beside a workspace, as the sidecar of its pod
  exectrail --init-address 127.0.0.1:56123 --label workspace_id=0668 --label username=jessie

  # in the workspace's init script, before the agent
  exectrail announce --exec -- /bin/sh -c \"$AGENT_SCRIPT\"

Exit status:
  0  stopped on request
  1  tracing is impossible or has failed; the reason is on standard error
  2  wrong usage
`exectrail run` and `exectrail announce --exec` end with the status of the command they start.
";

pub(super) const RUN: &str = "\
Examples:
  # what does a build execute?
  sudo exectrail run -- make

  # the same with exits and failed execs, in a file
  sudo exectrail run --exit-events --failed-execs --log build.log -- make

  # as JSON: which programs ran, and how often?
  sudo exectrail run --output json --log build.json -- make
  sudo jq -r 'select(.msg == \"exec\").fields.event.filename' build.json | sort | uniq -c

  # print only the counts
  sudo exectrail run --quiet -- make

Exit status:
  The status of COMMAND, or 128 plus the number of the signal that ended it.
  1    tracing is impossible or has failed; the reason is on standard error
  2    wrong usage
  126  COMMAND cannot be executed
  127  COMMAND was not found
";

pub(super) const ANNOUNCE: &str = "\
Examples:
  # in an init script: wait until the sidecar traces this container, then become the agent
  exectrail announce --exec -- /bin/sh -c \"$AGENT_SCRIPT\"

  # the same, but stay as the agent's parent, and end the workspace if the sidecar does not
  # answer for five minutes
  exectrail announce --hold 5m --exec -- /bin/sh -c \"$AGENT_SCRIPT\"

  # only announce
  exectrail announce --timeout 30s

Exit status:
  0  tracing is on
  1  refused or no answer; the reason is on standard error
  2  wrong usage
With --exec the status of COMMAND; 126 if it cannot be executed, 127 if it was not found. A signal
during the wait gives 128 plus its number.
";

pub(super) const VERIFY: &str = "\
Examples:
  # the log of a pod
  kubectl logs deploy/workspace -c exectrail | exectrail verify

  # files of one log, in order; demand that each checkpoint is signed with this key
  exectrail verify --key public.pem 0.log.gz 1.log

Exit status:
  0  no fault was found (without --until, lines at the end can be missing)
  1  the log has faults or is empty, or a file cannot be read or written
  2  wrong usage
";

pub(super) const INSTALL: &str = "\
Examples:
  # in an init container, for a volume that the workspace mounts
  exectrail install /exectrail

Exit status:
  0  the program is in the directory
  1  it cannot be written there; the reason is on standard error
  2  wrong usage
";

pub(super) const READY: &str = "\
Examples:
  # in the sidecar's startupProbe
  exectrail ready --init-address 127.0.0.1:56123

Exit status:
  0  the sidecar answers
  1  it does not; the reason is on standard error
  2  wrong usage
";

pub(super) const COMPLETIONS: &str = "\
Examples:
  # for the current bash session
  source <(exectrail completions bash)

  # for every new shell
  exectrail completions bash > ~/.local/share/bash-completion/completions/exectrail
  exectrail completions fish > ~/.config/fish/completions/exectrail.fish
  exectrail completions zsh > /usr/local/share/zsh/site-functions/_exectrail

Exit status:
  0  the script was written
  1  standard output cannot be written to
  2  wrong usage
";
