// The data of the page. Each part is compressed (RFC 1951), and written as base64.

/**
 * The marks of execs: their bits in the column `flags` (as in `report/rows.rs`), their names, and
 * their labels in the filter.
 */
const FAILED = 1;
const MARKS = [
  { bit: FAILED, name: "failed", strong: true, label: "Failed execs" },
  { bit: 8, name: "tampered", strong: true, label: "Tampered" },
  { bit: 4, name: "entered", label: "Entered from outside" },
  { bit: 128, name: "other user", label: "Other effective user" },
  { bit: 16, name: "memfd", label: "In memory only" },
  { bit: 32, name: "deleted file", label: "Deleted files" },
  { bit: 64, name: "changed file", label: "Changed files" },
  { bit: 2, name: "cut", label: "argv is cut" },
];

/** Decodes base64. */
function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Resolves when the browser has read the whole file. */
const isRead = new Promise((resolve) => {
  if (document.readyState !== "loading") resolve();
  else document.addEventListener("DOMContentLoaded", resolve, { once: true });
});

/** The bytes of a part. Removes its element, unless `isKept` says that it is read again. */
async function part(id, isKept) {
  const find = () => byId(`part-${id}`);
  // An element is complete once another element follows it.
  if (!find()?.nextElementSibling) await isRead;
  const found = find();
  if (!found) throw new Error(`the part ${id} of this file is missing`);
  const stream = new Blob([bytesOf(found.textContent)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  if (!isKept) found.remove();
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const decoder = new TextDecoder();

/** A column of numbers. A plane has one byte of each number; the first plane has the lowest. */
function column(shape, bytes, begin) {
  const { length, planes, is_delta: isDelta } = shape;
  const isWide = planes > 4 || shape.name === "time";
  const values = isWide ? new Float64Array(length) : new Uint32Array(length);
  let factor = 1;
  for (let plane = 0; plane < planes; plane++, factor *= 256) {
    const from = begin + plane * length;
    for (let at = 0; at < length; at++) values[at] += bytes[from + at] * factor;
  }
  if (!isDelta) return values;
  let value = 0;
  for (let at = 0; at < length; at++) {
    const zigzag = values[at];
    value += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
    values[at] = value;
  }
  return values;
}

/** All columns, by name. */
function columnsOf(shapes, bytes) {
  const columns = {};
  let begin = 0;
  for (const shape of shapes) {
    columns[shape.name] = column(shape, bytes, begin);
    begin += shape.length * shape.planes;
  }
  return columns;
}

/** The data that the page needs first. */
async function readData() {
  const about = JSON.parse(decoder.decode(await part("about")));
  const columns = columnsOf(about.columns, await part("columns"));
  const gaps = about.gaps.map(([kind, workspace, since, until, count, text]) =>
    ({ kind, workspace, since, until, count, text }));
  const workspaces = about.workspaces.map(([user, workspace, run]) => ({
    user: user ?? "",
    workspace: workspace ?? (run ? `run ${run}` : ""),
  }));
  return { about, columns, gaps, workspaces, programs: about.programs, count: columns.time.length };
}

/**
 * Groups the indices of `keys` by key: `of(k)` are those with key `k`. With `isIn`, only indices for
 * which it is true.
 */
function groupBy(keys, groups, isIn) {
  const begins = new Uint32Array(groups + 1);
  for (let at = 0; at < keys.length; at++) if (!isIn || isIn(at)) begins[keys[at] + 1]++;
  for (let key = 0; key < groups; key++) begins[key + 1] += begins[key];
  const items = new Uint32Array(begins[groups]);
  const next = begins.slice();
  for (let at = 0; at < keys.length; at++) if (!isIn || isIn(at)) items[next[keys[at]]++] = at;
  return { begins, items, of: (key) => items.subarray(begins[key], begins[key + 1]) };
}
