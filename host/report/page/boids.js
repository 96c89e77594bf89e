// The flock of a boids run: every position, older ones faded and smaller.

function main() {
  const frames = data.frames, n = frames.length ? frames[0].x.length : 0;
  let position = frames.length - 1;
  byId("program").textContent = data.program;
  byId("title").textContent = data.title;
  document.title = data.title + " – dunlin";
  byId("switches").append(themeButton());
  const view = new View(boxOf(frames.flatMap((f) => f.x), frames.flatMap((f) => f.y)), (ctx, v) => {
    drawWake(ctx, v, frames, position, 24, 7, null);
    const now = Math.floor(position), next = Math.min(now + 1, frames.length - 1), part = position - now;
    for (let i = 0; i < n; i++) {
      const x = frames[now].x[i] * (1 - part) + frames[next].x[i] * part, y = frames[now].y[i] * (1 - part) + frames[next].y[i] * part;
      marker(ctx, i, v.x(x), v.y(y), 8, color("ink"), 1.6);
    }
  }, { height: 560, label: "The flock" });
  view.canvas.id = "flock";
  const player = new Player(frames.length, (p) => { position = p; view.draw(); },
    (f) => "step " + f + (data.loss && data.loss[f] !== undefined && data.loss[f] !== null ? " · loss " + short(data.loss[f]) : ""), 20);
  window.dunlin = { player, view };
  byId("main").append(el("section", {}, el("h2", {}, data.heading), el("p", { class: "note" }, data.note), view.node, player.node));
  if (data.loss && data.loss.length) {
    byId("main").append(el("section", {}, el("h2", {}, "Loss"), lineChart([{ name: "loss", hue: 0, x: data.loss.map((_, i) => i), y: data.loss }], { label: "loss over steps" })));
  }
}

main();
