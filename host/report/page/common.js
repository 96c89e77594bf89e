// What both pages use: elements, colours and shapes of classes, a canvas that zooms, a player.

const data = JSON.parse(document.getElementById("data").textContent);

// An element; all text goes in as text. Attributes by name, `on...` as listeners.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined) continue;
    node.append(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
  return node;
}

function byId(id) { return document.getElementById(id); }

function percent(x, digits = 1) {
  return Number.isFinite(x) ? (100 * x).toFixed(digits) + " %" : "–";
}

function short(x) {
  if (!Number.isFinite(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e5 || size < 1e-3 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}

function seconds(s) {
  if (!Number.isFinite(s)) return "–";
  if (s < 60) return s.toFixed(s < 10 ? 2 : 1) + " s";
  const m = Math.floor(s / 60);
  return m < 60 ? m + ":" + String(Math.floor(s % 60)).padStart(2, "0") + " min"
                : Math.floor(m / 60) + ":" + String(m % 60).padStart(2, "0") + " h";
}

// Hues that colour-blind people can tell apart (Okabe and Ito), and shapes beside them; from class 64 on hollow.
// On dark ground the same hues lighter.
const palettes = {
  light: ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b5a800", "#7d7d7d"],
  dark: ["#3f9fe0", "#efb02e", "#26b98c", "#ee7733", "#d98cb8", "#8ccdf5", "#d6c93c", "#a8a8a8"],
};
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : prefersDark.matches;
}

function hue(i) { return palettes[isDark() ? "dark" : "light"][i % 8]; }

const shapes = ["circle", "square", "triangle", "diamond", "down", "plus", "cross", "star"];

let allRound = false;

function look(k) {
  if (allRound) return { color: hue(k), shape: "circle", hollow: false };
  const round = Math.floor(k / 8) % 8;
  return { color: hue(k), shape: shapes[(k + round) % 8], hollow: Math.floor(k / 64) % 2 === 1 };
}

function trace(ctx, shape, x, y, r) {
  const corners = (n, first, inner) => {
    for (let i = 0; i < n; i++) {
      const a = first + 2 * Math.PI * i / n, s = inner && i % 2 ? inner * r : r * 1.15;
      ctx.lineTo(x + s * Math.cos(a), y + s * Math.sin(a));
    }
    ctx.closePath();
  };
  const bars = (turn) => {
    const w = r * 0.38, l = r * 1.1;
    const outline = [[-w, -l], [w, -l], [w, -w], [l, -w], [l, w], [w, w], [w, l], [-w, l], [-w, w], [-l, w], [-l, -w], [-w, -w]];
    for (const [a, b] of outline)
      ctx.lineTo(x + a * Math.cos(turn) - b * Math.sin(turn), y + a * Math.sin(turn) + b * Math.cos(turn));
    ctx.closePath();
  };
  ctx.beginPath();
  if (shape === "circle") ctx.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === "square") ctx.rect(x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
  else if (shape === "triangle") corners(3, -Math.PI / 2);
  else if (shape === "down") corners(3, Math.PI / 2);
  else if (shape === "diamond") corners(4, 0);
  else if (shape === "plus") bars(0);
  else if (shape === "cross") bars(Math.PI / 4);
  else corners(10, -Math.PI / 2, 0.5);
}

function marker(ctx, k, x, y, r, edge, width) {
  const style = look(k);
  trace(ctx, style.shape, x, y, r);
  if (!style.hollow) {
    ctx.fillStyle = style.color;
    ctx.fill();
  }
  if (edge || style.hollow) {
    ctx.strokeStyle = edge || style.color;
    ctx.lineWidth = width || 1.6;
    ctx.stroke();
  }
}

function badge(k) {
  const canvas = el("canvas", { width: 36, height: 36, "aria-hidden": "true", style: { width: "16px", height: "16px" } });
  const draw = () => {
    canvas.getContext("2d").clearRect(0, 0, 36, 36);
    marker(canvas.getContext("2d"), k, 18, 18, 12);
  };
  draw();
  redrawn.add(draw);
  return canvas;
}

// The patch of colour that names a curve or a part.
function swatch(at, style = {}) {
  const node = el("i", { style });
  const draw = () => { node.style.background = hue(at); };
  draw();
  redrawn.add(draw);
  return node;
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// Everything that draws by hand, to be drawn again when the colours change.
const redrawn = new Set();
function redrawAll() { for (const draw of redrawn) draw(); }

// Calls draw, outside of layout, once an element has a width and whenever it has another.
function onWidth(node, draw) {
  let width = 0;
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (node.clientWidth === width) return;
    width = node.clientWidth;
    draw();
  })).observe(node);
}

function themeButton() {
  const modes = ["auto", "light", "dark"];
  const button = el("button", {
    type: "button", id: "theme", onclick: () => {
      const now = document.documentElement.dataset.theme || "auto";
      const next = modes[(modes.indexOf(now) + 1) % 3];
      if (next === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = next;
      button.textContent = "Theme: " + next;
      redrawAll();
    },
  }, "Theme: auto");
  prefersDark.addEventListener("change", redrawAll);
  return button;
}

// A canvas that shows a box of the plane, moved by dragging and zoomed by buttons, pinching, or the wheel once it
// has been clicked. `draw(ctx, view)` draws in CSS pixels; `point(x, y)` hears of the pointer, null when it left.
class View {
  constructor(box, draw, { height = 480, label = "", point = null } = {}) {
    this.box = box;
    this.drawing = draw;
    this.point = point;
    this.pointers = new Map();
    this.canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": label });
    this.canvas.style.height = `min(${height}px, 105vw)`;
    const button = (text, name, act) => el("button", { type: "button", "aria-label": name, title: name, onclick: act }, text);
    this.node = el("div", { class: "plot" }, this.canvas, el("div", { class: "corner" },
      button("+", "Zoom in", () => this.zoom(1.5)), button("−", "Zoom out", () => this.zoom(1 / 1.5)),
      button("All", "Show all", () => this.reset())));
    this.listen();
    this.reset();
    onWidth(this.canvas, () => this.resize());
    redrawn.add(() => this.draw());
  }

  reset() {
    this.scale = 1;
    this.shiftX = this.shiftY = 0;
    this.canvas.style.touchAction = "pan-y";
    this.draw();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.max(1, Math.round(this.width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.height * ratio));
    this.ratio = ratio;
    this.paint();
  }

  // Pixels of a data unit, the same both ways, so that distances look like distances.
  unit() {
    const b = this.box, pad = 28;
    return this.scale * Math.min((this.width - 2 * pad) / (b.x1 - b.x0 || 1), (this.height - 2 * pad) / (b.y1 - b.y0 || 1));
  }

  x(v) { return this.width / 2 + this.shiftX + (v - (this.box.x0 + this.box.x1) / 2) * this.unit(); }

  y(v) { return this.height / 2 + this.shiftY - (v - (this.box.y0 + this.box.y1) / 2) * this.unit(); }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const before = this.scale;
    this.scale = Math.min(400, Math.max(0.5, this.scale * factor));
    const ratio = this.scale / before;
    this.shiftX = (this.shiftX - (x - this.width / 2)) * ratio + (x - this.width / 2);
    this.shiftY = (this.shiftY - (y - this.height / 2)) * ratio + (y - this.height / 2);
    this.canvas.style.touchAction = this.scale > 1.01 ? "none" : "pan-y";
    this.draw();
  }

  show(x, y) {
    if (this.x(x) > 20 && this.x(x) < this.width - 20 && this.y(y) > 20 && this.y(y) < this.height - 20) return;
    this.shiftX += this.width / 2 - this.x(x);
    this.shiftY += this.height / 2 - this.y(y);
    this.draw();
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  paint() {
    if (!this.width) return;
    const ctx = this.canvas.getContext("2d");
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    this.drawing(ctx, this);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  listen() {
    const c = this.canvas;
    c.addEventListener("pointerdown", (e) => {
      c.setPointerCapture(e.pointerId);
      this.pointers.set(e.pointerId, this.place(e));
      this.moved = 0;
      if (this.point) this.point(this.place(e), true);
    });
    c.addEventListener("pointermove", (e) => {
      const now = this.place(e), before = this.pointers.get(e.pointerId);
      if (!before) {
        if (this.point) this.point(now, false);
        return;
      }
      if (this.pointers.size === 1) {
        this.shiftX += now.x - before.x;
        this.shiftY += now.y - before.y;
      } else if (this.pointers.size === 2) {
        const other = [...this.pointers].find(([id]) => id !== e.pointerId)[1];
        const spread = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
        this.zoom(spread(now) / spread(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
      }
      this.pointers.set(e.pointerId, now);
      this.draw();
    });
    const up = (e) => this.pointers.delete(e.pointerId);
    c.addEventListener("pointerup", up);
    c.addEventListener("pointercancel", up);
    c.addEventListener("pointerleave", () => { if (this.point && !this.pointers.size) this.point(null, false); });
    c.addEventListener("dblclick", () => this.reset());
    c.addEventListener("wheel", (e) => {
      if (document.activeElement !== c && !e.ctrlKey) return;
      e.preventDefault();
      const at = this.place(e);
      this.zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), at.x, at.y);
    }, { passive: false });
    c.addEventListener("keydown", (e) => {
      const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
      if (moves[e.key]) {
        this.shiftX += moves[e.key][0];
        this.shiftY += moves[e.key][1];
        this.draw();
      } else if (e.key === "+" || e.key === "=") this.zoom(1.25);
      else if (e.key === "-") this.zoom(0.8);
      else if (e.key === "0") this.reset();
      else return;
      e.preventDefault();
    });
  }
}

function boxOf(xs, ys) {
  const box = { x0: Infinity, x1: -Infinity, y0: Infinity, y1: -Infinity };
  for (const x of xs) { if (x < box.x0) box.x0 = x; if (x > box.x1) box.x1 = x; }
  for (const y of ys) { if (y < box.y0) box.y0 = y; if (y > box.y1) box.y1 = y; }
  if (!(box.x1 >= box.x0)) return { x0: -1, x1: 1, y0: -1, y1: 1 };
  return box;
}

// Play, pause, scrub over n frames. `show(position)` draws; a position between two whole ones is on the way.
class Player {
  constructor(n, show, label, perSecond) {
    this.n = n;
    this.position = n - 1;
    this.playing = false;
    this.showing = show;
    this.label = label;
    this.rate = perSecond;
    this.button = el("button", { type: "button", class: "play", onclick: () => (this.playing ? this.pause() : this.play()) }, "▶ Play");
    this.slider = el("input", {
      type: "range", min: 0, max: Math.max(0, n - 1), step: "any", value: n - 1, "aria-label": "Position",
      oninput: () => { this.pause(); this.go(Number(this.slider.value)); },
      onkeydown: (e) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[e.key];
        if (!step) return;
        e.preventDefault();
        this.pause();
        this.go(Math.min(this.n - 1, Math.max(0, Math.round(this.position) + step)));
      },
    });
    this.speed = el("select", { class: "speed", "aria-label": "Speed" },
      [0.25, 0.5, 1, 2, 4].map((s) => el("option", { value: s, selected: s === 1 ? "" : null }, s + "×")));
    this.output = el("output", {});
    this.node = el("div", { class: "player" }, this.button, this.slider, this.speed, this.output);
    this.go(n - 1);
  }

  go(position) {
    this.position = position;
    this.slider.value = position;
    this.output.textContent = this.label(Math.round(position));
    this.showing(position);
  }

  play() {
    if (this.position >= this.n - 1) this.position = 0;
    this.playing = true;
    this.button.textContent = "❚❚ Pause";
    let last = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      // A frame may have begun before the click did.
      const next = this.position + Math.max(0, now - last) / 1000 * this.rate * Number(this.speed.value);
      last = now;
      this.go(Math.min(next, this.n - 1));
      if (next >= this.n - 1) this.pause();
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    this.playing = false;
    this.button.textContent = "▶ Play";
  }
}

// Points of frames up to a position: those of older frames fade and shrink. shown(k): is class k wanted?
function drawWake(ctx, view, frames, position, wake, size, shown) {
  const newest = Math.floor(position);
  for (let f = Math.max(0, newest - wake); f <= newest; f++) {
    const frame = frames[f], left = 1 - (position - f) / (wake + 1);
    if (left <= 0) continue;
    ctx.globalAlpha = 0.9 * Math.pow(left, 1.6);
    const r = size * (0.35 + 0.65 * left);
    for (let i = 0; i < frame.x.length; i++) {
      const k = frame.label ? frame.label[i] : i;
      if (!shown || shown(k)) marker(ctx, k, view.x(frame.x[i]), view.y(frame.y[i]), r);
    }
  }
  ctx.globalAlpha = 1;
}
