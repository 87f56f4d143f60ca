// Makes elements. Text from a log is escaped, so that it cannot act on the display.

// Characters that act on the display or are invisible, as in reader/src/shown.rs.
const UNSEEN = new RegExp(
  "[\\p{Control}\\u2028\\u2029\\ufff9-\\ufffb\\p{Default_Ignorable_Code_Point}]", "gu");

const escape = (c) => `\\u{${c.codePointAt(0).toString(16)}}`;

/** Escapes unseen characters of a text. */
const shown = (text) => text.replace(UNSEEN, escape);

/** Makes an element with a class, and with texts or other elements as content. */
function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content.filter((part) => part !== undefined && part !== ""));
  return made;
}

/** A button with a text. */
function button(text, onClick, className) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** Appends text, and marks escapes: the text itself can contain characters such as `\u{200b}`. */
function appendExact(parent, text) {
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    parent.append(text.slice(from, match.index));
    parent.append(element("span", "escape", escape(match[0])));
    from = match.index + match[0].length;
  }
  parent.append(text.slice(from));
}

const byId = (id) => document.getElementById(id);

const number = new Intl.NumberFormat("en-US");

/** A number with its word, such as `1 exec` or `2 execs`. */
const counted = (count, one, many = `${one}s`) => `${number.format(count)} ${count === 1 ? one : many}`;

const iso = (microseconds) => new Date(microseconds / 1000).toISOString();

/** A date. */
const dateOf = (microseconds) => iso(microseconds).slice(0, 10);

/** A time of day, to the millisecond. */
const timeOf = (microseconds) => iso(microseconds).slice(11, 23);

/** A time for people, exact enough to differ from the time that is `step` later. */
function momentOf(microseconds, step) {
  const text = iso(microseconds);
  if (step >= 86400e6) return text.slice(5, 10);
  if (step >= 60e6) return text.slice(11, 16);
  if (step >= 1e6) return text.slice(11, 19);
  return text.slice(11, 23);
}

/** A duration in the units that suit its length. */
function durationOf(microseconds) {
  const seconds = microseconds / 1e6;
  if (seconds < 1) return `${Math.round(microseconds / 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The last component of a path. */
const baseName = (path) => path.slice(path.lastIndexOf("/") + 1) || path;

/** A message for an empty list. */
function empty(title, text) {
  return element("p", "empty", element("strong", "", title), text);
}
