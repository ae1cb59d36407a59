// The item space as a map: points on a canvas, to zoom, drag and pick, with keys as well as a pointer.
import { actButton, calls, curl, debounced, fill, h, itemList, name, number, say, turns } from "./ui.js";
import { link, params, past, shared } from "./state.js";

const COLOURS = { light: ["#2563c9", "#d1571f", "#128474", "#9a3fb5", "#b38600", "#c2335e", "#4c7a12", "#5a64c8", "#9aa3b0"], dark: ["#7fb0ff", "#f39a6d", "#54cdbb", "#d38be8", "#e3bd4e", "#f58aa8", "#a3d45e", "#a3abff", "#6b7685"] };
// Ranges of a number, from low to high.
const RANGES = { light: ["#46327e", "#365c8d", "#277f8e", "#1fa187", "#63b23f", "#c9a800"], dark: ["#8f7be0", "#6f9ae8", "#45b4c2", "#4fd08f", "#a5dd4f", "#fde725"] };

export async function map(main, here) {
  const turn = turns(here);
  let drawn = null;
  // What is shown stays until the points in other colours have come.
  async function colourBy(column) {
    const ask = turn();
    const data = await ask("GET", `/v1/map?limit=4000${column ? `&column=${encodeURIComponent(column)}` : ""}`).catch((error) => {
      if (!column) throw error;
      link(here, { colour: null });
      return ask("GET", "/v1/map?limit=4000");
    });
    drawn?.abort();
    drawn = new AbortController();
    draw(main, drawn.signal, data, colourBy);
  }
  here.addEventListener("abort", () => drawn?.abort());
  await colourBy(params().get("colour"));
}

function draw(main, here, data, colourBy) {
  const nearTurn = turns(here);
  const points = data.item_ids.map((id, n) => ({ item_id: id, title: data.titles[n], x: data.x[n], y: data.y[n], group: data.groups[n], size: data.sizes[n] }));
  const byId = new Map(points.map((p) => [String(p.item_id), p]));
  const canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": "Map of the items. Arrow keys move it, plus and minus zoom, N goes to the next item in view, Enter picks it." });
  const tip = h("div", { class: "tip", hidden: true }), side = h("div", { class: "stack" });
  const view = { x: 0, y: 0, zoom: 1 };
  let picked = null, near = [], hover = null, pending = false;
  const theme = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  const colour = (group) => (group === data.group_names.length - 1 ? COLOURS[theme()][8] : data.ordered ? RANGES[theme()][Math.round((5 * group) / Math.max(1, data.group_names.length - 2))] : COLOURS[theme()][group % 8]);

  const size = () => [canvas.clientWidth, canvas.clientHeight];
  const scale = () => (Math.min(...size()) / 2.25) * view.zoom;
  const place = (p) => { const [w, t] = size(), s = scale(); return [w / 2 + (p.x - view.x) * s * Math.max(1, Math.min(1.6, w / t)), t / 2 - (p.y - view.y) * s]; };

  function paint() {
    pending = false;
    const [w, t] = size(), dense = devicePixelRatio || 1;
    if (!w) return;
    if (canvas.width !== Math.round(w * dense)) { canvas.width = Math.round(w * dense); canvas.height = Math.round(t * dense); }
    const g = canvas.getContext("2d"), css = getComputedStyle(document.body);
    g.setTransform(dense, 0, 0, dense, 0, 0);
    g.clearRect(0, 0, w, t);
    const grow = Math.sqrt(view.zoom);
    // The least popular first, so that popular ones are drawn on top.
    for (let n = points.length - 1; n >= 0; n--) {
      const p = points[n], [x, y] = place(p);
      if (x < -20 || y < -20 || x > w + 20 || y > t + 20) continue;
      g.globalAlpha = picked && !near.includes(p) && p !== picked ? 0.22 : 0.72;
      g.fillStyle = colour(p.group);
      g.beginPath();
      g.arc(x, y, (1.6 + 4.2 * p.size) * grow ** 0.8, 0, 7);
      g.fill();
    }
    g.globalAlpha = 1;
    const ink = css.getPropertyValue("--ink") && css.color;
    if (picked) {
      const [x, y] = place(picked);
      g.strokeStyle = ink; g.globalAlpha = 0.35; g.lineWidth = 1;
      for (const p of near) { const [a, b] = place(p); g.beginPath(); g.moveTo(x, y); g.lineTo(a, b); g.stroke(); }
      g.globalAlpha = 1; g.lineWidth = 2;
      g.beginPath(); g.arc(x, y, 9 * grow ** 0.5, 0, 7); g.stroke();
    }
    labels(g, w, t, ink);
  }

  // Titles where there is room: the picked one and its neighbours first, then the most popular in view. A title stands on
  // that side of its point where it covers the fewest others; only the first five may cover many.
  function labels(g, w, t, ink) {
    g.font = "12px system-ui, sans-serif";
    g.textBaseline = "middle";
    const shown = points.map((p) => [...place(p), p]).filter(([x, y]) => x > 0 && y > 0 && x < w && y < t);
    // Nothing is written under the buttons at the top right.
    const taken = [[w - 60, 0, w, 150]];
    const wanted = picked ? [picked, ...near] : points, most = (w < 500 ? 6 : 16) + 6 * view.zoom;
    const covered = (box, mine) => shown.reduce((sum, [x, y, p]) => sum + (p !== mine && x > box[0] - 3 && x < box[2] + 3 && y > box[1] - 2 && y < box[3] + 2 ? 1 + 20 * p.size ** 3 : 0), 0);
    let drawn = 0;
    for (const p of wanted) {
      const [x, y] = place(p);
      if (x < 0 || y < 8 || x > w || y > t - 8) continue;
      const text = name(p).length > 34 ? name(p).slice(0, 33) + "…" : name(p), wide = g.measureText(text).width + 8;
      const boxes = [[x + 7, y - 9], [x - 7 - wide, y - 9], [x - wide / 2, y - 25], [x - wide / 2, y + 7]].map(([a, b]) => [a, b, a + wide, b + 18])
        .filter((box) => box[0] >= 0 && box[2] <= w && box[1] >= 0 && box[3] <= t && !taken.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1]));
      if (!boxes.length) continue;
      const costs = boxes.map((box) => covered(box, p)), least = Math.min(...costs), box = boxes[costs.indexOf(least)];
      if (!picked && drawn >= 5 && least > 14) continue;
      taken.push(box);
      g.fillStyle = theme() === "dark" ? "#171c23" : "#ffffff"; g.globalAlpha = 0.88;
      g.beginPath(); g.roundRect(box[0], box[1], wide, 18, 5); g.fill();
      g.globalAlpha = 1; g.fillStyle = ink;
      g.fillText(text, box[0] + 4, box[1] + 9);
      if (++drawn >= most) break;
    }
  }

  const redraw = () => { if (!pending) { pending = true; requestAnimationFrame(paint); } };
  function closest(x, y, reach = 14) {
    let best = null, least = reach;
    for (const p of points) { const [a, b] = place(p), d = Math.hypot(a - x, b - y); if (d < least) { least = d; best = p; } }
    return best;
  }
  function zoomAt(factor, x, y) {
    const [w, t] = size(), wide = Math.max(1, Math.min(1.6, w / t)), s = scale();
    const atX = view.x + (x - w / 2) / s / wide, atY = view.y - (y - t / 2) / s;
    view.zoom = Math.min(60, Math.max(0.7, view.zoom * factor));
    const z = scale();
    view.x = atX - (x - w / 2) / z / wide;
    view.y = atY + (y - t / 2) / z;
    redraw();
  }

  async function pick(p) {
    picked = p; near = [];
    link(here, { item: p ? p.item_id : null });
    const ask = nearTurn();
    redraw();
    if (!p) { showPicked(null, []); return; }
    try {
      const answer = await ask("GET", `/v1/items/${encodeURIComponent(p.item_id)}/similar?k=8`);
      near = answer.items.map((i) => byId.get(String(i.item_id))).filter(Boolean);
      showPicked(p, answer.items);
    } catch (error) {
      showPicked(p, [], error.message);
    }
    say(`${name(p)}, with ${near.length} neighbours on the map`);
    redraw();
  }

  function showPicked(p, items, problem) {
    fill(side, h("section", { class: "card" }, h("header", {}, h("h2", {}, p ? name(p) : "Pick a point")),
      !p && h("p", { class: "hint" }, `The ${number(points.length)} most popular items. The model considers nearby points similar. The plane shows ${number(100 * (data.explained[0] + data.explained[1]), 0)} % of the variance${data.explained[0] + data.explained[1] < 0.2 ? ", so distant points may be similar too; colouring by similar items uses all of it" : ""}.`),
      p && h("div", { class: "row" }, h("button", { type: "button", onclick: () => { past.add(p); say(`${name(p)} added`); } }, "+ to the history")),
      problem && h("p", { class: "notice" }, problem),
      items.length > 0 && itemList(items, { acts: (i) => actButton("→", `Show ${name(i)} on the map`, () => go(byId.get(String(i.item_id))), { disabled: !byId.has(String(i.item_id)) }) })));
  }
  function go(p) { if (p) { view.x = p.x; view.y = p.y; view.zoom = Math.max(view.zoom, 3); pick(p); } }

  pointers(canvas, { view, scale, size, zoomAt, redraw, pick, closest, onHover(p, x, y) {
    if (p === hover && !p) return;
    hover = p;
    tip.hidden = !p;
    if (p) { tip.textContent = name(p); tip.style.left = `${Math.min(x, size()[0] - 180)}px`; tip.style.top = `${y}px`; }
  } });
  let next = -1;
  canvas.addEventListener("keydown", (event) => {
    const step = 0.12 / view.zoom, [w, t] = size();
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; redraw(); }
    else if (event.key === "+" || event.key === "=") zoomAt(1.3, w / 2, t / 2);
    else if (event.key === "-") zoomAt(1 / 1.3, w / 2, t / 2);
    else if (event.key === "Escape") pick(null);
    else if (event.key.toLowerCase() === "n") {
      const seen = points.filter((p) => { const [x, y] = place(p); return x > 0 && y > 0 && x < w && y < t; });
      if (seen.length) pick(seen[++next % seen.length]);
    } else return;
    event.preventDefault();
  });

  const find = h("input", { type: "search", id: "map-find", placeholder: "Words of a title, or an id …", autocomplete: "off" });
  find.addEventListener("input", debounced(here, () => {
    const words = find.value.trim().toLowerCase();
    const found = words && points.find((p) => name(p).toLowerCase().includes(words) || String(p.item_id) === words);
    missed.textContent = words && !found ? "No item on the map has this title." : "";
    if (found) go(found);
  }, 300));
  const missed = h("p", { class: "hint", role: "status" });
  const colours = data.columns.length > 1 && h("label", {}, "Colour by", h("select", { id: "map-colour", onchange: (event) => { link(here, { colour: event.target.value }); colourBy(event.target.value).then(() => document.getElementById("map-colour").focus()); } }, data.columns.map((c) => h("option", { value: c, selected: c === data.column }, c))));
  const groups = h("ul", { class: "legend" }, data.group_names.map((g, n) => points.some((p) => p.group === n) && h("li", {}, h("i", { style: { background: colour(n) } }), g)));
  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "The item space"), h("p", {}, "Each point is an item, larger the more users interacted with it. Drag to move, scroll or pinch to zoom, click to see similar items.")),
    h("div", { class: "map" },
      h("div", { class: "card canvas" }, h("div", { class: "zoom" }, actButton("+", "Zoom in", () => zoomAt(1.4, ...size().map((v) => v / 2))), actButton("−", "Zoom out", () => zoomAt(1 / 1.4, ...size().map((v) => v / 2))), actButton("⤢", "Show all", () => { Object.assign(view, { x: 0, y: 0, zoom: 1 }); pick(null); })), canvas, tip, groups),
      h("div", { class: "stack" }, h("section", { class: "card" }, h("label", {}, "Find on the map", find), missed, colours), side)),
    calls([["The points, over HTTP", curl("GET", "/v1/map?limit=4000")], ["An item's neighbours, on the command line", `cofactor similar ${shared.dir()} --item ID`]]));
  showPicked(null, []);
  const watch = new ResizeObserver(redraw);
  watch.observe(canvas);
  addEventListener("themechange", redraw);
  const named = byId.get(params().get("item") ?? "");
  if (named) go(named);
  redraw();
  here.addEventListener("abort", () => { watch.disconnect(); removeEventListener("themechange", redraw); });
}

// One finger or the mouse drags, two fingers or the wheel zoom, a press without movement picks.
function pointers(canvas, { view, scale, size, zoomAt, redraw, pick, closest, onHover }) {
  const down = new Map();
  let moved = 0, spread = 0;
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); down.set(event.pointerId, at(event)); moved = 0; spread = 0; });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event), before = down.get(event.pointerId);
    if (!before) { onHover(closest(x, y), x, y); return; }
    down.set(event.pointerId, [x, y]);
    moved += Math.hypot(x - before[0], y - before[1]);
    if (down.size === 1) {
      const [w, t] = size(), wide = Math.max(1, Math.min(1.6, w / t));
      view.x -= (x - before[0]) / scale() / wide;
      view.y += (y - before[1]) / scale();
      redraw();
    } else if (down.size === 2) {
      const [a, b] = [...down.values()], now = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (spread) zoomAt(now / spread, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      spread = now;
    }
  });
  const up = (event) => { if (down.delete(event.pointerId) && moved < 5 && event.type === "pointerup") pick(closest(...at(event), 18)); };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => onHover(null));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoomAt(Math.exp(-event.deltaY * 0.0016), ...at(event)); }, { passive: false });
}
