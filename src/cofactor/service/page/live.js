// Live numbers: events, latency, where answers come from.
import { api, calls, curl, fill, h, number } from "./ui.js";

const KEPT = 60;

export async function live(main) {
  const out = h("div", { class: "stack" }), past = { rate: [], p99: [], events: [] };
  let timer, gone = false;

  async function tick() {
    try {
      const s = await api("GET", "/v1/stats");
      for (const [k, v] of [["rate", s.rate], ["p99", s.p99_ms ?? 0], ["events", s.event_rate]]) { past[k].push(v); past[k].splice(0, past[k].length - KEPT); }
      draw(s);
    } catch (error) {
      fill(out, h("p", { class: "notice" }, error.message));
    }
    if (!gone) timer = setTimeout(tick, 2000);
  }

  function draw(s) {
    const total = Object.values(s.sources).reduce((a, b) => a + b, 0);
    fill(out,
      h("div", { class: "tiles" },
        tile(number(s.rate, 1), "recommendations a second", past.rate), tile(s.p99_ms === null ? "–" : `${number(s.p99_ms, 1)} ms`, `p99 of the last minute${s.p50_ms === null ? "" : ` · p50 ${number(s.p50_ms, 1)} ms`}`, past.p99),
        tile(number(s.event_rate, 1), "events a second", past.events), tile(number(s.events), `events of ${number(s.users)} users, on disk`),
        tile(`${number(100 * s.fallback_share, 1)} %`, "answered by popularity"), tile(number(s.shed), "refused with 503 since the start")),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Where answers came from"), h("p", {}, `${number(total)} lists since the start`)),
        h("div", { class: "shares", role: "img", "aria-label": Object.entries(s.sources).map(([k, v]) => `${k} ${v}`).join(", ") || "none yet" },
          Object.entries(s.sources).map(([k, v]) => h("i", { class: `s-${k}`, style: { width: `${(100 * v) / Math.max(total, 1)}%` } }))),
        h("ul", { class: "legend" }, Object.entries(s.sources).map(([k, v]) => h("li", {}, h("i", { class: `s-${k}` }), `${k}: ${number(v)}`)))),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "The store")), h("div", { class: "table" }, h("table", {}, h("tbody", {},
        [["Takes events", s.store.writable ? "yes" : `no: ${s.store.reason}`], ["Last commit", `${number(s.store.commit_ms, 2)} ms, on disk`], ["Requests per commit", number(s.store.mean_group, 2)],
          ["Waiting to be written", number(s.store.queued)], ["Waiting to be scored", number(s.waiting)], ["Scored together", number(s.batch_mean, 2)], ["Items hidden", number(s.hidden)],
          ["Up for", `${number(s.uptime / 60, 1)} minutes`]].map(([k, v]) => h("tr", {}, h("th", { scope: "row" }, k), h("td", { class: "n" }, v))))))));
  }

  fill(main, h("div", { class: "lead" }, h("h1", {}, "Live numbers"), h("p", {}, "Rates and latencies are those of the last minute, measured inside the service.")), out,
    calls([["Live numbers, over HTTP", curl("GET", "/v1/stats")], ["For Prometheus", curl("GET", "/metrics")]]));
  await tick();
  return () => { gone = true; clearTimeout(timer); };
}

function tile(value, label, line) {
  return h("section", { class: "card tile" }, h("b", {}, value), h("span", {}, label), line && line.length > 1 && spark(line));
}

function spark(values) {
  const most = Math.max(...values, 1e-9), step = 100 / (values.length - 1);
  const points = values.map((v, n) => `${(n * step).toFixed(2)},${(36 - (34 * v) / most).toFixed(2)}`).join(" L");
  return h("svg", { viewBox: "0 0 100 38", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("path", { class: "fill", d: `M0,38 L${points} L100,38 Z` }), h("path", { class: "line", d: `M${points}` }));
}
