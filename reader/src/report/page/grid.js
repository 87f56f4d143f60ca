// A list of any number of rows. Only the visible rows have elements.

const ROW = 28;
/** Height in pixels that all browsers can scroll. A taller list has pages: see `pageSize`. */
const TALLEST = 8e6;

class Grid {
  /**
   * `options` has `id`, `label`, `role`, `columns`, `count()`, and `row(index)`, which returns
   * `cells`, `className`, `level` and `isOpen`. A column has `name`, `width`, `className` and
   * `from`. The column is shown if the list is at least `from` pixels wide. `options` also has the
   * callbacks `onMove(index)`, `onChoose(index)`, `onClick(index)` and `onToggle(index, isOpen)`.
   * `empty()` returns what is shown if the list has no row.
   */
  constructor(options) {
    this.options = options;
    this.active = 0;
    // The position in the list, in pixels, that scroll position 0 stands for. It is 0 in a list
    // that is not taller than `TALLEST`.
    this.shift = 0;
    // The scroll position that was drawn.
    this.before = 0;
    // The elements of visible rows, by index.
    this.rows = new Map();
    // Elements for the next rows that become visible.
    this.spare = [];
    this.root = element("div", "grid");
    this.root.setAttribute("role", options.role ?? "grid");
    this.root.setAttribute("aria-label", options.label);
    this.root.tabIndex = 0;
    this.head = element("div", "head");
    this.head.setAttribute("role", "rowgroup");
    this.scroll = element("div", "scroll");
    this.scroll.tabIndex = -1;
    this.scroll.setAttribute("role", "rowgroup");
    this.space = element("div", "space");
    this.space.setAttribute("role", "presentation");
    this.scroll.append(this.head, this.space);
    this.root.append(this.scroll);
    this.shown = [];
    this.scroll.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.space.addEventListener("click", (event) => this.onClick(event));
    new ResizeObserver(() => this.resize()).observe(this.scroll);
  }

  /** Shows the columns that fit. */
  resize() {
    const width = this.scroll.clientWidth;
    if (!width) return;
    const all = this.options.columns.map((column, at) => ({ ...column, at }));
    const columns = all.filter(({ from }) => (from ?? 0) <= width);
    if (columns.length !== this.shown.length) this.setColumns(columns);
    this.draw();
  }

  setColumns(columns) {
    this.shown = columns;
    this.root.style.setProperty("--columns", columns.map((c) => c.width).join(" "));
    this.root.setAttribute("aria-colcount", columns.length);
    const row = element("div", "row");
    row.setAttribute("role", "row");
    for (const { name, className } of columns) {
      const cell = element("span", className?.replace("code-cell", "") ?? "", name);
      cell.setAttribute("role", "columnheader");
      row.append(cell);
    }
    this.head.replaceChildren(row);
    for (const made of this.rows.values()) made.remove();
    this.rows.clear();
    this.spare = [];
  }

  get height() {
    return this.count * ROW;
  }

  /** Shows the rows anew, after they have changed. */
  refresh() {
    this.count = this.options.count();
    this.active = Math.max(0, Math.min(this.active, this.count - 1));
    this.root.setAttribute("aria-rowcount", this.count + 1);
    this.space.style.height = `${Math.min(this.height, TALLEST)}px`;
    const isEmpty = this.count === 0;
    this.emptied?.remove();
    if (isEmpty) {
      this.emptied = this.options.empty();
      this.scroll.append(this.emptied);
    }
    this.moveTo(Math.min(this.before + this.shift, Math.max(0, this.height - this.view)));
    this.resize();
  }

  get view() {
    return Math.max(ROW, this.scroll.clientHeight - this.head.offsetHeight);
  }

  /**
   * The pages of a list: their `size`, their number, and `step`, by which `shift` grows from one
   * page to the next. In a list that is not taller than `TALLEST`, `step` is 0.
   */
  pageSize() {
    const size = Math.min(this.height, TALLEST) / 100;
    const pages = Math.floor(this.height / size);
    const step = this.height > TALLEST ? (this.height - TALLEST) / (pages - 1) : 0;
    return { size, pages, step };
  }

  onScroll() {
    const top = this.scroll.scrollTop;
    if (top === this.before) return;
    if (this.height <= TALLEST) {
      this.before = top;
    } else if (Math.abs(top - this.before) < this.view) {
      this.moveTo(top + this.shift);
    } else {
      const { size, pages, step } = this.pageSize();
      const share = (this.height - this.view) / (TALLEST - this.view);
      const page = Math.min(pages - 1, Math.floor((top * share) / size));
      this.shift = Math.round(page * step);
      this.before = top;
    }
    this.draw();
  }

  /** Moves the top of the view to a position in the whole list. */
  moveTo(place) {
    if (this.count === 0) return;
    const { size, pages, step } = this.pageSize();
    const page = Math.min(pages - 1, Math.floor(place / size));
    this.shift = Math.round(page * step);
    const top = Math.round(place - this.shift);
    this.before = top;
    if (Math.abs(this.scroll.scrollTop - top) >= 1) this.scroll.scrollTop = top;
  }

  /** Puts the visible rows in their places. */
  draw() {
    if (this.count === undefined || !this.shown.length || !this.root.isConnected) return;
    const top = this.before + this.shift;
    const from = Math.max(0, Math.floor(top / ROW) - 4);
    const to = Math.min(this.count, Math.ceil((top + this.view) / ROW) + 4);
    for (const [index, row] of this.rows) {
      if (index < from || index >= to) {
        this.rows.delete(index);
        this.spare.push(row);
      }
    }
    for (let index = from; index < to; index++) {
      let row = this.rows.get(index);
      if (!row) {
        row = this.spare.pop() ?? this.makeRow();
        this.rows.set(index, row);
      }
      this.fill(row, index);
      if (!row.isConnected) this.space.append(row);
    }
    for (const row of this.spare) row.remove();
    const active = this.rows.get(this.active);
    if (active) this.root.setAttribute("aria-activedescendant", active.id);
    else this.root.removeAttribute("aria-activedescendant");
  }

  makeRow() {
    const row = element("div", "row");
    row.setAttribute("role", "row");
    for (const { className } of this.shown) {
      const cell = element("span", className);
      cell.setAttribute("role", "gridcell");
      row.append(cell);
    }
    return row;
  }

  fill(row, index) {
    const { cells, className, level, isOpen } = this.options.row(index);
    const isActive = index === this.active;
    row.id = `${this.options.id}-${index}`;
    row.className = `row ${className ?? ""}${isActive ? " active" : ""}`;
    row.style.transform = `translateY(${index * ROW - this.shift}px)`;
    row.setAttribute("aria-rowindex", index + 2);
    row.setAttribute("aria-selected", isActive);
    if (level !== undefined) row.setAttribute("aria-level", level);
    if (isOpen === undefined) row.removeAttribute("aria-expanded");
    else row.setAttribute("aria-expanded", isOpen);
    this.shown.forEach(({ at: column }, at) => {
      const place = row.children[at];
      const cell = cells[column];
      if (typeof cell !== "string") place.replaceChildren(...cell);
      else if (place.childElementCount > 0 || place.textContent !== cell) place.textContent = cell;
    });
  }

  /** Makes a row the active one, and shows it. */
  setActive(index, isMoved = true) {
    if (this.count === 0) return;
    this.active = Math.max(0, Math.min(index, this.count - 1));
    const [top, place] = [this.before + this.shift, this.active * ROW];
    if (place < top) this.moveTo(place);
    else if (place + ROW > top + this.view) this.moveTo(place + ROW - this.view);
    this.draw();
    this.root.classList.add("chosen");
    if (isMoved) this.options.onMove?.(this.active);
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.count) return;
    const page = Math.max(1, Math.floor(this.view / ROW) - 1);
    const moves = {
      ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.count, End: this.count,
    };
    if (event.key in moves) this.setActive(this.active + moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.options.onChoose?.(this.active);
    else if (event.key === "ArrowRight" && this.options.onToggle) this.options.onToggle(this.active, true);
    else if (event.key === "ArrowLeft" && this.options.onToggle) this.options.onToggle(this.active, false);
    else return;
    event.preventDefault();
  }

  onClick(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const index = Number(row.getAttribute("aria-rowindex")) - 2;
    this.root.focus({ preventScroll: true });
    const isTwist = event.target.closest(".twist") !== null;
    this.setActive(index, !isTwist);
    if (isTwist) this.options.onToggle(index, row.getAttribute("aria-expanded") !== "true");
    else this.options.onClick?.(index);
  }
}
