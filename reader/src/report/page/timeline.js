// The timeline: the number of execs over time, and what is not in the log.

const FOOT = 20;
const TOP = 16;
const BAR = 3;

/** A hatching, so that kinds of gaps differ even without color. */
function hatching(context, color, slope) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = color;
  pen.globalAlpha = 0.18;
  pen.fillRect(0, 0, 8, 8);
  pen.globalAlpha = 0.6;
  pen.strokeStyle = color;
  pen.lineWidth = 1.2;
  for (const shift of [-8, 0, 8]) {
    pen.beginPath();
    if (slope === 1) { pen.moveTo(shift, 8); pen.lineTo(shift + 8, 0); }
    else if (slope === -1) { pen.moveTo(shift, 0); pen.lineTo(shift + 8, 8); }
    else if (slope === 2) { pen.moveTo(4, 0); pen.lineTo(4, 8); }
    else { pen.moveTo(0, 4); pen.lineTo(8, 4); }
    pen.stroke();
  }
  return context.createPattern(tile, "repeat");
}

class Timeline {
  constructor(data, choice) {
    this.data = data;
    this.choice = choice;
    this.root = byId("timeline");
    this.canvas = byId("canvas");
    this.shownKinds = GAP_KINDS.filter(({ kind }) => data.gaps.some((gap) => gap.kind === kind));
    choice.onChange(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.root);
    this.listen();
  }

  /** The gaps that are shaded. */
  shades() {
    return this.choice.gaps().filter((gap) => gap.kind !== "open");
  }

  draw() {
    const width = this.root.clientWidth;
    if (!width) return;
    const height = this.canvas.clientHeight;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const bottom = height - FOOT;
    this.width = width;
    this.count(Math.max(1, Math.floor(width / BAR)));
    const top = Math.max(1, this.all.reduce((a, b) => Math.max(a, b), 0));
    pen.font = "11px system-ui, sans-serif";
    this.shadePoints(pen, bottom, color);
    this.bars(pen, this.all, top, bottom, color("--bar-pale"));
    this.bars(pen, this.chosen, top, bottom, color("--accent"));
    this.shadeAreas(pen, bottom, color);
    this.axis(pen, bottom, color);
    pen.fillStyle = color("--quiet");
    pen.textAlign = "left";
    const each = durationOf((this.choice.period[1] - this.choice.period[0]) / this.all.length);
    if (this.data.count) pen.fillText(`at most ${counted(top, "exec")} in ${each}`, 0, 10);
    this.legend(color);
    this.read(null);
  }

  /** Counts the execs of each bar: all execs, and the chosen ones. */
  count(bars) {
    const { time, order } = this.data.columns;
    const [begin, end] = this.choice.period;
    const factor = bars / (end - begin);
    this.all = new Uint32Array(bars);
    this.chosen = new Uint32Array(bars);
    for (let at = 0; at < order.length; at++) {
      const bar = Math.floor((time[order[at]] - begin) * factor);
      if (bar >= 0 && bar < bars) this.all[bar]++;
    }
    for (const row of this.choice.rows) this.chosen[Math.floor((time[row] - begin) * factor)]++;
  }

  bars(pen, counts, top, bottom, color) {
    pen.fillStyle = color;
    const step = this.width / counts.length;
    counts.forEach((count, at) => {
      if (!count) return;
      const height = Math.max(1.5, (count / top) * (bottom - TOP));
      pen.fillRect(at * step, bottom - height, Math.max(1, step - 0.6), height);
    });
  }

  xOf(time) {
    const [begin, end] = this.choice.period;
    return ((time - begin) / (end - begin)) * this.width;
  }

  timeOf(x) {
    const [begin, end] = this.choice.period;
    return begin + (Math.min(Math.max(x, 0), this.width) / this.width) * (end - begin);
  }

  /** The areas of the gaps of a kind, from left to right. Adjacent gaps are one area. */
  areas(kind, isPoint) {
    const areas = [];
    for (const gap of this.shades()) {
      const [from, to] = [Math.floor(this.xOf(gap.since)), Math.ceil(this.xOf(gap.until))];
      if (gap.kind !== kind || to - from <= BAR !== isPoint) continue;
      const [begin, end] = [Math.max(0, from), Math.min(this.width, Math.max(to, from + 2))];
      const last = areas[areas.length - 1];
      if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
      else areas.push([begin, end]);
    }
    return areas;
  }

  /** Draws gaps that fit into a bar: a mark on the axis, and a pale line behind the bars. */
  shadePoints(pen, bottom, color) {
    for (const { kind, color: name } of GAP_KINDS) {
      const areas = this.areas(kind, true);
      pen.fillStyle = color(name);
      for (const [from, to] of areas) {
        pen.globalAlpha = 0.16;
        pen.fillRect(from, TOP, to - from, bottom - TOP);
        pen.globalAlpha = 1;
        pen.fillRect(from, bottom + 1, to - from, 4);
      }
    }
  }

  /** Draws wide gaps: hatched, over the bars. */
  shadeAreas(pen, bottom, color) {
    for (const { kind, color: name, slope } of GAP_KINDS) {
      for (const [from, to] of this.areas(kind, false)) {
        pen.fillStyle = hatching(pen, color(name), slope);
        pen.fillRect(from, TOP, to - from, bottom - TOP);
        pen.fillStyle = color(name);
        pen.fillRect(from, bottom + 1, to - from, 4);
      }
    }
  }

  axis(pen, bottom, color) {
    const [begin, end] = this.choice.period;
    const wanted = Math.max(3, Math.floor(this.width / 100));
    const units = [1e3, 1e4, 1e5, 1e6, 5e6, 15e6, 60e6, 300e6, 900e6, 3600e6, 10800e6, 21600e6,
      43200e6, 86400e6, 7 * 86400e6, 30 * 86400e6, 365 * 86400e6];
    const step = units.find((unit) => (end - begin) / unit <= wanted) ?? units[units.length - 1];
    pen.strokeStyle = color("--line");
    pen.fillStyle = color("--quiet");
    pen.beginPath();
    pen.moveTo(0, bottom + 0.5);
    pen.lineTo(this.width, bottom + 0.5);
    pen.stroke();
    pen.textAlign = "center";
    const marks = Math.min(400, Math.floor(end / step) - Math.ceil(begin / step) + 1);
    for (let mark = 0; mark < marks; mark++) {
      const time = (Math.ceil(begin / step) + mark) * step;
      const x = this.xOf(time);
      if (x < 24 || x > this.width - 30) continue;
      pen.fillRect(x, bottom, 1, 5);
      const isDay = step < 86400e6 && time % 86400e6 === 0;
      pen.fillText(isDay ? dateOf(time).slice(5) : momentOf(time, step), x, bottom + 16);
    }
  }

  legend(color) {
    const items = this.shownKinds.map(({ name, color: of, slope }) => {
      const sample = element("canvas");
      sample.width = 16;
      sample.height = 12;
      const pen = sample.getContext("2d");
      pen.fillStyle = hatching(pen, color(of), slope);
      pen.fillRect(0, 0, 16, 12);
      return element("li", "", sample, name);
    });
    byId("legend").replaceChildren(...items);
  }

  /**
   * Shows how many chosen execs the bar at `x` has, and which gaps overlap the bar. If `x` is null,
   * shows how many chosen execs there are in the whole period.
   */
  read(x) {
    const [begin, end] = this.choice.period;
    const step = (end - begin) / this.all.length;
    let [from, to, count] = [begin, end, this.choice.rows.length];
    if (x !== null) {
      const bar = Math.min(this.all.length - 1, Math.floor((x / this.width) * this.all.length));
      from = begin + bar * step;
      to = from + step;
      count = this.chosen[bar];
    }
    // Without a pointer, names no gap: the figures and the legend describe the gaps of the whole
    // log.
    const gaps = x === null ? []
      : this.shades().filter((gap) => gap.until >= from && gap.since <= to);
    const parts = [counted(count, "exec")];
    for (const { kind, name } of GAP_KINDS) {
      const its = gaps.filter((gap) => gap.kind === kind);
      if (!its.length) continue;
      const sum = its.reduce((all, gap) => all + gap.count, 0);
      parts.push(sum ? `${number.format(sum)} ${name}` : name);
    }
    const exact = end - begin < 60e6 ? 1 : 1e6;
    const until = dateOf(from) === dateOf(to) ? "" : `${dateOf(to)} `;
    byId("reading").textContent =
      `${dateOf(from)} ${momentOf(from, exact)} – ${until}${momentOf(to, exact)}: ${parts.join(", ")}`;
  }

  zoom(factor, x = this.width / 2) {
    const [begin, end] = this.choice.period;
    const [share, length] = [x / this.width, (end - begin) * factor];
    const from = this.timeOf(x) - share * length;
    this.choice.setPeriod(from, from + length);
  }

  move(share) {
    const [begin, end] = this.choice.period;
    this.choice.setPeriod(begin + share * (end - begin), end + share * (end - begin));
  }

  listen() {
    const brush = byId("brush");
    const place = (event) => event.clientX - this.root.getBoundingClientRect().left;
    let start = null;
    this.root.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      start = place(event);
      this.root.setPointerCapture(event.pointerId);
    });
    this.root.addEventListener("pointermove", (event) => {
      const x = place(event);
      this.read(Math.min(Math.max(x, 0), this.width - 1));
      brush.hidden = start === null || Math.abs(x - start) < 4;
      if (start === null) return;
      brush.style.left = `${Math.max(0, Math.min(start, x))}px`;
      brush.style.width = `${Math.min(this.width, Math.max(start, x)) - Math.max(0, Math.min(start, x))}px`;
    });
    this.root.addEventListener("pointerup", (event) => {
      const x = place(event);
      if (start !== null && Math.abs(x - start) >= 4) {
        this.choice.setPeriod(this.timeOf(Math.min(start, x)), this.timeOf(Math.max(start, x)));
      }
      start = null;
      brush.hidden = true;
    });
    this.root.addEventListener("pointercancel", () => { start = null; brush.hidden = true; });
    this.root.addEventListener("pointerleave", () => this.read(null));
    this.root.addEventListener("keydown", (event) => {
      const keys = {
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
        ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2),
        0: () => this.choice.setPeriod(...this.choice.whole),
      };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    byId("zoom-in").addEventListener("click", () => this.zoom(0.5));
    byId("zoom-out").addEventListener("click", () => this.zoom(2));
    byId("zoom-all").addEventListener("click", () => this.choice.setPeriod(...this.choice.whole));
  }
}
