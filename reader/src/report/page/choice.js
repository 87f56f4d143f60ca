// Chooses execs by search, time, user, workspace, program and mark.

class Choice {
  constructor(data, blocks) {
    this.data = data;
    this.blocks = blocks;
    this.query = "";
    this.hits = null;
    this.user = null;
    this.workspace = null;
    this.program = null;
    this.mark = 0;
    const { time, order } = data.columns;
    const last = data.count - 1;
    const times = [];
    if (data.count > 0) times.push(time[order[0]], time[order[last]]);
    for (const gap of data.gaps) times.push(gap.since, gap.until);
    this.hasTimes = times.length > 0;
    const begin = times.length ? times.reduce((a, b) => Math.min(a, b)) : 0;
    const end = times.length ? times.reduce((a, b) => Math.max(a, b)) : 1e6;
    /** The whole period of the report, and the chosen period. Neither includes its end. */
    this.whole = [begin, Math.max(end + 1, begin + 1000)];
    this.period = this.whole;
    this.listeners = [];
    this.work = 0;
    this.update();
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  get isAll() {
    return !this.hits && this.user === null && this.workspace === null && this.program === null
      && !this.mark && !this.hasPeriod;
  }

  get hasPeriod() {
    return this.period[0] > this.whole[0] || this.period[1] < this.whole[1];
  }

  /** Whether a workspace is chosen. */
  hasWorkspace(workspace) {
    return (this.user === null || this.data.workspaces[workspace].user === this.user)
      && (this.workspace === null || workspace === this.workspace);
  }

  /** Computes the chosen rows, in order of time. */
  update() {
    const { time, order, workspace, program, flags } = this.data.columns;
    const [begin, end] = this.period;
    const wanted = this.data.workspaces.map((_, at) => this.hasWorkspace(at));
    const rows = new Uint32Array(this.data.count);
    let count = 0;
    for (let at = 0; at < order.length; at++) {
      const row = order[at];
      if (time[row] < begin || time[row] >= end || !wanted[workspace[row]]) continue;
      if (this.program !== null && program[row] !== this.program) continue;
      if (this.mark && !(flags[row] & this.mark)) continue;
      if (this.hits && !this.hits[row]) continue;
      rows[count++] = row;
    }
    this.rows = rows.subarray(0, count);
    for (const listener of this.listeners) listener();
  }

  set(changes) {
    Object.assign(this, changes);
    this.update();
  }

  /** Chooses a period of at least a millisecond, within the whole period. */
  setPeriod(begin, end) {
    const [first, last] = this.whole;
    const length = Math.min(Math.max(end - begin, 1000), last - first);
    const from = Math.min(Math.max(begin, first), last - length);
    this.set({ period: length >= last - first ? this.whole : [from, from + length] });
  }

  /** Searches. `onPart` gets the share of texts that is already searched. */
  async search(query, onPart) {
    const work = ++this.work;
    this.query = query;
    if (!query) return this.set({ hits: null });
    const { columns, programs, count } = this.data;
    const hits = new Uint8Array(count);
    const isEnded = () => work !== this.work;
    const isDone = await this.blocks.search(query, hits, (share) => {
      if (!isEnded()) onPart(share);
      return !isEnded();
    });
    if (!isDone || isEnded()) return undefined;
    const lower = query.toLowerCase();
    const named = programs.map((name) => name.toLowerCase().includes(lower));
    const pid = /^\d+$/.test(query) ? Number(query) : -1;
    for (let row = 0; row < count; row++) {
      if (named[columns.program[row]]) hits[row] = 1;
      else if (pid >= 0 && pidOf(this.data, row) === pid) hits[row] = 1;
    }
    return this.set({ hits });
  }

  /** The gaps of the chosen workspaces and period. */
  gaps() {
    const [begin, end] = this.period;
    return this.data.gaps.filter((gap) =>
      this.hasWorkspace(gap.workspace) && gap.until >= begin && gap.since < end);
  }
}

/** The process id of an exec; undefined if the log lacks it. */
function pidOf(data, row) {
  const process = data.columns.process[row];
  return process ? data.columns.pid[process - 1] : undefined;
}
