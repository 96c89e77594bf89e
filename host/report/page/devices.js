// The results of devices: a table to sort and to filter, whose rows open to everything.

function rate(text) { return text.tokens * text.texts / text.seconds.median; }

function tokensPerJoule(r) {
  return r.energy.joules ? r.trained_texts * r.work.tokens / r.work.texts / r.energy.joules.median : NaN;
}

// `high`: more is better. Those with `bar` have one, on a logarithmic scale.
const columns = [
  { id: "device", head: "Device", text: (r) => r.device.name },
  { id: "setup", head: "Products", text: (r) => [r.setup.precision, r.setup.weights, r.setup.gemm].join(" · ") },
  { id: "short", head: "Tokens/s, short", value: (r) => rate(r.texts[0]), bar: true, high: true, hint: (r) => `texts of ${r.texts[0].tokens} tokens to keys and values` },
  { id: "long", head: "Tokens/s, long", value: (r) => rate(r.texts[1]), bar: true, high: true, hint: (r) => `texts of ${r.texts[1].tokens} tokens to keys and values` },
  { id: "step", head: "Step, ms", value: (r) => 1e3 * r.seconds.step.median, bar: true, hint: () => "keys and values of its texts are kept" },
  { id: "whole", head: "Whole texts, ms", value: (r) => 1e3 * r.seconds.step_whole.median, bar: true, hint: () => "a step that reads its texts anew" },
  { id: "job", head: "Job, s", value: (r) => r.seconds.job.median, bar: true, hint: () => "the whole training, from start to end of the process" },
  { id: "build", head: "Build, s", value: (r) => r.seconds.build.median, hint: () => "kernels compiled as for the first time" },
  { id: "memory", head: "MB", value: (r) => r.memory.device_bytes / 1e6, hint: () => "most memory of the device" },
  { id: "energy", head: "Tokens/J", value: tokensPerJoule, bar: true, high: true, hint: (r) => r.energy.joules ? "trained tokens of the job, by " + r.energy.by : r.energy.reason },
  { id: "check", head: "Check", value: (r) => r.check.worst === null ? NaN : r.check.worst, hint: () => "largest error of the self-test, as a part of what it allows" },
];

const state = { work: 0, words: "", sort: "long", down: true, open: new Set() };

function works() {
  const found = new Map();
  for (const entry of data.results) {
    const key = JSON.stringify(entry.result.work);
    if (!found.has(key)) found.set(key, { work: entry.result.work, entries: [] });
    found.get(key).entries.push(entry);
  }
  return [...found.values()].sort((a, b) => b.entries.length - a.entries.length);
}

function workName(w) {
  return `${w.model.name}: ${w.texts} texts, ${w.tokens} tokens, batches of ${w.batch_size}, ${w.prompt_rows} prompt rows, seed ${w.seed}, config ${w.config.slice(0, 6)}`;
}

function matches(entry) {
  const r = entry.result, all = [r.device.name, r.device.platform, r.device.driver, r.device.type, r.machine.processor, r.machine.system,
    r.setup.precision, r.setup.weights, r.setup.gemm, r.program.version, entry.file, entry.verdict.own_build ? "own build" : "",
    entry.verdict.wrong ? "wrong" : ""].join(" ").toLowerCase();
  return state.words.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

// What is wrong is never ranked: it comes last, whatever the order; so does what has no figure.
function order(a, b) {
  const column = columns.find((c) => c.id === state.sort), turn = state.down ? -1 : 1;
  if (a.verdict.wrong !== b.verdict.wrong) return a.verdict.wrong ? 1 : -1;
  if (column.text) return turn * column.text(a.result).localeCompare(column.text(b.result));
  const x = column.value(a.result), y = column.value(b.result);
  if (Number.isFinite(x) !== Number.isFinite(y)) return Number.isFinite(x) ? -1 : 1;
  return Number.isFinite(x) ? turn * (x - y) : 0;
}

// Where a value lies between the least and the most of its column, in orders of magnitude.
function scaleOf(column, entries) {
  const logs = entries.map((e) => column.value(e.result)).filter((v) => v > 0).map(Math.log10);
  const low = Math.min(...logs), high = Math.max(...logs);
  return (v) => (v > 0 ? 8 + 92 * (high > low ? (Math.log10(v) - low) / (high - low) : 1) : 0);
}

function spreadText(s) {
  return `${short(s.median)} (${short(s.least)} to ${short(s.most)}, ${s.n} times)`;
}

function isSpread(v) { return v !== null && typeof v === "object" && "median" in v && "least" in v; }

// Every leaf of an object as a name and a text.
function leaves(value, name, into) {
  if (isSpread(value)) into.push([name, spreadText(value)]);
  else if (Array.isArray(value)) value.forEach((v, i) => leaves(v, `${name} ${i + 1}`, into));
  else if (value !== null && typeof value === "object") for (const [k, v] of Object.entries(value)) leaves(v, name ? `${name}.${k}` : k, into);
  else into.push([name, value === null ? "–" : String(value)]);
  return into;
}

function marksOf(entry) {
  const v = entry.verdict, marks = [];
  if (v.wrong) marks.push(el("span", { class: "wrong" }, "wrong: ", v.apart === null ? "too few steps" : `loss of step ${v.step} is ${percent(v.apart, 2)} off`));
  if (v.own_build) marks.push(el("span", { class: "note" }, "own build"));
  if (v.differs !== null) marks.push(el("span", { class: "note" }, `${percent(v.differs, 0)} from another result of this device`));
  if (v.others > 0) marks.push(el("span", { class: "note" }, `${v.others + 1} results, alike`));
  if (!entry.result.same_bits) marks.push(el("span", { class: "note" }, "not the same bits each time"));
  return marks;
}

function details(entry, entries) {
  const r = { ...entry.result }, alike = entries.filter((e) => e.verdict.same_as !== null && data.results[e.verdict.same_as] === entry);
  const tests = Object.entries(r.check.tests), losses = r.losses;
  delete r.losses;
  r.check = { ...r.check };
  delete r.check.tests;
  return el("td", { colspan: columns.length + 1, class: "left" },
    el("p", {}, marksOf(entry).map((m) => [m, " "])),
    el("div", { class: "pair" },
      el("div", {}, el("h3", {}, "Everything; seconds, with their spread"), el("dl", { class: "facts" }, leaves(r, "", [["file", entry.file]]).map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]))),
      el("div", {}, el("h3", {}, "Loss"), lineChart([{ name: entry.file, hue: 0, x: losses.map((_, i) => i + 1), y: losses, width: 1.8 }], { label: "loss over steps" }),
        el("h3", {}, "Largest error of each test, as a part of what is allowed"),
        el("dl", { class: "facts" }, tests.map(([k, v]) => [el("dt", {}, k), el("dd", {}, short(v))])),
        alike.length ? [el("h3", {}, "Alike"), alike.map((e) => el("p", {}, `${e.file}: job ${spreadText(e.result.seconds.job)} s`))] : null)));
}

function cell(column, entry, scales) {
  const r = entry.result, bar = scales.get(column.id);
  if (column.id === "device") {
    return el("td", { class: "left" }, el("span", { class: "text" }, r.device.name),
      el("span", { class: "note text" }, `${r.device.platform}, ${r.device.driver}; ${r.machine.processor}, ${r.machine.cores} of ${r.machine.of_cores} cores${r.machine.virtual_machine ? ", virtual" : ""}${r.machine.container ? ", container" : ""}`),
      marksOf(entry).map((m) => el("span", { class: "text" }, m)));
  }
  if (column.text) return el("td", { class: "left" }, column.text(r));
  const value = column.value(r);
  return el("td", { title: column.hint(r) }, short(value), bar ? el("div", { class: "log" }, el("i", { style: { width: bar(value) + "%" } })) : null);
}

function head(draw) {
  return el("tr", {}, el("th", { scope: "col" }, "#"), columns.map((c) => el("th", {
    scope: "col", class: c.text ? "left" : null, "aria-sort": state.sort === c.id ? (state.down ? "descending" : "ascending") : null,
  }, el("button", { type: "button", class: "sort", id: "by-" + c.id, onclick: () => {
    if (state.sort === c.id) state.down = !state.down;
    else Object.assign(state, { sort: c.id, down: Boolean(c.high) });
    draw();
  } }, c.head, state.sort === c.id ? (state.down ? " ↓" : " ↑") : ""))));
}

function main() {
  const all = works();
  byId("program").textContent = data.program;
  document.title = `${data.results.length} results – dunlin`;
  const table = el("table", { id: "devices" }), about = el("p", { class: "note" });
  const draw = () => {
    const entries = all.length ? all[state.work].entries : [];
    const shown = entries.filter((e) => e.verdict.same_as === null && matches(e)).sort(order);
    const scales = new Map(columns.filter((c) => c.bar).map((c) => [c.id, scaleOf(c, shown)]));
    let place = 0;
    redrawn.clear();
    const rows = shown.flatMap((entry) => {
      const open = () => {
        if (!state.open.delete(entry)) state.open.add(entry);
        draw();
      };
      const row = el("tr", { class: entry.verdict.wrong ? "pick off" : "pick", tabindex: "0", "aria-expanded": String(state.open.has(entry)), onclick: open,
        onkeydown: (e) => { if (e.key === "Enter") open(); } },
        el("td", {}, entry.verdict.wrong ? "–" : String(++place)), columns.map((c) => cell(c, entry, scales)));
      return state.open.has(entry) ? [row, el("tr", { class: "details" }, details(entry, entries))] : [row];
    });
    table.replaceChildren(el("thead", {}, head(draw)), el("tbody", {}, rows));
    const folded = entries.filter((e) => e.verdict.same_as !== null).length;
    about.textContent = `${shown.length} of ${entries.length} results` + (folded ? `; ${folded} within 15 % of another of the same device stand in that one's row` : "");
  };
  const picker = el("select", { id: "work", "aria-label": "Work", onchange: () => { state.work = Number(picker.value); state.open.clear(); draw(); } },
    all.map((w, i) => el("option", { value: i }, `${workName(w.work)} (${w.entries.length})`)));
  const filter = el("input", { type: "search", id: "filter", placeholder: "Filter", "aria-label": "Filter", oninput: () => { state.words = filter.value; draw(); } });
  byId("switches").append(themeButton());
  byId("main").append(el("section", {}, el("div", { class: "tools" }, filter, picker), about,
    el("div", { class: "scroll" }, table),
    el("p", { class: "note" }, "A row opens. Figures are medians; bars are logarithmic, from the least to the most that is shown. There is no score of all: sort by what matters to you. Losses of the first 20 steps must be within 0.1 % of the median of all results of this work and precision, else a result is wrong and not ranked. Own build: kernels of another text than this program's.")));
  window.dunlin = { state, draw };
  draw();
}

main();
