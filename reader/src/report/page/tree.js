// The tree of processes. Its nodes are numbers: first workspaces, then processes, then the later
// execs of processes.

/** Maximum level that is shown by indentation. Deeper rows show their depth as a number. */
const INDENTED = 24;
/** If the search and the filters leave at most this many processes, all nodes are open. */
const OPEN = 400;

class Tree {
  constructor(report) {
    this.report = report;
    this.nodes = [];
    this.levels = [];
    /** The closed nodes if `areOpen`, and otherwise the open nodes. */
    this.toggled = new Set();
    this.isStale = true;
  }

  /** Computes data of all processes when the tree is first shown. */
  build() {
    if (this.children) return;
    const { columns, workspaces } = this.report.data;
    this.workspaces = workspaces.length;
    this.processes = columns.pid.length;
    const { above, process, process_workspace: of } = columns;
    this.children = groupBy(above, this.processes + 1, (at) => above[at] > 0);
    this.roots = groupBy(of, this.workspaces, (at) => above[at] === 0);
    this.rows = groupBy(process, this.processes + 1);
    this.wanted = new Uint8Array(this.processes);
    this.kept = new Uint8Array(this.processes);
  }

  /** Keeps the chosen processes, and the processes above them. */
  choose() {
    this.build();
    const { columns } = this.report.data;
    const { rows, isAll } = this.report.choice;
    this.wanted.fill(0);
    this.kept.fill(0);
    this.chosen = isAll ? null : new Uint8Array(this.report.data.count);
    let count = 0;
    for (const row of rows) {
      if (this.chosen) this.chosen[row] = 1;
      let process = columns.process[row];
      if (process) this.wanted[process - 1] = 1;
      while (process && !this.kept[process - 1]) {
        this.kept[process - 1] = 1;
        count++;
        process = columns.above[process - 1];
      }
    }
    const isOpen = !isAll && count <= OPEN;
    if (isOpen !== this.areOpen) this.toggled.clear();
    this.areOpen = isOpen;
    if (!isOpen && !this.toggled.size && this.workspaces <= 3) {
      for (let at = 0; at < this.workspaces; at++) this.toggled.add(at);
    }
    this.isStale = false;
    this.flatten();
  }

  isOpen(node) {
    return this.toggled.has(node) !== this.areOpen;
  }

  /** The nodes below a node, in the order of the log. */
  below(node) {
    const base = this.workspaces;
    if (node >= base + this.processes) return [];
    const isKept = (process) => this.kept[process];
    const order = (process) => this.orderOf(process);
    const sorted = (processes) =>
      Array.from(processes).filter(isKept).sort((a, b) => order(a) - order(b));
    if (node < base) return sorted(this.roots.of(node)).map((process) => base + process);
    const process = node - base;
    const later = this.laterRows(process);
    const execs = later.map((row) => [row, base + this.processes + row]);
    const started = sorted(this.children.of(process + 1)).map((at) => [order(at), base + at]);
    return [...execs, ...started].sort((a, b) => a[0] - b[0]).map(([, at]) => at);
  }

  /** The first row of a process, or of a process below it. */
  orderOf(process) {
    for (let at = process, depth = 0; depth < 9; depth++) {
      const rows = this.rows.of(at + 1);
      if (rows.length) return rows[0];
      const children = this.children.of(at + 1);
      if (!children.length) break;
      at = children[0];
    }
    // Not Infinity: the difference of two would not be a number.
    return Number.MAX_SAFE_INTEGER;
  }

  /** The chosen execs of a process after its first one. */
  laterRows(process) {
    const first = this.report.data.columns.first[process];
    return Array.from(this.rows.of(process + 1))
      .filter((row) => row + 1 !== first && (!this.chosen || this.chosen[row]));
  }

  hasBelow(node) {
    const base = this.workspaces;
    if (node < base) return this.roots.of(node).some((process) => this.kept[process]);
    if (node >= base + this.processes) return false;
    const process = node - base;
    return this.laterRows(process).length > 0
      || this.children.of(process + 1).some((child) => this.kept[child]);
  }

  /** Lists the nodes that are visible. */
  flatten() {
    this.nodes = [];
    this.levels = [];
    const stack = [];
    for (let at = this.workspaces - 1; at >= 0; at--) if (this.hasBelow(at)) stack.push([at, 1]);
    while (stack.length) {
      const [node, level] = stack.pop();
      this.nodes.push(node);
      this.levels.push(level);
      if (!this.isOpen(node)) continue;
      const below = this.below(node);
      for (let at = below.length - 1; at >= 0; at--) stack.push([below[at], level + 1]);
    }
  }

  /** Opens or closes the node of a row, or moves to its first child or its parent. */
  toggle(index, isOpen) {
    const node = this.nodes[index];
    const { grid } = this;
    if (this.hasBelow(node) && this.isOpen(node) !== isOpen) {
      if (this.toggled.has(node)) this.toggled.delete(node);
      else this.toggled.add(node);
      this.flatten();
      grid.refresh();
    } else if (isOpen && this.isOpen(node) && this.hasBelow(node)) {
      grid.setActive(index + 1);
    } else if (!isOpen) {
      let at = index - 1;
      while (at >= 0 && this.levels[at] >= this.levels[index]) at--;
      if (at >= 0) grid.setActive(at);
    }
  }

  /** The exec of a node. */
  execOf(node) {
    const base = this.workspaces;
    if (node < base) return undefined;
    if (node >= base + this.processes) return node - base - this.processes;
    const first = this.report.data.columns.first[node - base];
    return first ? first - 1 : undefined;
  }

  row(index) {
    const node = this.nodes[index];
    const { data } = this.report;
    const level = this.levels[index];
    const isOpen = this.hasBelow(node) ? this.isOpen(node) : undefined;
    const indent = element("span", "twist", isOpen === undefined ? "" : isOpen ? "▾" : "▸");
    indent.style.marginLeft = `${(Math.min(level, INDENTED) - 1) * 16}px`;
    indent.setAttribute("aria-hidden", "true");
    const depth = level > INDENTED ? [element("span", "mark", `depth ${level}`)] : [];
    const cells = (text, ...rest) => [[indent, ...depth, ...[text].flat()], ...rest];
    if (node < this.workspaces) {
      const { user, workspace } = data.workspaces[node];
      const name = [user, workspace].filter(Boolean).map(shown).join(" / ") || "no labels";
      return { cells: cells(name, "", "", ""), className: "title", level, isOpen };
    }
    const row = this.execOf(node);
    const time = row === undefined ? "" : listTime(this.report, data.columns.time[row]);
    const process = node - this.workspaces;
    if (process >= this.processes) {
      return { cells: cells(["⇒ ", ...[summaryOf(this.report, row)].flat()], "", time, ""), level };
    }
    const pid = String(data.columns.pid[process]);
    const end = endOf(data, process);
    const text = row === undefined ? forkOf(data, process) : summaryOf(this.report, row);
    const className = this.wanted[process] ? "" : "dim";
    return { cells: cells(text, pid, time, end), className, level, isOpen };
  }
}

/** The text of a process without an exec. */
const forkOf = (data, process) => (data.columns.end[process] & 1024
  ? "(only forked; placed here by its session)"
  : "(only forked, or no exec in this report)");

/** How a process ended; empty if unknown. */
function endOf(data, process) {
  const end = data.columns.end[process] & 1023;
  if (!end) return "";
  const lasted = durationOf(data.columns.lasted[process]);
  return end < 257 ? `exit ${end - 1}, ${lasted}` : `signal ${end - 257}, ${lasted}`;
}

function treeView(report) {
  const tree = new Tree(report);
  const hasEnds = report.data.columns.end.some((end) => end & 1023);
  tree.grid = new Grid({
    id: "node",
    label: "Processes",
    role: "treegrid",
    columns: [
      { name: "Process", width: "minmax(0, 1fr)", className: "code-cell" },
      { name: "PID", width: "68px", className: "number" },
      timeColumn(report, "Time (UTC)", 480),
      { name: "End", width: "120px", from: hasEnds ? 640 : Infinity },
    ],
    count: () => {
      if (tree.isStale) tree.choose();
      return tree.nodes.length;
    },
    row: (index) => tree.row(index),
    onMove: (index) => {
      const row = tree.execOf(tree.nodes[index]);
      if (row !== undefined) report.details.show(row);
    },
    onChoose: (index) => tree.toggle(index, !tree.isOpen(tree.nodes[index])),
    onToggle: (index, isOpen) => tree.toggle(index, isOpen),
    empty: () => empty("No processes", "No process matches the search and the filters."),
  });
  report.choice.onChange(() => {
    tree.isStale = true;
    if (tree.grid.root.isConnected) tree.grid.refresh();
  });
  return { name: "Processes", grid: tree.grid };
}
