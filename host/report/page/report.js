// The report: a verdict, then what it rests on.

const known = {
  majority: "always the largest class",
  class_means_untrained: "class means, untrained",
  probe_before: "linear probe, untrained points",
  probe_after: "linear probe, trained points",
};

function baselineName(key) {
  return known[key] || key.replace(/_/g, " ").replace(/^./, (c) => c.toLowerCase());
}

// Wilson's interval for a share, 95 %.
function interval(share, n) {
  const z = 1.96, d = 1 + z * z / n, middle = (share + z * z / (2 * n)) / d;
  const half = z / d * Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return [middle - half, middle + half];
}

function difference(own, other) {
  const points = 100 * (own - other), size = Math.abs(points).toFixed(1);
  return Math.abs(points) < 0.05 ? "as many as" : `${size} points ${points > 0 ? "more" : "fewer"} than`;
}

// What a run stands beside: name and accuracy.
function numbersOf(metrics) {
  const probe = metrics.linear_probe || {};
  return Object.entries({ ...(metrics.baseline || {}), probe_before: probe.before, probe_after: probe.after })
    .filter(([, v]) => typeof v === "number");
}

function sentence(run) {
  const m = run.metrics, b = m.baseline || {}, [low, high] = interval(m.accuracy, m.n);
  const largest = run.classes[m.classes.reduce((best, c, k) => (c.support > m.classes[best].support ? k : best), 0)];
  const parts = [`${percent(m.accuracy)} of ${m.n} held-out texts get the right class (95 % interval ${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %)`];
  const against = [];
  if (Number.isFinite(b.class_means_untrained)) against.push(`${difference(m.accuracy, b.class_means_untrained)} class means without any training`);
  if (Number.isFinite(b.majority)) against.push(`${difference(m.accuracy, b.majority)} always saying “${largest}”`);
  const probe = m.linear_probe || {};
  if (Number.isFinite(probe.before)) against.push(`${difference(m.accuracy, probe.before)} a linear probe without training`);
  return parts.concat(against.length ? [against.join(", ")] : []).join(": ") + ".";
}

// Were there held-out texts?
function measured(run) {
  return typeof run.metrics.accuracy === "number";
}

function verdict(run) {
  if (!measured(run)) {
    return el("section", { id: "verdict" }, el("p", { class: "sentence" },
      `Trained for ${run.metrics.steps} steps and not measured: there were no validation texts.`));
  }
  const m = run.metrics, [low, high] = interval(m.accuracy, m.n);
  const bars = [["trained, nearest centroid", m.accuracy, true]].concat(
    numbersOf(m).map(([key, value]) => [baselineName(key), value, false])).sort((a, b) => b[1] - a[1]);
  return el("section", { id: "verdict" }, el("div", { class: "verdict" },
    el("div", { class: "big", title: `95 % interval ${percent(low)} to ${percent(high)}` }, (100 * m.accuracy).toFixed(1), el("small", {}, " %")),
    el("p", { class: "sentence" }, sentence(run))),
    el("div", { class: "bars" }, bars.map(([name, value, own]) => [
      el("span", { class: own ? "strong" : "" }, name),
      el("span", { class: "track" }, el("span", { class: own ? "fill own" : "fill", style: { width: Math.max(0, 100 * value) + "%" } })),
      el("span", { class: own ? "value strong" : "value" }, percent(value))])));
}

function scores(run) {
  const m = run.metrics, meter = (v) => el("span", { class: "meter" }, el("i", { style: { width: 100 * v + "%" } }));
  const row = (name, s, k) => el("tr", {}, el("td", {}, el("span", { class: "tag" }, k === undefined ? null : badge(k), el("span", { class: "text" }, name))),
    el("td", {}, s.precision.toFixed(3)), el("td", {}, s.recall.toFixed(3)), el("td", {}, s.f1.toFixed(3), meter(s.f1)), el("td", {}, s.support));
  return el("section", {}, el("h2", {}, "Classification report"), el("div", { class: "scroll tall" }, el("table", {},
    el("thead", {}, el("tr", {}, ["Class", "Precision", "Recall", "F1", "Texts"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, m.classes.map((c, k) => row(run.classes[k], c, k)), m.macro_avg ? row("macro average", m.macro_avg) : null,
      m.weighted_avg ? row("weighted average", m.weighted_avg) : null))));
}

function confusion(run) {
  const counts = run.metrics.confusion || [];
  return el("section", {}, el("h2", {}, "Confusion matrix"), el("p", { class: "note" }, "True classes down, predicted across; the darker, the larger the share of the class."),
    counts.length > mostNumbers ? confusionPicture(counts, run.classes) : confusionTable(counts, run.classes));
}

// Confidence against the share of right answers: dots on the diagonal are probabilities; their size is their texts.
function reliabilityChart(parts, label) {
  const node = el("div", { class: "chart", style: { height: "auto" } });
  const draw = () => {
    const w = Math.max(200, Math.min(460, node.clientWidth)), h = Math.round(w * 0.72), left = 46, right = 12, top = 12, bottom = 40;
    const x = (v) => left + v * (w - left - right), y = (v) => h - bottom - v * (h - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${w} ${h}`, height: h, role: "img", "aria-label": label });
    for (const t of [0, 0.25, 0.5, 0.75, 1]) {
      picture.append(svg("line", { class: "grid", x1: left, x2: w - right, y1: y(t), y2: y(t) }));
      picture.append(svg("text", { x: left - 7, y: y(t) + 4, "text-anchor": "end" }, percent(t, 0)));
      picture.append(svg("text", { x: x(t), y: h - bottom + 16, "text-anchor": "middle" }, percent(t, 0)));
    }
    picture.append(svg("text", { x: x(0.5), y: h - 6, "text-anchor": "middle" }, "confidence"));
    picture.append(svg("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), stroke: color("muted"), "stroke-dasharray": "4 4" }));
    for (const { hue: at, name, bins } of parts) {
      const filled = bins.filter(([n]) => n > 0), most = Math.max(...filled.map(([n]) => n));
      picture.append(svg("path", { d: filled.map(([, c, a], i) => `${i ? "L" : "M"}${x(c).toFixed(1)} ${y(a).toFixed(1)}`).join(""), fill: "none", stroke: hue(at), "stroke-width": 1.5, opacity: 0.6 }));
      for (const [n, c, a] of filled) {
        const dot = svg("circle", { cx: x(c), cy: y(a), r: 3 + 7 * Math.sqrt(n / most), fill: hue(at), opacity: 0.75 });
        dot.append(svg("title", {}, `${name}: ${n} texts, confidence ${percent(c)}, right ${percent(a)}`));
        picture.append(dot);
      }
    }
    node.replaceChildren(picture);
  };
  onWidth(node, draw);
  redrawn.add(draw);
  return node;
}

function calibration(run) {
  const c = run.metrics.calibration;
  if (!c) return null;
  const parts = [{ name: "before", hue: 3, bins: c.before.bins }, { name: "after", hue: 0, bins: c.after.bins }];
  const row = (name, r, temperature) => el("tr", {}, el("td", {}, name), el("td", {}, temperature), el("td", {}, percent(r.error, 2)), el("td", {}, r.surprise.toFixed(4)));
  return el("section", { id: "calibration" }, el("h2", {}, "Calibration"),
    el("p", { class: "note" }, `Do answers with a confidence of 80 % turn out right in 80 of 100? On the diagonal they do. Temperature ${short(c.temperature)} was fitted on all ${c.texts} held-out texts; what is shown as after is each half of them under the temperature of the other half.`),
    el("div", { class: "pair" }, el("div", {}, reliabilityChart(parts, "share of right answers by confidence"),
      el("div", { class: "keys" }, parts.map((p) => el("span", {}, swatch(p.hue), p.name)))),
    el("div", {}, el("table", {}, el("thead", {}, el("tr", {}, ["", "Temperature", "Expected calibration error", "Mean surprise"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, row("before", c.before, short(c.before.temperature)), row("after, crossed", c.after, c.halves.map(short).join(", ")))))));
}

// Of several prompts a mean; with label words less what these say.
function distanceNote(run) {
  const has = settings(run.config), prompts = Number(has["prompt.count"] || 1);
  return (prompts > 1 ? `Distances are the means over those of ${prompts} prompts, each in all dimensions of its points` : "Distances are those in all dimensions")
    + (has["loss.label_words"] ? ", less what the label words say, so that they may be below 0." : ".");
}

function mapSection(run) {
  if (!measured(run)) return [];
  if (!run.points) {
    return [el("section", {}, el("h2", {}, "Held-out texts"), el("p", { class: "note" },
      "The run left no points to show: it was made with [output] report = no."))];
  }
  let list = null;
  const map = new TextMap(run, (i) => { if (list && list.mark) list.mark(i); });
  list = wrongList(map);
  const share = run.points.share, shown = map.n < run.metrics.n ? ` Shown are ${map.n} of ${run.metrics.n}, evenly chosen.` : "";
  const only = el("button", { type: "button", id: "only-wrong", "aria-pressed": "false", onclick: () => {
    map.onlyWrong = !map.onlyWrong;
    only.setAttribute("aria-pressed", String(map.onlyWrong));
    map.changed();
  } }, "Only wrong ones");
  window.dunlin.map = map;
  return [el("section", { id: "texts" }, el("h2", {}, "Held-out texts"),
    el("p", { class: "note" }, `Every text is a point of ${run.metrics.point_width || "many"} dimensions; these are the two in which they differ most (${percent(share[0] + share[1], 0)} of the variance). Large markers are the centroids. ${distanceNote(run)}${shown}`),
    el("div", { class: "map" }, map.view.node, el("div", {}, legend(run.classes, map.hidden, () => map.changed()), el("div", { class: "tools" }, only), map.card)),
    el("h3", {}, "Texts with the wrong class"), list.node || list)];
}

function animation(run) {
  const frames = run.frames, names = run.classes, hidden = new Set();
  if (frames.length < 2) return null;
  const all = (key, centre) => frames.flatMap((f) => f[key].concat(f[centre]));
  let position = frames.length - 1;
  const view = new View(boxOf(all("x", "cx"), all("y", "cy")), (ctx, v) => {
    const now = Math.floor(position), next = Math.min(now + 1, frames.length - 1), part = position - now, ink = color("ink");
    const plot = color("plot"), size = names.length > 30 ? 8 : 12;
    drawWake(ctx, v, frames, position, 12, 5, (k) => !hidden.has(k));
    names.forEach((_, k) => {
      if (hidden.has(k)) return;
      const at = [frames[now].cx[k] * (1 - part) + frames[next].cx[k] * part, frames[now].cy[k] * (1 - part) + frames[next].cy[k] * part];
      ctx.lineJoin = ctx.lineCap = "round";
      ctx.beginPath();
      for (let f = 0; f <= now; f++) ctx.lineTo(v.x(frames[f].cx[k]), v.y(frames[f].cy[k]));
      ctx.lineTo(v.x(at[0]), v.y(at[1]));
      ctx.strokeStyle = look(k).color;
      ctx.globalAlpha = 0.8;
      ctx.lineWidth = 2.5;
      ctx.stroke();
      ctx.globalAlpha = 1;
      marker(ctx, k, v.x(at[0]), v.y(at[1]), size, plot, 6);
      marker(ctx, k, v.x(at[0]), v.y(at[1]), size, ink, 2);
    });
  }, { label: "Training batches and centroids over training" });
  view.canvas.id = "animation";
  const lossAt = (step) => {
    const i = run.history.step.findIndex((s) => s >= step);
    return i >= 0 ? run.history.loss[i] : null;
  };
  const player = new Player(frames.length, (p) => { position = p; view.draw(); }, (f) => {
    if (f === frames.length - 1) return "trained";
    const loss = lossAt(frames[f].step);
    return "step " + frames[f].step + (loss === null ? "" : " · loss " + short(loss));
  }, Math.max(4, frames.length / 12));
  window.dunlin.player = player;
  return el("section", { id: "training" }, el("h2", {}, "Training, played"),
    el("p", { class: "note" }, "The points of each batch as they were when it was trained on, and the path of the centroids. Older batches fade and shrink."),
    view.node, player.node, el("div", { class: "tools" }), legend(names, hidden, () => view.draw()));
}

// What train.keep and train.patience did.
function keptNote(run) {
  const m = run.metrics, n = run.history.valid_loss.length;
  const ended = m.patience_ran_out ? ` Patience ended the training at step ${m.steps}.` : "";
  return (n && m.kept_step !== undefined ? ` Kept is the state after step ${m.kept_step}, with the best held-out loss.` : "") + ended;
}

function curves(run) {
  const h = run.history, width = Math.max(3, Math.round(h.step.length / 25)), blue = 0, orange = 3;
  const many = h.group > 1 ? ` Each value is the mean of ${h.group} steps.` : "";
  const held = h.valid_loss.length ? [{ name: "held out", hue: orange, x: h.valid_loss.map((v) => v[0]), y: h.valid_loss.map((v) => v[1]), width: 2.2, dots: h.valid_loss.length < 60 }] : [];
  // Another loss than cross-entropy has another scale than what the held-out texts are measured by.
  const alike = (settings(run.config)["loss.kind"] || "cross-entropy") === "cross-entropy";
  const surprise = "-log of the probability of the right class, mean over the held-out texts";
  return el("div", { class: "pair" },
    el("section", { id: "loss" }, el("h2", {}, "Loss"), el("p", { class: "note" }, "Of every batch, before its step." + many + (alike && held.length ? ` Held out: ${surprise}.` : "") + keptNote(run)), lineChart([
      { name: "batch", hue: blue, x: h.step, y: h.loss, width: 1, opacity: 0.4 },
      { name: "smoothed", hue: blue, x: h.step, y: smooth(h.loss, width), width: 2.2 }].concat(alike ? held : []), { label: "loss over steps" })),
    !alike && held.length ? el("section", {}, el("h2", {}, "Held-out loss"), el("p", { class: "note" }, surprise + "."), lineChart(held, { label: "held-out loss over steps" })) : null,
    el("section", {}, el("h2", {}, "Accuracy"), el("p", { class: "note" }, "Of the batches, and of the held-out texts where they were measured." + many), lineChart([
      { name: "batch", hue: blue, x: h.step, y: h.accuracy, width: 1, opacity: 0.35 },
      { name: "smoothed", hue: blue, x: h.step, y: smooth(h.accuracy, width), width: 2.2 },
      { name: "held out", hue: orange, x: h.valid.map((v) => v[0]), y: h.valid.map((v) => v[1]), width: 2.2, dots: h.valid.length < 60 }],
    { yFormat: (v) => percent(v, 0), high: 1, label: "accuracy over steps" })));
}

const stageNames = { load: "reading model and data", build: "building kernels", texts: "reading texts", start: "baseline and start", train: "training", eval: "measuring", probe: "linear probes" };

// With what lies between the stages; runs of before that was measured have the stages alone.
function wholeTime(m) {
  return m.wall_seconds || Object.values(m.seconds || {}).reduce((sum, s) => sum + s, 0);
}

function machine(run) {
  const m = run.metrics, device = m.device || {}, stages = Object.entries(m.seconds || {}).filter(([, s]) => typeof s === "number");
  const total = wholeTime(m);
  const stage = (name, s, i) => {
    const part = swatch(i, { width: 100 * s / (total || 1) + "%" });
    part.title = `${name}: ${seconds(s)}`;
    return part;
  };
  const fact = (name, value) => (value === undefined || value === "" ? null : [el("dt", {}, name), el("dd", {}, value)]);
  return el("section", { id: "machine" }, el("h2", {}, `Where the ${seconds(total)} went`),
    el("div", { class: "stages" }, stages.map(([name, s], i) => stage(name, s, i))),
    el("div", { class: "keys" }, stages.map(([name, s], i) => el("span", {}, swatch(i), `${stageNames[name] || name} ${seconds(s)}`))),
    el("dl", { class: "facts" }, [
      fact("Device", device.name), fact("Platform", device.platform), fact("Driver", device.driver), fact("Matrix products", device.gemm),
      fact("Most device memory", m.device_memory_bytes ? (m.device_memory_bytes / 1048576).toFixed(0) + " MiB" : undefined),
      fact("Model", m.model), fact("Steps", m.steps), fact("Last loss", typeof m.last_loss === "number" ? short(m.last_loss) : undefined),
      fact("Held-out loss", typeof m.valid_loss === "number" ? short(m.valid_loss) : undefined), fact("Kept step", m.kept_step),
      fact("dunlin", m.version)].filter(Boolean)));
}

// "section.key" -> value as the file has it.
function settings(lines) {
  const found = {};
  let section = "";
  for (const line of lines) {
    const head = /^\[([^\]]*)\]/.exec(line), pair = /^([a-z_0-9]+) =(?: (.*))?$/.exec(line);
    if (head) section = head[1];
    else if (pair) found[section + "." + pair[1]] = pair[2] || "";
  }
  return found;
}

// 1e-08 is 1e-8.
function sameSetting(a, b) {
  return a === b || (a !== "" && b !== "" && Number(a) === Number(b));
}

function configSection(run) {
  const found = settings(run.config), changed = Object.keys(found).filter((key) => !sameSetting(found[key], data.defaults[key] || ""));
  return el("section", { id: "config" }, el("h2", {}, "Config"), el("p", { class: "note" }, "What differs from the defaults."),
    el("div", { class: "scroll" }, el("table", { class: "changed" }, el("tbody", {}, changed.map((key) =>
      el("tr", {}, el("td", {}, el("code", {}, key)), el("td", { class: "left" }, el("code", { class: "text" }, found[key] || "(empty)"))))))),
    el("details", {}, el("summary", {}, "The whole config"), el("pre", {}, run.config.join("\n"))));
}

// What draws the run that is shown; the comparison above it stays.
let ofRun = [];

function showRun(run) {
  for (const draw of ofRun) redrawn.delete(draw);
  const others = new Set(redrawn);
  byId("run").replaceChildren(...[verdict(run), ...mapSection(run), animation(run), curves(run),
    measured(run) ? el("div", { class: "pair" }, scores(run), confusion(run)) : null, calibration(run), machine(run), configSection(run)].filter(Boolean));
  ofRun = [...redrawn].filter((draw) => !others.has(draw));
}

// Several runs: a table, their held-out curves, and the settings in which they differ.
function comparison(runs, open) {
  const all = runs.map((run) => settings(run.config)), best = Math.max(...runs.filter(measured).map((r) => r.metrics.accuracy));
  const keys = [...new Set(all.flatMap(Object.keys))].filter((key) => key !== "output.dir" && new Set(all.map((s) => s[key])).size > 1);
  const base = [...new Set(runs.flatMap((r) => numbersOf(r.metrics).map(([key]) => key)))];
  const head = ["Run", "Accuracy", "95 % interval", "Macro F1"].concat(base.map(baselineName), ["Steps", "Time", "Device"]);
  const rows = runs.map((run, i) => {
    const m = run.metrics, [low, high] = interval(m.accuracy, m.n);
    return el("tr", { class: "pick", tabindex: "0", onclick: () => open(i), onkeydown: (e) => { if (e.key === "Enter") open(i); } },
      el("td", {}, el("span", { class: "tag" }, badge(i), el("span", { class: "text" }, run.name))),
      el("td", { class: m.accuracy === best ? "right" : "" }, measured(run) ? percent(m.accuracy) : "–"),
      el("td", {}, measured(run) ? `${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)}` : "–"),
      el("td", {}, m.macro_avg && measured(run) ? m.macro_avg.f1.toFixed(3) : "–"), base.map((key) => el("td", {}, percent(Object.fromEntries(numbersOf(m))[key]))),
      el("td", {}, m.steps), el("td", {}, seconds(wholeTime(m))), el("td", {}, (m.device || {}).name || ""));
  });
  const line = (x, y, i) => ({ name: runs[i].name, hue: i, x, y, width: 2, opacity: i < 8 ? 1 : 0.6 });
  byId("comparison").replaceChildren(
    el("section", {}, el("h2", {}, `${runs.length} runs`), el("p", { class: "note" }, "Choose a line to see that run below."),
      el("div", { class: "scroll" }, el("table", { id: "runs" }, el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, rows)))),
    el("div", { class: "pair" },
      el("section", {}, el("h2", {}, "Held-out accuracy"), lineChart(runs.map((r, i) => ({ ...line(r.history.valid.map((v) => v[0]), r.history.valid.map((v) => v[1]), i), dots: r.history.valid.length < 60 })),
        { yFormat: (v) => percent(v, 0), label: "held-out accuracy of all runs" })),
      el("section", {}, el("h2", {}, "Loss, smoothed"), lineChart(runs.map((r, i) => line(r.history.step, smooth(r.history.loss, Math.max(3, Math.round(r.history.step.length / 25))), i)), { label: "loss of all runs" }))),
    keys.length ? el("section", {}, el("h2", {}, "Settings in which they differ"), el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", {}, "Key"), runs.map((r) => el("th", { class: "left" }, r.name)))),
      el("tbody", {}, keys.map((key) => el("tr", {}, el("td", {}, el("code", {}, key)), all.map((s) => el("td", { class: "left" }, el("code", { class: "text" }, s[key] === undefined ? "–" : s[key] || "(empty)"))))))))) : null);
}

function main() {
  const runs = data.runs;
  window.dunlin = {};
  byId("program").textContent = data.program;
  const open = (i) => {
    byId("title").textContent = runs.length > 1 && !window.dunlin.opened ? `${runs.length} runs side by side` : runs[i].name;
    document.title = (runs.length > 1 ? `${runs.length} runs` : runs[i].name) + " – dunlin";
    picker.value = i;
    showRun(runs[i]);
    window.dunlin.opened = true;
  };
  const picker = el("select", { id: "picker", "aria-label": "Run", onchange: () => open(Number(picker.value)) }, runs.map((r, i) => el("option", { value: i }, r.name)));
  byId("switches").append(...(runs.length > 1 ? [picker] : []), themeButton());
  open(0);
  if (runs.length > 1) comparison(runs, (i) => { open(i); byId("run").scrollIntoView({ behavior: "smooth" }); });
}

main();
