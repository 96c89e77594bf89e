// The learning curve: accuracy over training texts, with what it answers.

const doubt = { yes: "Yes", hardly: "Hardly", unclear: "Unclear" };

function curveChart(sizes) {
  const node = el("div", { class: "chart", id: "curve", style: { height: "auto" } });
  const trained = 0, untrained = 3;
  const values = sizes.flatMap((s) => [s.low, s.high, s.untrained, ...s.runs]);
  const low = Math.max(0, Math.floor(20 * Math.min(...values)) / 20), high = Math.min(1, Math.ceil(20 * Math.max(...values)) / 20);
  const draw = () => {
    const w = Math.max(240, node.clientWidth), h = Math.round(Math.max(260, Math.min(420, w * 0.45))), left = 50, right = 24, top = 12, bottom = 42;
    const first = Math.log2(sizes[0].texts), last = Math.log2(sizes[sizes.length - 1].texts);
    const x = (n) => left + (Math.log2(n) - first) / (last - first || 1) * (w - left - right);
    const y = (v) => h - bottom - (v - low) / (high - low || 1) * (h - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${w} ${h}`, height: h, role: "img", "aria-label": "accuracy over training texts" });
    for (const t of niceTicks(low, high, 5)) {
      picture.append(svg("line", { class: "grid", x1: left, x2: w - right, y1: y(t), y2: y(t) }));
      picture.append(svg("text", { x: left - 7, y: y(t) + 4, "text-anchor": "end" }, percent(t, 0)));
    }
    let free = -Infinity; // labels that would overlap are left out, the last one never
    sizes.forEach((s, i) => {
      const ends = i === sizes.length - 1, at = x(s.texts);
      if (!ends && (at < free || at > x(sizes[sizes.length - 1].texts) - 48)) return;
      picture.append(svg("text", { x: at, y: h - bottom + 17, "text-anchor": "middle" }, s.texts));
      free = at + 44;
    });
    picture.append(svg("text", { x: (left + w - right) / 2, y: h - 6, "text-anchor": "middle" }, "training texts"));
    picture.append(svg("line", { class: "axis", x1: left, x2: w - right, y1: h - bottom, y2: h - bottom }));
    const line = (key) => sizes.map((s, i) => `${i ? "L" : "M"}${x(s.texts).toFixed(1)} ${y(s[key]).toFixed(1)}`).join("");
    picture.append(svg("path", { d: line("untrained"), fill: "none", stroke: hue(untrained), "stroke-width": 1.6, "stroke-dasharray": "5 4" }));
    picture.append(svg("path", { d: line("accuracy"), fill: "none", stroke: hue(trained), "stroke-width": 2.4 }));
    for (const s of sizes) {
      picture.append(svg("line", { class: "interval", x1: x(s.texts), x2: x(s.texts), y1: y(s.low), y2: y(s.high), stroke: hue(trained), "stroke-width": 1.6 }));
      for (const run of s.runs) picture.append(svg("circle", { class: "run", cx: x(s.texts), cy: y(run), r: 2.6, fill: hue(trained), opacity: 0.55 }));
      const dot = svg("circle", { class: "mean", cx: x(s.texts), cy: y(s.accuracy), r: 4.5, fill: hue(trained) });
      dot.append(svg("title", {}, `${s.texts} texts: ${percent(s.accuracy)}, interval ${percent(s.low)} to ${percent(s.high)}`));
      picture.append(dot);
    }
    node.replaceChildren(picture);
  };
  onWidth(node, draw);
  redrawn.add(draw);
  const key = (name, at) => el("span", {}, swatch(at), name);
  return el("div", {}, node, el("div", { class: "keys" },
    key("trained, mean of the runs, with each run", trained), key("class means under the starting prompt, untrained", untrained)));
}

function sizesTable(sizes) {
  const head = ["Training texts", "Runs", "Accuracy", "95 % interval", "Least", "Most", "Untrained", "Steps", "Time"];
  return el("div", { class: "scroll" }, el("table", { id: "sizes" },
    el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, sizes.map((s) => el("tr", {}, [s.texts, s.runs.length, percent(s.accuracy), `${(100 * s.low).toFixed(1)}–${(100 * s.high).toFixed(1)}`,
      percent(Math.min(...s.runs)), percent(Math.max(...s.runs)), percent(s.untrained), s.steps, seconds(s.seconds)].map((cell) => el("td", {}, cell)))))));
}

function main() {
  const answer = data.answer;
  window.dunlin = {};
  byId("program").textContent = "dunlin " + data.version;
  byId("title").textContent = data.name + ": learning curve";
  byId("switches").append(themeButton());
  const steps = data.same_steps ? "Every size takes about as many steps as all texts do." : "Every size takes as many epochs, and so fewer steps the fewer texts it has.";
  byId("main").append(
    el("section", { id: "verdict" }, el("h2", {}, "Would more labels help?"),
      el("div", { class: "verdict" }, el("div", { class: "big" }, doubt[answer.more_labels_help]), el("p", { class: "sentence" }, answer.sentence))),
    el("section", {}, el("h2", {}, "Accuracy over training texts"),
      el("p", { class: "note" }, `Measured on ${data.validation_texts} held-out texts, model ${data.model}. The runs of a size have texts of their own, drawn so that every class has its share. Bars are 95 % intervals for other held-out texts. ${steps}`),
      curveChart(data.sizes), sizesTable(data.sizes)));
}

main();
