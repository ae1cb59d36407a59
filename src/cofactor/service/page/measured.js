// What versions measured: on whom, whether two can be compared, and figures with their intervals on one axis.
import { h, number } from "./ui.js";

export const measuredOn = (version) => (version.metrics?.n_users ? `${number(version.metrics.n_users)} users` : version.metrics?.metrics ? "an unknown number of users" : "nobody");
// Versions of before the fingerprint was kept: the same data, cut in the same way.
const heldOut = (version) => version.metrics?.fingerprint ?? `${version.data?.fingerprint} ${version.split}`;
export const alike = (one, other) => heldOut(one) === heldOut(other);
export const metricOf = (version, name) => version.metrics?.metrics?.[name] ?? null;
export const metricNames = (versions) => [...new Set(versions.flatMap((v) => Object.keys(v.metrics?.metrics ?? {})))];

const LOWER = /^(rmse|mse|mae|gini|popularity)(_|@|$)/;
// Whether a figure is better than another of the same metric.
export const better = (name, one, other) => (LOWER.test(name) ? one < other : one > other);

const from = (m) => m.low ?? m.value, to = (m) => m.high ?? m.value;

// The ends of an axis: a version far behind the best stands at an end, so that the intervals of the good ones aren't dots.
export function axisOf(name, metrics) {
  const all = metrics.filter(Boolean);
  if (!all.length) return [0, 1];
  const best = all.reduce((a, b) => (better(name, b.value, a.value) ? b : a)), reach = 5 * Math.max(...all.map((m) => to(m) - from(m))) || Infinity;
  return [Math.max(Math.min(...all.map(from)), from(best) - reach), Math.min(Math.max(...all.map(to)), to(best) + reach)];
}

export const interval = (m) => (m.low === undefined || m.low === null ? "" : `(${m.low.toFixed(4)}–${m.high.toFixed(4)})`);

// Dots with bars, one line for each metric; an arrow where one is beyond the axis.
export function whisker(metrics, [low, high]) {
  // An axis without a length has everything in its middle.
  const at = (x) => (high > low ? `${4 + (92 * (Math.min(Math.max(x, low), high) - low)) / (high - low)}%` : "50%");
  const drawn = metrics.map((m, n) => {
    const y = 6 + 11 * n;
    if (!m) return null;
    const beyond = m.value < low ? "M1,5 L8,1 L8,9 Z" : m.value > high ? "M11,5 L4,1 L4,9 Z" : null;
    if (beyond) return h("svg", { class: `s${n}`, x: m.value < low ? "0%" : "96%", y: y - 5, width: 12, height: 10, viewBox: "0 0 12 10" }, h("path", { class: "dot", d: beyond }));
    return h("g", { class: `s${n}` }, h("line", { class: "bar-line", x1: at(from(m)), x2: at(to(m)), y1: y, y2: y }), h("circle", { class: "dot", cx: at(m.value), cy: y, r: 4 }));
  });
  const height = 1 + 11 * metrics.length;
  return h("svg", { class: "whisker", "aria-hidden": "true", style: { height: `${height}px` } }, h("line", { class: "axis", x1: "0%", x2: "100%", y1: height / 2, y2: height / 2 }), drawn);
}
