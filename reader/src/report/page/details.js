// Shows the details of one exec: all keys of its line.

/** Number of arguments, and of characters of a text, that are shown before a click. */
const WORDS = 200;
const LONG = 4000;

/** Keys that the list omits: the panel shows them elsewhere, or all execs have the same value. */
const PLACED = new Set(["msg", "level", "event.argv", "fields.cmdline"]);

/** Shows a text exactly. A button shows the rest of a long text. */
function exactText(parent, text) {
  // Avoids cutting within a character beyond U+FFFF, which takes two units.
  const end = text.codePointAt(LONG - 1) > 0xffff ? LONG - 1 : LONG;
  appendExact(parent, text.slice(0, end));
  if (text.length <= end) return parent;
  const rest = button(`… ${number.format(text.length - end)} more characters`, () => {
    rest.remove();
    appendExact(parent, text.slice(end));
  }, "more");
  parent.append(rest);
  return parent;
}

/** The arguments, one on each line. */
function argvList(words) {
  const list = element("ol", "argv");
  list.id = "argv";
  const add = (from, to) => {
    for (const word of words.slice(from, to)) {
      const text = exactText(element("span"), word);
      list.append(element("li", "", text));
    }
  };
  add(0, WORDS);
  if (words.length <= WORDS) return [list];
  const more = button(`… ${number.format(words.length - WORDS)} more arguments`, () => {
    more.remove();
    add(WORDS, words.length);
  }, "more");
  return [list, more];
}

/** The lines that show a JSON value. */
function valueTexts(json) {
  const value = JSON.parse(json);
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  if (value && typeof value === "object") {
    return Object.entries(value)
      .map(([key, item]) => `${key}: ${typeof item === "string" ? item : JSON.stringify(item)}`);
  }
  // Keeps the text of a number, because JavaScript would round numbers above 2^53.
  return [json];
}

class Details {
  constructor(report) {
    this.report = report;
    this.root = byId("details");
    this.body = byId("details-body");
    this.row = null;
    byId("details-close").addEventListener("click", () => this.close());
  }

  close() {
    if (this.root.hidden) return;
    this.root.hidden = true;
    this.row = null;
    this.report.view.grid.root.focus();
  }

  /** Shows an exec. */
  async show(row) {
    if (this.row === row) return;
    this.row = row;
    this.root.hidden = false;
    try {
      const { blocks } = this.report;
      const keys = await blocks.detailsOf(row);
      const lines = (await blocks.textOf(blocks.blockOf(row))).split("\n");
      const text = JSON.parse(`"${lines[row - blocks.begins[blocks.blockOf(row)]]}"`);
      // The user may have chosen another exec in the meantime.
      if (this.row === row) this.fill(row, keys, text);
    } catch (error) {
      // Otherwise the panel would show an earlier exec, or nothing.
      if (this.row === row) this.close();
      failed(error);
    }
  }

  fill(row, keys, text) {
    const { data } = this.report;
    const flags = data.columns.flags[row];
    const hasFailed = flags & FAILED;
    const heading = (name) => element("h3", "", name);
    const content = [];
    const marks = marksOf(flags);
    if (marks.length) content.push(element("p", "marks", ...marks));
    content.push(heading(hasFailed ? "Failed" : "Command line"));
    content.push(exactText(element("p", "code"), text));
    const argv = keys.get("event.argv");
    if (argv !== undefined) {
      const words = argv === "=" ? text.split(" ") : JSON.parse(argv);
      content.push(heading(`Arguments (${number.format(words.length)})`), ...argvList(words));
    }
    content.push(...this.ancestors(row, heading));
    const process = data.columns.process[row];
    const end = process ? endOf(data, process - 1) : "";
    content.push(heading("All keys"), this.facts(keys, end));
    this.body.replaceChildren(...content);
    this.body.scrollTop = 0;
  }

  /** At most 40 processes above an exec, each with the program of its first exec. */
  ancestors(row, heading) {
    const { data } = this.report;
    const { above, first, pid, process, program } = data.columns;
    const path = [];
    let at = process[row] ? above[process[row] - 1] : 0;
    for (; at && path.length < 40; at = above[at - 1]) {
      const exec = first[at - 1] ? first[at - 1] - 1 : null;
      const name = exec === null ? "(forked)" : shown(baseName(data.programs[program[exec]]));
      const label = `${name} ${pid[at - 1]}`;
      path.unshift(exec === null
        ? element("span", "quiet", label) : button(label, () => this.show(exec)));
    }
    if (!path.length) return [];
    const items = path.flatMap((item) => [item, element("span", "quiet", "›")]);
    return [heading("Started by"), element("p", "path", ...items, element("span", "", "this"))];
  }

  facts(keys, end) {
    const list = element("dl", "facts");
    const add = (name, values) => {
      const lines = values.map((value) => exactText(element("div"), value));
      list.append(element("dt", "", shown(name)), element("dd", "", ...lines));
    };
    if (end) add("end", [end]);
    for (const [key, json] of keys) {
      if (PLACED.has(key)) continue;
      add(key.replace(/^(event|fields)\./, ""), valueTexts(json));
    }
    return list;
  }
}
