// Opens the report: figures, search, filters, views and the theme.

/** Shows an error. */
function failed(error) {
  const place = byId("fault");
  place.textContent = `Something in this report failed: ${shown(String(error?.message ?? error))}`;
  place.hidden = false;
}

/** Shows a text. Screen readers say it, too. */
function showStatus(text) {
  byId("count").textContent = text;
}

function showFigures(report) {
  const { data } = report;
  const { flags } = data.columns;
  let failures = 0;
  for (const its of flags) failures += its & FAILED;
  const sum = (kind) => data.gaps
    .filter((gap) => gap.kind === kind && gap.text === "execs")
    .reduce((all, gap) => all + gap.count, 0);
  const untraced = data.gaps.filter(({ kind }) => kind === "untraced");
  const period = untraced.reduce((all, { since, until }) => all + until - since, 0);
  const missing = data.gaps.reduce((all, gap) => all + (gap.kind === "missing" ? gap.count : 0), 0);
  const users = new Set(data.workspaces.map(({ user }) => user).filter(Boolean));
  const figures = [
    ["Execs", number.format(data.count - failures)],
    ...(failures ? [["Failed execs", number.format(failures)]] : []),
    ["Users", number.format(users.size)],
    ["Workspaces", number.format(data.workspaces.length)],
    ["Programs", number.format(data.programs.length)],
    ["Lost", number.format(sum("lost")), "lost"],
    ["Suppressed", number.format(sum("suppressed")), "suppressed"],
    ...(missing ? [["Lines missing", number.format(missing), "missing"]] : []),
    ["Not recorded", period ? durationOf(period) : untraced.length ? "unknown" : "none"],
  ];
  byId("figures").replaceChildren(...figures.map(([name, value, className]) =>
    element("div", value === "0" ? "" : className,
      element("dt", "", name), element("dd", "", value))));
}

function showAbout({ data, choice }) {
  const { about } = data;
  byId("title").textContent = shown(about.title);
  document.title = shown(about.title);
  const files = about.files.slice(0, 3).map((name) => shown(baseName(name))).join(", ");
  const more = about.files.length > 3 ? ` and ${about.files.length - 3} more` : "";
  const [begin, end] = choice.whole;
  const lastDay = dateOf(begin) === dateOf(end) ? "" : `${dateOf(end)} `;
  const time = data.count || data.gaps.length
    ? `${dateOf(begin)} ${momentOf(begin, 1e6)} – ${lastDay}${momentOf(end, 1e6)}, ` : "";
  const [only] = data.workspaces.length === 1 ? data.workspaces : [];
  const who = only ? [only.user, only.workspace].filter(Boolean).map(shown).join("/") : "";
  const filters = about.filters ? ` Only what these filters choose: ${shown(about.filters)}.` : "";
  const part = about.is_whole ? "" : " Part of the log could not be read.";
  byId("about").textContent = `${who && `${who}, `}${time}from ${files}${more}.${filters}${part}`;
}

/** Shows the filters, each with a button that removes it. */
function showChips({ data, choice }) {
  const chips = [];
  const add = (name, text, changes) => {
    const label = element("span", "", `${name}: ${shown(text)}`);
    const chip = button(label, () => {
      choice.set(changes);
      byId("search").focus();
    });
    chip.append("×");
    chip.setAttribute("aria-label", `Remove the filter ${name}: ${shown(text)}`);
    chips.push(element("li", "", chip));
  };
  if (choice.user !== null) add("User", choice.user || "(none)", { user: null });
  if (choice.workspace !== null) {
    add("Workspace", workspaceName(data, choice.workspace) || "(none)", { workspace: null });
  }
  if (choice.program !== null) add("Program", data.programs[choice.program], { program: null });
  if (choice.hasPeriod) {
    const [begin, end] = choice.period;
    const exact = end - begin < 60e6 ? 1 : 1e6;
    add("Time", `${momentOf(begin, exact)} – ${momentOf(end, exact)}`, { period: choice.whole });
  }
  byId("chips").replaceChildren(...chips);
}

function showCount({ data, choice }) {
  const all = counted(data.count, "exec");
  showStatus(choice.isAll ? all : `${number.format(choice.rows.length)} of ${all}`);
}

function listenSearch({ choice }) {
  const search = byId("search");
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const onPart = (share) => showStatus(`Searching: ${Math.round(100 * share)}%`);
      choice.search(search.value.trim(), onPart).catch(failed);
    }, 150);
  });
}

function showMarks({ data, choice }) {
  const select = byId("mark");
  const option = (name, value) => {
    const made = element("option", "", name);
    made.value = value;
    return made;
  };
  const counts = MARKS.map(() => 0);
  for (const flags of data.columns.flags) {
    if (flags) MARKS.forEach(({ bit }, at) => { if (flags & bit) counts[at]++; });
  }
  const found = MARKS.map(({ bit, label }, at) =>
    counts[at] && option(`${label} (${number.format(counts[at])})`, bit)).filter(Boolean);
  select.replaceChildren(option("All execs", 0), ...found);
  select.hidden = found.length === 0;
  select.addEventListener("change", () => choice.set({ mark: Number(select.value) }));
}

/** Shows the views, each behind a tab. */
function showTabs(report) {
  const tabs = byId("tabs");
  const made = report.views.map((view, at) => {
    const count = element("b");
    const tab = button(view.name, () => report.open(view.name));
    tab.append(count);
    tab.id = `tab-${at}`;
    tab.setAttribute("role", "tab");
    const panel = element("div");
    panel.id = `panel-${at}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.setAttribute("aria-controls", panel.id);
    panel.hidden = true;
    byId("panels").append(panel);
    return { view, tab, panel, count };
  });
  const recount = () => made.forEach(({ view, count }) => {
    if (view.count) count.textContent = number.format(view.count());
  });
  recount();
  report.choice.onChange(recount);
  tabs.replaceChildren(...made.map(({ tab }) => tab));
  report.open = (name) => {
    for (const { view, tab, panel } of made) {
      const isOpen = view.name === name;
      tab.setAttribute("aria-selected", isOpen);
      tab.tabIndex = isOpen ? 0 : -1;
      panel.hidden = !isOpen;
      panel.replaceChildren(...(isOpen ? [view.grid.root] : []));
      if (isOpen) {
        report.view = view;
        view.grid.refresh();
      }
    }
  };
  tabs.addEventListener("keydown", (event) => {
    const at = made.findIndex(({ view }) => view === report.view);
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: made.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const { view, tab } = made[(moves[event.key] + made.length) % made.length];
    report.open(view.name);
    tab.focus();
  });
}

function listenKeys(report) {
  const search = byId("search");
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      search.dispatchEvent(new Event("input"));
    } else if (event.key === "Escape") {
      report.details.close();
    } else if (event.key === "ArrowDown" && event.target === search) {
      event.preventDefault();
      report.view.grid.root.focus();
    }
  });
}

function listenTheme(report) {
  const themes = [undefined, "light", "dark"];
  let at = 0;
  byId("theme").addEventListener("click", () => {
    at = (at + 1) % themes.length;
    if (themes[at]) document.documentElement.dataset.theme = themes[at];
    else delete document.documentElement.dataset.theme;
    byId("theme").textContent = `Theme: ${themes[at] ?? "automatic"}`;
    report.timeline.draw();
  });
  matchMedia("(prefers-color-scheme: dark)")
    .addEventListener("change", () => report.timeline.draw());
}

async function openReport() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser is too old; use Chrome 103, Firefox 113, Safari 16.4 or later");
  }
  const data = await readData();
  const blocks = new Blocks(data.about.blocks, data.count);
  const choice = new Choice(data, blocks);
  const [begin, end] = choice.whole;
  const report = { data, blocks, choice };
  report.hasDays = dateOf(begin) !== dateOf(end);
  report.hasWorkspaces = data.workspaces.length > 1;
  report.details = new Details(report);
  byId("main").hidden = false;
  showAbout(report);
  showFigures(report);
  report.views = [execsView(report), treeView(report), ...tableViews(report), gapsView(report)];
  report.timeline = new Timeline(data, choice);
  byId("timeline").hidden = !choice.hasTimes;
  blocks.onLoad = () => {
    report.view.grid.draw();
    // For measurements: the time at which the first rows show their texts.
    document.body.dataset.opened ??= Math.round(performance.now());
  };
  choice.onChange(() => {
    showChips(report);
    showCount(report);
  });
  showTabs(report);
  showMarks(report);
  showCount(report);
  listenSearch(report);
  listenKeys(report);
  listenTheme(report);
  listenPrint(report);
  report.open("Execs");
  if (data.count === 0) document.body.dataset.opened = Math.round(performance.now());
}

openReport().catch(failed);
