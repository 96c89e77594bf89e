// Curves as SVG, drawn for the width they have; the confusion matrix.

function svg(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function niceTicks(low, high, n) {
  const raw = (high - low) / n || 1, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return ticks;
}

// series: {name, hue, x, y, width, opacity, dots}; y may hold nulls.
function lineChart(series, { yFormat = short, low = null, high = null, label = "" }) {
  const node = el("div", { class: "chart" }), readout = el("div", { class: "readout" });
  const keys = el("div", { class: "keys" }, series.filter((s) => s.name).map((s) =>
    el("span", {}, swatch(s.hue, { opacity: s.opacity || 1 }), s.name)));
  const ys = series.flatMap((s) => s.y.filter((v) => v !== null)), xs = series.flatMap((s) => s.x);
  if (!ys.length) return el("p", { class: "note" }, "Nothing was recorded.");
  const box = boxOf(xs, ys);
  const y0 = low === null ? box.y0 : low, y1 = high === null ? box.y1 : high;
  const draw = () => {
    const w = Math.max(200, node.clientWidth), h = 210, left = 46, right = 10, top = 10, bottom = 26;
    const x = (v) => left + (v - box.x0) / (box.x1 - box.x0 || 1) * (w - left - right);
    const y = (v) => h - bottom - (v - y0) / (y1 - y0 || 1) * (h - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${w} ${h}`, height: h, role: "img", "aria-label": label });
    for (const t of niceTicks(y0, y1, 4)) {
      picture.append(svg("line", { class: "grid", x1: left, x2: w - right, y1: y(t), y2: y(t) }));
      picture.append(svg("text", { x: left - 7, y: y(t) + 4, "text-anchor": "end" }, yFormat(t)));
    }
    for (const t of niceTicks(box.x0, box.x1, w < 420 ? 4 : 7).filter((v) => v === Math.round(v)))
      picture.append(svg("text", { x: x(t), y: h - 8, "text-anchor": "middle" }, short(t)));
    picture.append(svg("line", { class: "axis", x1: left, x2: w - right, y1: h - bottom, y2: h - bottom }));
    for (const s of series) {
      let path = "", pen = "M";
      s.x.forEach((v, i) => {
        if (s.y[i] === null) { pen = "M"; return; }
        path += `${pen}${x(v).toFixed(1)} ${y(Math.min(y1, Math.max(y0, s.y[i]))).toFixed(1)}`;
        pen = "L";
      });
      picture.append(svg("path", { d: path, fill: "none", stroke: hue(s.hue), "stroke-width": s.width || 2,
        "stroke-linejoin": "round", opacity: s.opacity || 1 }));
      if (s.dots) s.x.forEach((v, i) => picture.append(svg("circle", { cx: x(v), cy: y(s.y[i]), r: 3.5, fill: hue(s.hue) })));
    }
    const cross = svg("line", { class: "cross", y1: top, y2: h - bottom, visibility: "hidden" });
    picture.append(cross);
    picture.addEventListener("pointermove", (e) => {
      const at = box.x0 + (e.clientX - picture.getBoundingClientRect().left - left) / (w - left - right) * (box.x1 - box.x0);
      let nearest = null;
      for (const v of xs) if (nearest === null || Math.abs(v - at) < Math.abs(nearest - at)) nearest = v;
      if (nearest === null) return;
      cross.setAttribute("x1", x(nearest));
      cross.setAttribute("x2", x(nearest));
      cross.setAttribute("visibility", "visible");
      readout.textContent = "step " + nearest + ": " + series.filter((s) => s.name).map((s) => {
        const i = s.x.indexOf(nearest);
        return i >= 0 && s.y[i] !== null ? s.name + " " + yFormat(s.y[i]) : null;
      }).filter(Boolean).join(", ");
    });
    picture.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); readout.textContent = ""; });
    node.replaceChildren(picture);
  };
  onWidth(node, draw);
  redrawn.add(draw);
  return el("div", {}, node, keys, readout);
}

// The mean of the last values before each step, for a line that can be read.
function smooth(values, width) {
  const out = [];
  let mean = null;
  for (const v of values) {
    if (v !== null) mean = mean === null ? v : mean + (v - mean) / Math.min(width, out.length + 1);
    out.push(mean);
  }
  return out;
}

const mostNumbers = 24; // classes up to which the matrix shows its numbers

function confusionTable(counts, names) {
  const heat = (share, right) => {
    const hue = right ? "0, 114, 178" : "213, 94, 0";
    return { background: `rgba(${hue}, ${share ? 0.1 + 0.75 * share : 0})`, color: share > 0.62 ? "#fff" : "" };
  };
  const rows = counts.map((row, k) => {
    const all = row.reduce((a, b) => a + b, 0);
    return el("tr", {}, el("th", { scope: "row", class: "left", title: names[k] }, names[k]), row.map((n, j) =>
      el("td", { class: "cell", style: heat(all ? n / all : 0, k === j), title: `${names[k]} taken for ${names[j]}: ${n}, ${percent(all ? n / all : 0)} of the class` }, n)));
  });
  return el("div", { class: "scroll" }, el("table", { class: "confusion" },
    el("thead", {}, el("tr", { class: "across" }, el("th", {}, ""), names.map((n) => el("th", { scope: "col", title: n }, n)))),
    el("tbody", {}, rows)));
}

function confusionPicture(counts, names) {
  const K = counts.length, readout = el("div", { class: "readout" }, "Point at a cell.");
  const canvas = el("canvas", { role: "img", "aria-label": "confusion matrix", style: { width: "100%", maxWidth: "560px", aspectRatio: "1", display: "block" } });
  const draw = () => {
    const side = canvas.width = canvas.height = Math.max(K, Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)));
    const ctx = canvas.getContext("2d"), cell = side / K;
    ctx.clearRect(0, 0, side, side);
    counts.forEach((row, k) => {
      const all = row.reduce((a, b) => a + b, 0) || 1;
      row.forEach((n, j) => {
        ctx.fillStyle = n ? `rgba(${k === j ? "0, 114, 178" : "213, 94, 0"}, ${0.15 + 0.85 * n / all})` : color("soft");
        ctx.fillRect(j * cell, k * cell, cell - 0.5, cell - 0.5);
      });
    });
  };
  canvas.addEventListener("pointermove", (e) => {
    const box = canvas.getBoundingClientRect();
    const j = Math.min(K - 1, Math.max(0, Math.floor((e.clientX - box.left) / box.width * K)));
    const k = Math.min(K - 1, Math.max(0, Math.floor((e.clientY - box.top) / box.height * K)));
    readout.textContent = `${names[k]} taken for ${names[j]}: ${counts[k][j]}`;
  });
  onWidth(canvas, draw);
  redrawn.add(draw);
  return el("div", {}, canvas, readout);
}
