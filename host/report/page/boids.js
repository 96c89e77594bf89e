// The flock of a boids run: every position, older ones faded and smaller.

function main() {
  const frames = data.frames, last = frames.length - 1;
  let position = last;
  allRound = true;
  byId("program").textContent = data.program;
  byId("title").textContent = data.title;
  document.title = data.title + " – dunlin";
  byId("switches").append(themeButton());
  const view = new View(boxOf(frames.flatMap((f) => f.x), frames.flatMap((f) => f.y)), (ctx, v) => {
    const wake = Math.max(0, Math.min(24, Math.floor(20000 / data.points)));
    drawWake(ctx, v, frames, position, wake, 7, null);
    const now = Math.floor(position), next = Math.min(now + 1, last), part = position - now, ink = color("ink");
    for (let i = 0; i < frames[now].x.length; i++) {
      const x = frames[now].x[i] * (1 - part) + frames[next].x[i] * part, y = frames[now].y[i] * (1 - part) + frames[next].y[i] * part;
      marker(ctx, i, v.x(x), v.y(y), 8, ink, 1.6);
    }
  }, { height: 560, label: "The flock" });
  view.canvas.id = "flock";
  const player = new Player(frames.length, (p) => { position = p; view.draw(); },
    (f) => "step " + frames[f].step + " · loss " + short(frames[f].loss), Math.max(8, frames.length / 8));
  player.go(Math.round(last * 0.25));
  window.dunlin = { player, view };
  const plane = data.dimensions > 2 ? " Shown are the two principal components of all positions." : "";
  byId("main").append(
    el("section", {}, el("h2", {}, `${data.points} points, ${data.steps} steps`),
      el("p", { class: "note" }, "Every point is drawn to the others and kept apart from them. Older positions fade and shrink." + plane),
      view.node, player.node),
    el("section", {}, el("h2", {}, "Loss"), el("p", { class: "note" }, "Mean distance of all pairs, and mean of its inverse."),
      lineChart([{ hue: 0, x: frames.map((f) => f.step), y: frames.map((f) => f.loss) }], { label: "loss over steps" })));
}

main();
