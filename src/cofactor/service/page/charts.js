// Charts with axes, as SVG with a table for readers of tables; and times in words.
import { h, number } from "./ui.js";

export const when = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
export function ago(seconds) {
  const past = Date.now() / 1000 - seconds;
  for (const [unit, size] of past > 60 * 86400 ? [] : [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (past >= size) { const n = Math.round(past / size); return `${n} ${unit}${n === 1 ? "" : "s"} ago`; }
  }
  return past < 60 && past > -60 ? "just now" : when(seconds).slice(0, 10);
}

// A round number at or above a value, so that the axis ends at something readable.
function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999);
}

const H = 190, LEFT = 46, BOTTOM = 24, TOP = 10;

// One or several lines over time: {times, step, lines: [{label, values, kind}], unit}.
export function chart({ id, title, times, step, lines, unit = "", digits = 0 }) {
  // Drawn as wide as it is shown, so that its writing has the page's size.
  const wide = Math.min(1320, document.documentElement.clientWidth), W = wide > 900 ? (wide - 150) / 2 : Math.max(280, wide - 76), narrow = W < 400;
  const most = roundUp(Math.max(...lines.flatMap((line) => line.values.map((v) => v ?? 0)), 0));
  const x = (n) => LEFT + ((W - LEFT - 8) * (n + 0.5)) / times.length;
  const y = (v) => H - BOTTOM - ((H - BOTTOM - TOP) * v) / most;
  const label = (t) => { const d = new Date(t * 1000); return step >= 86400 ? d.toLocaleDateString("en", { day: "numeric", month: "short" }) : d.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false }); };
  const every = Math.max(1, Math.ceil(times.length / (narrow ? 5 : 8)));
  const marks = [0, 0.5, 1].map((share) => share * most).filter((v) => digits || Number.isInteger(v));
  const total = (line) => line.values.reduce((a, v) => a + (v ?? 0), 0);
  const known = lines.filter((line) => line.values.some((v) => v));
  return h("figure", { class: "chart", id: id && `chart-${id}`, tabindex: id ? "-1" : null }, h("figcaption", {}, title, unit && h("small", {}, ` ${unit}`)),
    h("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}: ${known.length ? known.map((line) => `${line.label}, at most ${number(Math.max(...line.values.map((v) => v ?? 0)), digits)}`).join("; ") : "nothing in this time"}` },
      marks.map((v) => [h("line", { class: "grid", x1: LEFT, x2: W - 8, y1: y(v), y2: y(v) }), h("text", { class: "tick", x: LEFT - 7, y: y(v) + 4, "text-anchor": "end" }, number(v, Number.isInteger(v) ? 0 : most < 1 ? 2 : 1))]),
      times.map((t, n) => (times.length - 1 - n) % every === 0 && h("text", { class: "tick", x: x(n), y: H - 6, "text-anchor": "middle" }, label(t))),
      lines.map((line, at) => line.kind === "bars" ? line.values.map((v, n) => v ? h("rect", { class: `trace s${at}`, x: x(n) - (W - LEFT) / times.length * 0.38, width: (W - LEFT) / times.length * 0.76, y: y(v), height: Math.max(1, y(0) - y(v)) }, h("title", {}, `${label(times[n])}: ${number(v, digits)}`)) : null) : stretches(line.values).map((part) => part.length > 1
        ? h("path", { class: `trace s${at}`, d: `M${part.map(([n, v]) => `${x(n).toFixed(1)},${y(v).toFixed(1)}`).join(" L")}` })
        : h("circle", { class: `trace s${at}`, cx: x(part[0][0]), cy: y(part[0][1]), r: 3 })))),
    h("ul", { class: "legend" }, lines.map((line, at) => h("li", {}, h("i", { class: `s${at}` }), line.label, line.kind === "bars" || line.total ? `: ${number(total(line))}` : ""))),
    !known.length && h("p", { class: "hint" }, "Nothing in this time."),
    h("details", {}, h("summary", {}, "As a table"), h("div", { class: "table" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "From"), lines.map((line) => h("th", { scope: "col" }, line.label)))),
      h("tbody", {}, times.map((t, n) => lines.some((line) => line.values[n]) && h("tr", {}, h("th", { scope: "row" }, when(t)), lines.map((line) => h("td", { class: "n" }, line.values[n] === null ? "–" : number(line.values[n], digits))))))))));
}

// Where a line has no value, it is not drawn.
function stretches(values) {
  const found = [];
  let part = [];
  values.forEach((v, n) => { if (v === null || v === undefined) { if (part.length) found.push(part); part = []; } else part.push([n, v]); });
  if (part.length) found.push(part);
  return found;
}
