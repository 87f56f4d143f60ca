// Names and colors of what is not in the log.

const GAP_NAMES = {
  lost: "Lost", suppressed: "Suppressed", untraced: "Not recorded", missing: "Lines missing",
  open: "No end",
};

/** The text of a gap. */
function gapText({ kind, count, text }) {
  if (kind === "lost" || kind === "suppressed") return `${number.format(count)} ${text}`;
  return text;
}

// The kinds of gaps that the timeline shades.
const GAP_KINDS = [
  { kind: "lost", name: "lost", color: "--lost", slope: 1 },
  { kind: "suppressed", name: "suppressed", color: "--suppressed", slope: -1 },
  { kind: "untraced", name: "not recorded", color: "--untraced", slope: 0 },
  { kind: "missing", name: "lines missing", color: "--missing", slope: 2 },
];
