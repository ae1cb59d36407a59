// Activity: what happened over an hour, a day or a month, and live numbers.
import { api, calls, curl, fill, h, number, retry, say, skeleton } from "./ui.js";
import { chart } from "./charts.js";
import { link, params } from "./state.js";

const KEPT = 60, STEPS = { hour: "minute", day: "hour", month: "day" };

export async function live(main) {
  const out = h("div", { class: "stack" }), past = { rate: [], p99: [], events: [] };
  const series = h("div", { class: "charts" });
  let timer, slow, gone = false;
  let span = ["hour", "day", "month"].includes(params().get("span")) ? params().get("span") : "day";

  async function over() {
    clearTimeout(slow);
    try {
      const s = await api("GET", `/v1/series?span=${span}`);
      const common = { times: s.times, step: s.step };
      const kinds = Object.entries(s.events).slice(0, 5);
      fill(series,
        chart({ ...common, title: "Events", unit: `by kind, each ${STEPS[span]}`, lines: kinds.length ? kinds.map(([label, values]) => ({ label, values, total: true })) : [{ label: "events", values: s.times.map(() => 0) }] }),
        chart({ ...common, title: "Recommendations", unit: `lists, each ${STEPS[span]}`, lines: [{ label: "all", values: s.lists, total: true }, { label: "by popularity", values: s.fallback, total: true }] }),
        chart({ ...common, title: "Latency of recommendations", unit: "milliseconds", digits: 1, lines: [{ label: "p99", values: s.p99_ms }, { label: "p50", values: s.p50_ms }] }),
        chart({ ...common, title: "Requests", unit: `each ${STEPS[span]}`, lines: [{ label: "all", values: s.requests, total: true }, { label: "refused with 503", values: s.shed, total: true }, { label: "failed", values: s.failed, total: true }] }));
    } catch (error) {
      fill(series, retry(error, over));
    }
    if (!gone) slow = setTimeout(over, 30_000);
  }
  const choose = h("select", { id: "span", onchange: (event) => { span = event.target.value; link({ span }); over().then(() => say(`the last ${span}`)); } }, ["hour", "day", "month"].map((s) => h("option", { value: s, selected: s === span }, `the last ${s}`)));

  async function tick() {
    try {
      const s = await api("GET", "/v1/stats");
      for (const [k, v] of [["rate", s.rate], ["p99", s.p99_ms ?? 0], ["events", s.event_rate]]) { past[k].push(v); past[k].splice(0, past[k].length - KEPT); }
      draw(s);
    } catch (error) {
      fill(out, retry(error, tick));
      clearTimeout(timer);
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

  fill(series, skeleton(6));
  fill(main, h("div", { class: "lead" }, h("h1", {}, "Activity"), h("p", {}, "Events are counted in the store; lists, latencies and requests in this process, since it started.")),
    h("section", { class: "card", "aria-labelledby": "time-title" }, h("header", {}, h("h2", { id: "time-title" }, "Over time"), h("label", { class: "inline" }, "Span", choose)), series),
    h("h2", {}, "Now"), out,
    calls([["Over time, over HTTP", curl("GET", "/v1/series?span=day")], ["Live numbers, over HTTP", curl("GET", "/v1/stats")], ["For Prometheus", curl("GET", "/metrics")]]));
  await Promise.all([tick(), over()]);
  return () => { gone = true; clearTimeout(timer); clearTimeout(slow); };
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
