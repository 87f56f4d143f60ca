// The list of execs, in order of time.

/** The elements for the marks of an exec. */
function marksOf(flags) {
  return MARKS.filter(({ bit }) => flags & bit)
    .map(({ name, strong }) => element("span", strong ? "mark strong" : "mark", name));
}

/** The marks and the text of an exec, for a list. */
function summaryOf(report, row) {
  const { data, blocks } = report;
  const flags = data.columns.flags[row];
  const text = blocks.text(row);
  const line = text === undefined ? "…" : shown(text);
  return flags ? [...marksOf(flags), line] : line;
}

/** A column with times. */
const timeColumn = (report, name = "Time (UTC)", from = 0) =>
  ({ name, width: report.hasDays ? "138px" : "92px", className: "time", from });

/** A time in a list, with the date if the report has several days. */
function listTime(report, time) {
  return report.hasDays ? `${dateOf(time).slice(5)} ${timeOf(time)}` : timeOf(time);
}

function execsView(report) {
  const { data, choice } = report;
  const isMany = report.hasWorkspaces;
  const grid = new Grid({
    id: "exec",
    label: "Execs",
    columns: [
      timeColumn(report),
      { name: "User", width: "minmax(70px, 120px)", from: isMany ? 960 : Infinity },
      { name: "Workspace", width: "minmax(90px, 140px)", from: isMany ? 700 : Infinity },
      { name: "PID", width: "66px", className: "number", from: 560 },
      { name: "Program", width: "minmax(80px, 130px)", from: 880 },
      { name: "Command line", width: "minmax(0, 1fr)", className: "code-cell" },
    ],
    count: () => choice.rows.length,
    row: (index) => {
      const row = choice.rows[index];
      const { user, workspace } = data.workspaces[data.columns.workspace[row]];
      return {
        cells: [
          listTime(report, data.columns.time[row]), shown(user), shown(workspace),
          String(pidOf(data, row) ?? ""),
          shown(baseName(data.programs[data.columns.program[row]])), summaryOf(report, row),
        ],
      };
    },
    onMove: (index) => report.details.show(choice.rows[index]),
    onChoose: (index) => report.details.show(choice.rows[index]),
    empty: () => (data.count === 0
      ? empty("No execs", "The log has no exec that the filters of the report choose.")
      : empty("Nothing found", "No exec matches the search and the filters.")),
  });
  choice.onChange(() => grid.root.isConnected && grid.refresh());
  return { name: "Execs", count: () => choice.rows.length, grid };
}
