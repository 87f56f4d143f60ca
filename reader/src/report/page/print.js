// The printed page: figures, timeline, and the first rows of each table.

const PRINTED = 25;

/** The parts of a printed table. `#` marks the heading of a column that has numbers. */
function printedTable(title, heads, rows, total) {
  const line = (name, cells) => element("tr", "", ...cells.map((cell, at) =>
    element(name, typeof cell === "number" || heads[at].startsWith("#") ? "number" : "",
      typeof cell === "number" ? number.format(cell) : cell)));
  const head = line("th", heads);
  head.childNodes.forEach((cell) => { cell.textContent = cell.textContent.replace("#", ""); });
  const table = element("table", "", element("thead", "", head),
    element("tbody", "", ...rows.map((row) => line("td", row))));
  const rest = total > rows.length ? `, the first ${rows.length} of ${number.format(total)}` : "";
  return [element("h2", "", `${title}${rest}`), table];
}

/** Makes the printed tables. */
function preparePrint(report) {
  const parts = [];
  for (const { name, table, list } of report.views.filter((view) => view.list)) {
    const all = list();
    const rows = all.slice(0, PRINTED).map(({ key, execs, failed }) =>
      [shown(table.textOf(key)) || table.none, execs, failed]);
    parts.push(...printedTable(name, [table.label, "#Execs", "#Failed"], rows, all.length));
  }
  const gaps = report.choice.gaps();
  const rows = gaps.slice(0, 2 * PRINTED).map((gap) => [
    GAP_NAMES[gap.kind], `${dateOf(gap.since)} ${timeOf(gap.since)}`,
    `${dateOf(gap.until)} ${timeOf(gap.until)}`, shown(workspaceName(report.data, gap.workspace)),
    shown(gapText(gap)),
  ]);
  if (rows.length) {
    const heads = ["What", "From", "To", "Workspace", "Events"];
    parts.push(...printedTable("Not in the log", heads, rows, gaps.length));
  }
  byId("printed").replaceChildren(...parts);
}

function listenPrint(report) {
  const root = document.documentElement;
  let theme;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    preparePrint(report);
    report.timeline.draw();
  });
  window.addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    byId("printed").replaceChildren();
    report.timeline.draw();
  });
}
