// Texts and details of execs. A block is decompressed when it is first needed.

/** Maximum number of characters of the kept texts. */
const KEPT = 96e6;
/** Maximum number of kept blocks whose text is divided into lines. */
const KEPT_LINES = 8;
/** Maximum number of rows whose text is kept: more than any screen shows. */
const KEPT_ROWS = 4096;
/** Maximum number of characters of a text in a list. */
const SHOWN = 1000;
/** Maximum number of kept blocks of details. */
const KEPT_DETAILS = 4;

/** Removes the entry that was added first, if there are more than `most`. */
function limit(map, most) {
  if (map.size > most) map.delete(map.keys().next().value);
}

class Blocks {
  constructor(begins, count) {
    this.begins = begins;
    this.count = count;
    /** Texts by number of the block, in the order in which they were last asked for. */
    this.texts = new Map();
    this.lines = new Map();
    /** Texts by row, in the order in which they were last asked for. */
    this.rows = new Map();
    /** The rows that wait for a block, by its number. */
    this.waiting = new Map();
    this.details = new Map();
    this.characters = 0;
    this.onLoad = () => {};
  }

  /** The block of a row. */
  blockOf(row) {
    let [from, to] = [0, this.begins.length];
    while (to - from > 1) {
      const middle = (from + to) >> 1;
      if (this.begins[middle] <= row) from = middle;
      else to = middle;
    }
    return from;
  }

  rowsOf(block) {
    return (this.begins[block + 1] ?? this.count) - this.begins[block];
  }

  /** The texts of a block, one on each line. */
  async textOf(block) {
    const known = this.texts.get(block);
    if (known !== undefined) {
      this.texts.delete(block);
      this.texts.set(block, known);
      return known;
    }
    const text = decoder.decode(await part(`t${block}`, true));
    if (!this.texts.has(block)) {
      this.texts.set(block, text);
      this.characters += text.length;
      for (const [oldest, its] of this.texts) {
        if (this.characters < KEPT || oldest === block) break;
        this.texts.delete(oldest);
        this.lines.delete(oldest);
        this.characters -= its.length;
      }
    }
    return text;
  }

  /**
   * The first `SHOWN` characters of a row's text. If they are not loaded yet, returns undefined, and
   * calls `onLoad` later.
   */
  text(row) {
    const known = this.rows.get(row);
    if (known !== undefined) {
      this.rows.delete(row);
      this.rows.set(row, known);
      return known;
    }
    const block = this.blockOf(row);
    const lines = this.lines.get(block);
    if (lines) return this.keep(row, lines[row - this.begins[block]]);
    const waiting = this.waiting.get(block);
    if (waiting) {
      waiting.add(row);
      return undefined;
    }
    this.waiting.set(block, new Set([row]));
    this.load(block).catch(failed);
    return undefined;
  }

  /** Loads the texts of the rows that wait for a block. */
  async load(block) {
    try {
      const lines = (await this.textOf(block)).split("\n");
      this.lines.set(block, lines);
      limit(this.lines, KEPT_LINES);
      // A screen can show rows of more blocks than are kept. So the texts of rows are kept, too.
      for (const row of this.waiting.get(block)) this.keep(row, lines[row - this.begins[block]]);
    } finally {
      this.waiting.delete(block);
    }
    this.onLoad();
  }

  /** Keeps the beginning of a row's text, whose line of the block is JSON without quotes. */
  keep(row, line) {
    let text = JSON.parse(`"${line ?? ""}"`);
    // This is a copy: a part of a string can keep the whole string in memory.
    if (text.length > SHOWN) text = JSON.parse(JSON.stringify(text.slice(0, SHOWN)));
    this.rows.set(row, text);
    limit(this.rows, KEPT_ROWS);
    return text;
  }

  /** All keys of a row, with their JSON. */
  async detailsOf(row) {
    const block = this.blockOf(row);
    let known = this.details.get(block);
    if (!known) {
      const lines = decoder.decode(await part(`d${block}`, true)).split("\n");
      known = { keys: JSON.parse(lines[0]), lines };
      this.details.set(block, known);
      limit(this.details, KEPT_DETAILS);
    }
    const rows = this.rowsOf(block);
    const found = new Map();
    known.keys.forEach((key, at) => {
      const json = known.lines[1 + at * rows + row - this.begins[block]];
      if (json) found.set(key, json);
    });
    return found;
  }

  /**
   * Marks in `hits` the rows whose text contains a needle. Case does not matter. `onPart` gets the
   * share of texts that is already searched, and returns whether to continue. Returns whether all
   * texts were searched.
   */
  async search(needle, hits, onPart) {
    // The needle gets the form of the texts, which are JSON without quotes.
    const sought = JSON.stringify(needle).slice(1, -1).toLowerCase();
    const plain = needle.toLowerCase();
    let pause = performance.now() + 30;
    for (let block = 0; block < this.begins.length; block++) {
      const text = (await this.textOf(block)).toLowerCase();
      let row = this.begins[block];
      let end = text.indexOf("\n");
      for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, end + 1)) {
        while (end >= 0 && end < at) {
          end = text.indexOf("\n", end + 1);
          row++;
        }
        const line = text.slice(text.lastIndexOf("\n", at) + 1, end < 0 ? undefined : end);
        // A match within an escape is no match in the parsed text. Escapes begin with a backslash.
        if (!line.includes("\\") || JSON.parse(`"${line}"`).includes(plain)) hits[row] = 1;
        if (end < 0) break;
      }
      if (performance.now() > pause) {
        await new Promise((resolve) => setTimeout(resolve));
        if (!onPart((block + 1) / this.begins.length)) return false;
        pause = performance.now() + 30;
      }
    }
    return true;
  }
}
