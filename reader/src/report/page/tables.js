// Tables of execs by user, workspace and program, and a table of what is not in the log.

/** Counts the chosen execs by a key of their rows. */
function countsBy(report, keyOf) {
  const { columns } = report.data;
  const found = new Map();
  for (const row of report.choice.rows) {
    const key = keyOf(row);
    let counts = found.get(key);
    if (!counts) {
      counts = { key, execs: 0, failed: 0, lost: 0, first: columns.time[row] };
      found.set(key, counts);
    }
    if (columns.flags[row] & FAILED) counts.failed++;
    else counts.execs++;
    counts.last = columns.time[row];
  }
  return found;
}

/**
 * A table of counts, the highest first. `table` has `name`, `label`, `keyOf(row)`, `textOf(key)`,
 * `none` (shown instead of an empty text), and `filter` (the name of the filter that a chosen row
 * sets). It may have `className` and `ofGap(gap)`.
 */
function countsView(report, table) {
  const { choice, data } = report;
  let rows = [];
  let total = 0;
  let isStale = true;
  const hasFailed = data.columns.flags.some((flags) => flags & FAILED);
  const hasLost = table.ofGap && data.gaps.some(({ kind }) => kind === "lost");
  const update = () => {
    if (!isStale) return;
    isStale = false;
    const found = countsBy(report, table.keyOf);
    if (hasLost) {
      for (const gap of choice.gaps()) {
        const counts = gap.kind === "lost" && gap.text === "execs" && found.get(table.ofGap(gap));
        if (counts) counts.lost += gap.count;
      }
    }
    rows = [...found.values()];
    total = rows.reduce((sum, { execs }) => sum + execs, 0);
    rows.sort((a, b) => b.execs - a.execs || b.failed - a.failed);
  };
  const columns = [
    { name: table.label, width: "minmax(0, 1fr)", className: table.className },
    { name: "Execs", width: "84px", className: "number" },
    { name: "Share", width: "56px", className: "number" },
    { name: "", width: "minmax(60px, 160px)", from: 480 },
    { name: "Failed", width: "66px", className: "number", from: hasFailed ? 600 : Infinity },
    { name: "Lost", width: "66px", className: "number", from: hasLost ? 400 : Infinity },
    timeColumn(report, "First (UTC)", 820),
    timeColumn(report, "Last (UTC)", 700),
  ];
  const grid = new Grid({
    id: table.name.toLowerCase(),
    label: `Execs by ${table.label.toLowerCase()}`,
    columns,
    count: () => {
      update();
      return rows.length;
    },
    row: (index) => {
      const { key, execs, failed, lost, first, last } = rows[index];
      const bar = element("span", "bar");
      bar.style.width = `${(100 * execs) / Math.max(1, rows[0].execs)}%`;
      const share = `${((100 * execs) / Math.max(1, total)).toFixed(1)}%`;
      return {
        cells: [
          shown(table.textOf(key)) || table.none,
          number.format(execs), share, [bar],
          failed ? number.format(failed) : "–", lost ? number.format(lost) : "–",
          listTime(report, first), listTime(report, last),
        ],
      };
    },
    onChoose: (index) => {
      choice.set({ [table.filter]: rows[index].key });
      report.open("Execs");
    },
    onClick: (index) => {
      choice.set({ [table.filter]: rows[index].key });
      report.open("Execs");
    },
    empty: () => empty("Nothing to count", "No exec matches the search and the filters."),
  });
  choice.onChange(() => {
    isStale = true;
    if (grid.root.isConnected) grid.refresh();
  });
  const list = () => {
    isStale = true;
    update();
    return rows;
  };
  return { name: table.name, grid, list, table };
}

function tableViews(report) {
  const { data } = report;
  const { workspace, program } = data.columns;
  return [
    {
      name: "Users", label: "User", filter: "user", none: "(no label of a user)",
      keyOf: (row) => data.workspaces[workspace[row]].user,
      textOf: (key) => key,
      ofGap: (gap) => data.workspaces[gap.workspace].user,
    },
    {
      name: "Workspaces", label: "Workspace", filter: "workspace", none: "(no label)",
      keyOf: (row) => workspace[row],
      textOf: (key) => workspaceName(data, key),
      ofGap: (gap) => gap.workspace,
    },
    {
      name: "Programs", label: "Program", filter: "program", none: "(empty)",
      className: "code-cell",
      keyOf: (row) => program[row],
      textOf: (key) => data.programs[key],
    },
  ].map((table) => countsView(report, table));
}

/** The names of the user and of the workspace. */
function workspaceName(data, at) {
  const { user, workspace } = data.workspaces[at];
  return [user, workspace].filter(Boolean).join(" / ");
}

function gapsView(report) {
  const { choice, data } = report;
  let gaps = [];
  const grid = new Grid({
    id: "gap",
    label: "Not in the log",
    columns: [
      { name: "What", width: "104px", className: "kind" },
      timeColumn(report, "From (UTC)"),
      timeColumn(report, "To (UTC)", 620),
      { name: "Time", width: "86px", className: "number", from: 700 },
      { name: "Workspace", width: "minmax(90px, 220px)", from: 860 },
      { name: "Events", width: "minmax(0, 1fr)" },
    ],
    count: () => {
      gaps = choice.gaps();
      return gaps.length;
    },
    row: (index) => {
      const gap = gaps[index];
      const { kind, since, until, workspace } = gap;
      const lasted = until > since ? durationOf(until - since) : "–";
      return {
        cells: [
          GAP_NAMES[kind], listTime(report, since), listTime(report, until), lasted,
          shown(workspaceName(data, workspace)) || "(no label)", shown(gapText(gap)),
        ],
        className: kind,
      };
    },
    onChoose: (index) => {
      const { since, until } = gaps[index];
      const margin = Math.max(60e6, (until - since) / 2);
      choice.setPeriod(since - margin, until + margin);
    },
    empty: () => empty("Nothing is missing",
      "For the chosen user, workspace and time, no line reports a loss, and no line is missing. "
      + "Whether the log was changed is checked by exectrail-log verify."),
  });
  choice.onChange(() => grid.root.isConnected && grid.refresh());
  return { name: "Not in the log", count: () => choice.gaps().length, grid };
}
