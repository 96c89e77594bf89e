// The held-out texts in the plane: points, centroids, what one says, and the list of those that went wrong.

class TextMap {
  constructor(run, chosen) {
    const p = run.points;
    this.run = run;
    this.p = p;
    this.n = p.x.length;
    this.hidden = new Set();
    this.onlyWrong = false;
    this.picked = -1;
    this.chosen = chosen;
    this.predicted = p.near.map((near) => near[0]);
    this.wrong = p.label.map((k, i) => this.predicted[i] !== k);
    this.order = [...p.x.keys()].sort((a, b) => this.wrong[a] - this.wrong[b]);
    this.view = new View(boxOf(p.x.concat(p.cx), p.y.concat(p.cy)), (ctx, view) => this.draw(ctx, view), {
      label: "Held-out texts on two principal components; the list below holds the same texts",
      point: (at, pressed) => this.hover(at, pressed),
    });
    this.view.canvas.id = "scatter";
    this.card = el("div", { class: "card", id: "card", "aria-live": "polite" });
    this.fill(-1);
  }

  visible(i) {
    return !this.hidden.has(this.p.label[i]) && (!this.onlyWrong || this.wrong[i]);
  }

  // Markers drawn once a class and copied, so that thousands stay fluid: [right, wrong] of each class.
  sprites(ratio, r) {
    const key = ratio + ":" + r + ":" + isDark();
    if (this.spriteKey === key) return this.cached;
    this.spriteKey = key;
    const side = 2 * Math.ceil((r + 4) * ratio);
    const draw = (k, wrong) => {
      const canvas = document.createElement("canvas"), middle = side / ratio / 2;
      canvas.width = canvas.height = side;
      const ctx = canvas.getContext("2d");
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.globalAlpha = wrong ? 1 : 0.72;
      marker(ctx, k, middle, middle, r, null, 1.4);
      if (wrong) {
        ctx.beginPath();
        ctx.arc(middle, middle, r + 2.4, 0, 2 * Math.PI);
        ctx.strokeStyle = color("ink");
        ctx.lineWidth = 1.5;
        ctx.stroke();
      }
      return canvas;
    };
    this.cached = this.run.classes.map((_, k) => [draw(k, false), draw(k, true)]);
    return this.cached;
  }

  draw(ctx, view) {
    const p = this.p, r = this.n > 2500 ? 3.1 : this.n > 600 ? 3.9 : 4.8;
    const sprites = this.sprites(view.ratio, r), ink = color("ink"), plot = color("plot");
    const half = sprites[0][0].width / 2, unit = view.unit() * view.ratio;
    const left = view.x(0) * view.ratio - half, top = view.y(0) * view.ratio - half;
    ctx.setTransform(1, 0, 0, 1, 0, 0); // whole device pixels are copied fastest
    for (const i of this.order) {
      if (!this.visible(i)) continue;
      const x = Math.round(left + p.x[i] * unit), y = Math.round(top - p.y[i] * unit);
      if (x < -2 * half || y < -2 * half || x > ctx.canvas.width || y > ctx.canvas.height) continue;
      ctx.drawImage(sprites[p.label[i]][this.wrong[i] ? 1 : 0], x, y);
    }
    ctx.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    const size = p.cx.length > 30 ? 8 : 12;
    p.cx.forEach((cx, k) => {
      if (this.hidden.has(k)) return;
      marker(ctx, k, view.x(cx), view.y(p.cy[k]), size, plot, 6);
      marker(ctx, k, view.x(cx), view.y(p.cy[k]), size, ink, 2);
    });
    if (this.picked >= 0) this.drawPicked(ctx, view, ink);
  }

  // The picked point, with lines to its own centroid and to the one that took it.
  drawPicked(ctx, view, ink) {
    const p = this.p, i = this.picked, x = view.x(p.x[i]), y = view.y(p.y[i]);
    for (const k of new Set([this.predicted[i], p.label[i]])) {
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(view.x(p.cx[k]), view.y(p.cy[k]));
      ctx.strokeStyle = look(k).color;
      ctx.setLineDash(k === this.predicted[i] ? [] : [5, 4]);
      ctx.lineWidth = 1.6;
      ctx.stroke();
      ctx.setLineDash([]);
    }
    marker(ctx, p.label[i], x, y, 7.5, ink, 2.2);
  }

  nearest(at, reach) {
    let best = -1, least = reach * reach;
    for (let i = 0; i < this.n; i++) {
      if (!this.visible(i)) continue;
      const dx = this.view.x(this.p.x[i]) - at.x, dy = this.view.y(this.p.y[i]) - at.y, d = dx * dx + dy * dy;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }

  hover(at, pressed) {
    const found = at ? this.nearest(at, pressed ? 22 : 14) : -1;
    if (found >= 0 || pressed) this.pick(found);
  }

  pick(i, show) {
    if (i === this.picked) return;
    this.picked = i;
    this.fill(i);
    if (show && i >= 0) this.view.show(this.p.x[i], this.p.y[i]);
    this.view.draw();
    this.chosen(i);
  }

  fill(i) {
    const p = this.p, names = this.run.classes;
    if (i < 0) {
      this.card.replaceChildren(el("p", { class: "note" }, "Point at a text, or tap it, to read it. Ringed ones got the wrong class."));
      return;
    }
    const rows = [];
    for (let j = 0; j < p.near[i].length; j += 2) {
      const k = p.near[i][j];
      rows.push(el("tr", {}, el("td", {}, el("span", { class: "tag" }, badge(k), el("span", { class: "text" }, names[k]),
        k === p.label[i] ? el("span", { class: "note" }, "its class") : null)), el("td", {}, short(p.near[i][j + 1]))));
    }
    this.card.replaceChildren(
      el("div", { class: this.wrong[i] ? "wrong" : "right" }, this.wrong[i] ? "Wrong" : "Right"),
      el("div", { class: "text", dir: "auto" }, p.text[i]),
      el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "Nearest centroids"), el("th", {}, "Distance"))), el("tbody", {}, rows)),
      el("p", { class: "note" }, p.line[i] ? "Line " + p.line[i] + " of the validation file" : ""));
  }

  changed() {
    if (this.picked >= 0 && !this.visible(this.picked)) this.pick(-1);
    this.view.draw();
  }
}

// Buttons that hide and show classes, for everything that listens.
function legend(names, hidden, changed) {
  const buttons = names.map((name, k) => {
    const button = el("button", {
      type: "button", "aria-pressed": "true", "data-class": k, title: name, onclick: () => {
        if (!hidden.delete(k)) hidden.add(k);
        refresh();
      },
    }, badge(k), el("span", { class: "name" }, name));
    return button;
  });
  const refresh = () => {
    buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(!hidden.has(k))));
    changed();
  };
  const all = (on) => () => {
    names.forEach((_, k) => (on ? hidden.delete(k) : hidden.add(k)));
    refresh();
  };
  return el("div", {}, el("div", { class: "legend" }, buttons), names.length > 2
    ? el("div", { class: "tools" }, el("button", { type: "button", onclick: all(true) }, "All"), el("button", { type: "button", onclick: all(false) }, "None")) : null);
}

// Texts with the wrong class, the most certain mistakes first.
function wrongList(map) {
  const p = map.p, names = map.run.classes, step = 12;
  const margin = (i) => {
    const near = p.near[i], own = near.findIndex((v, j) => j % 2 === 0 && v === p.label[i]);
    return near[own + 1] - near[1];
  };
  const list = [...p.x.keys()].filter((i) => map.wrong[i]).sort((a, b) => margin(b) - margin(a));
  if (!list.length) return el("p", {}, "No held-out text got the wrong class.");
  const body = el("tbody", {}), rows = new Map();
  const more = el("button", { type: "button", onclick: () => add(4 * step) }, "");
  let shown = 0;
  const tag = (k) => el("span", { class: "tag" }, badge(k), el("span", { class: "text" }, names[k]));
  const add = (count) => {
    for (const i of list.slice(shown, shown + count)) {
      const row = el("tr", { class: "pick", tabindex: "0", onclick: () => choose(i), onkeydown: (e) => { if (e.key === "Enter") choose(i); } },
        el("td", { class: "left" }, tag(p.label[i])), el("td", { class: "left" }, tag(map.predicted[i])),
        el("td", {}, short(margin(i))), el("td", { class: "left" }, el("span", { class: "text", dir: "auto" }, p.text[i])));
      rows.set(i, row);
      body.append(row);
    }
    shown = Math.min(list.length, shown + count);
    more.textContent = `Show more (${list.length - shown})`;
    more.hidden = shown >= list.length;
  };
  const choose = (i) => {
    map.pick(i, true);
    map.view.canvas.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };
  add(step);
  const node = el("div", {}, el("p", { class: "note" }, `${list.length} of ${map.n}, the clearest mistakes first. Margin: how much nearer the wrong centroid is.`),
    el("div", { class: "scroll" }, el("table", { id: "wrong" }, el("thead", {}, el("tr", {}, el("th", {}, "Its class"),
      el("th", { class: "left" }, "Taken for"), el("th", {}, "Margin"), el("th", { class: "left" }, "Text"))), body)), more);
  return { node, mark: (i) => rows.forEach((row, j) => row.classList.toggle("chosen", i === j)) };
}
