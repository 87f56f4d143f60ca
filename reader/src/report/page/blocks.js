// Texts and details of execs. A block is decompressed when it is first needed.

/** Maximum number of characters of the kept texts. */
const KEPT = 96e6;
/** Maximum number of kept blocks of details. */
const KEPT_DETAILS = 4;

class Blocks {
  constructor(begins, count) {
    this.begins = begins;
    this.count = count;
    /** Texts by number of the block, in the order in which they were last asked for. */
    this.texts = new Map();
    this.lines = new Map();
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

  /** The text of a row. If it is not loaded yet, returns undefined, and calls `onLoad` later. */
  text(row) {
    const block = this.blockOf(row);
    let lines = this.lines.get(block);
    if (!lines) {
      if (!this.lines.has(block)) {
        this.lines.set(block, null);
        this.textOf(block).then((text) => {
          this.lines.set(block, text.split("\n"));
          if (this.lines.size > 32) this.lines.delete(this.lines.keys().next().value);
          this.onLoad();
        }).catch((error) => {
          this.lines.delete(block);
          failed(error);
        });
      }
      return undefined;
    }
    return JSON.parse(`"${lines[row - this.begins[block]] ?? ""}"`);
  }

  /** All keys of a row, with their JSON. */
  async detailsOf(row) {
    const block = this.blockOf(row);
    let known = this.details.get(block);
    if (!known) {
      const lines = decoder.decode(await part(`d${block}`, true)).split("\n");
      known = { keys: JSON.parse(lines[0]), lines };
      this.details.set(block, known);
      if (this.details.size > KEPT_DETAILS) this.details.delete(this.details.keys().next().value);
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
