// Activity: what happened over an hour, a day or a month, numbers of now, and what each version did.
import { calls, curl, fill, h, number, retry, say, skeleton, turns, update } from "./ui.js";
import { ago, chart, when } from "./charts.js";
import { link, params, shared } from "./state.js";

const SECONDS = 120, STEPS = { hour: "minute", day: "hour", month: "day" };
// The last two minutes of live numbers; they stay while another view is shown.
const kept = [];

export async function live(main, here) {
  const out = h("div", { class: "stack" }), series = h("div", { class: "charts" });
  const overTurn = turns(here), nowTurn = turns(here);
  let timer, slow;
  let span = ["hour", "day", "month"].includes(params().get("span")) ? params().get("span") : "day";

  async function over() {
    clearTimeout(slow);
    try {
      const s = await overTurn()("GET", `/v1/series?span=${span}`);
      const common = { times: s.times, step: s.step };
      const kinds = Object.entries(s.events).slice(0, 5);
      fill(series,
        chart({ ...common, id: "events", title: "Events", unit: `by kind, each ${STEPS[span]}`, lines: kinds.length ? kinds.map(([label, values]) => ({ label, values, total: true })) : [{ label: "events", values: s.times.map(() => 0) }] }),
        chart({ ...common, id: "lists", title: "Recommendations", unit: `lists, each ${STEPS[span]}`, lines: [{ label: "all", values: s.lists, total: true }, { label: "by popularity", values: s.fallback, total: true }] }),
        chart({ ...common, id: "latency", title: "Latency of recommendations", unit: "milliseconds", digits: 1, lines: [{ label: "p99", values: s.p99_ms }, { label: "p50", values: s.p50_ms }] }),
        chart({ ...common, id: "requests", title: "Requests", unit: `each ${STEPS[span]}`, lines: [{ label: "all", values: s.requests, total: true }, { label: "refused with 503", values: s.shed, total: true }, { label: "failed", values: s.failed, total: true }] }));
    } catch (error) {
      fill(series, retry(error, over));
    }
    if (!here.aborted) slow = setTimeout(over, 30_000);
  }
  const choose = h("select", { id: "span", onchange: (event) => { span = event.target.value; link(here, { span }); over().then(() => say(`the last ${span}`)); } }, ["hour", "day", "month"].map((s) => h("option", { value: s, selected: s === span }, `the last ${s}`)));

  async function tick() {
    try {
      const call = nowTurn();
      const [s, retraining] = await Promise.all([call("GET", "/v1/stats"), call("GET", "/v1/retraining")]);
      const now = Date.now() / 1000;
      kept.push({ time: now, rate: s.rate, p99: s.p99_ms, events: s.event_rate });
      while (kept[0].time < now - SECONDS) kept.shift();
      draw(s, retraining);
    } catch (error) {
      fill(out, retry(error, tick));
    }
    clearTimeout(timer);
    if (!here.aborted) timer = setTimeout(tick, 2000);
  }

  function draw(s, retraining) {
    const total = Object.values(s.sources).reduce((a, b) => a + b, 0);
    update(out,
      h("div", { class: "tiles" },
        tile("lists", number(s.rate, 1), "recommendations a second", spark("rate", 1)), tile("latency", s.p99_ms === null ? "–" : `${number(s.p99_ms, s.p99_ms < 100 ? 1 : 0)} ms`, `p99 of the last minute${s.p50_ms === null ? "" : ` · p50 ${number(s.p50_ms, 1)} ms`}`, spark("p99", 0, " ms")),
        tile("events", number(s.event_rate, 1), "events a second", spark("events", 1)), tile("#items", number(s.events), `events of ${number(s.users)} users, on disk`),
        tile("lists", `${number(100 * s.fallback_share, 1)} %`, "answered by popularity"), tile("requests", number(s.shed), "refused with 503 since the start")),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Where answers came from"), h("p", {}, `${number(total)} ${total === 1 ? "list" : "lists"} since the start`)),
        h("div", { class: "shares", role: "img", "aria-label": Object.entries(s.sources).map(([k, v]) => `${k} ${v}`).join(", ") || "none yet" },
          Object.entries(s.sources).map(([k, v]) => h("i", { class: `s-${k}`, style: { width: `${(100 * v) / Math.max(total, 1)}%` } }))),
        h("ul", { class: "legend" }, Object.entries(s.sources).map(([k, v]) => h("li", {}, h("i", { class: `s-${k}` }), `${k}: ${number(v)}`)))),
      versionsCard(s, retraining),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "The store")), h("div", { class: "table" }, h("table", {}, h("tbody", {},
        [["Accepts events", s.store.writable ? "yes" : `no: ${s.store.reason}`], ["Last commit", `${number(s.store.commit_ms, 2)} ms, on disk`], ["Requests per commit", number(s.store.mean_group, 2)],
          ["Waiting to be written", number(s.store.queued)], ["Waiting to be scored", number(s.waiting)], ["Scored together", number(s.batch_mean, 2)], ["Items hidden", number(s.hidden)],
          ["Up for", `${number(s.uptime / 60, 1)} minutes`]].map(([k, v]) => h("tr", {}, h("th", { scope: "row" }, k), h("td", { class: "n" }, v))))))));
  }

  fill(series, skeleton(6));
  fill(main, h("div", { class: "lead" }, h("h1", {}, "Activity"), h("p", {}, "Events are counted in the store; lists, latencies and requests in this process, since it started.")),
    h("section", { class: "card", "aria-labelledby": "time-title" }, h("header", {}, h("h2", { id: "time-title" }, "Over time"), h("label", { class: "inline" }, "Span", choose)), series),
    h("h2", {}, "Now"), out,
    calls([["Over time, over HTTP", curl("GET", "/v1/series?span=day")], ["Live numbers, over HTTP", curl("GET", "/v1/stats")], ["Retraining, over HTTP", curl("GET", "/v1/retraining")], ["For Prometheus", curl("GET", "/metrics")]]));
  here.addEventListener("abort", () => { clearTimeout(timer); clearTimeout(slow); });
  await Promise.all([tick(), over()]);
}

// A number that leads to where there is more of it: a chart above, or another view.
function tile(to, value, label, drawing = null) {
  const open = (event) => {
    if (to.startsWith("#")) return;
    event.preventDefault();
    const shown = document.getElementById(`chart-${to}`);
    shown?.scrollIntoView({ block: "center" });
    shown?.focus({ preventScroll: true });
  };
  return h("a", { class: "card tile", href: to.startsWith("#") ? to : `#live`, onclick: open }, h("b", {}, value), h("span", {}, label), drawing);
}

// The last two minutes of a number; nothing is drawn where it wasn't looked at.
function spark(of, digits, unit = "") {
  const now = kept.at(-1).time, most = Math.max(...kept.map((one) => one[of] ?? 0), 1e-9);
  const parts = [];
  let before = -Infinity;
  for (const one of kept) {
    if (one[of] === null) continue;
    const point = `${(100 * (1 - (now - one.time) / SECONDS)).toFixed(2)},${(36 - (34 * one[of]) / most).toFixed(2)}`;
    if (one.time - before > 6) parts.push([point]); else parts.at(-1).push(point);
    before = one.time;
  }
  return [h("svg", { viewBox: "0 0 100 38", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("line", { class: "grid", x1: 0, x2: 100, y1: 37, y2: 37 }), parts.map((part) => h("path", { class: "line", d: `M${part.join(" L")}${part.length > 1 ? "" : " l0.8,0"}` }))),
  h("small", { class: "axis-line", "aria-hidden": "true" }, h("span", {}, "−2 min"), h("span", {}, `max ${number(most > 1e-9 ? most : 0, digits)}${unit}`), h("span", {}, "now"))];
}

// What each version answered since the start, how it was trained, and when the next one is due.
function versionsCard(s, retraining) {
  const rows = shared.model.versions.filter((v) => v.current || s.versions[v.version]);
  const last = retraining.last;
  const done = last && `The last retraining, ${ago(last.time)}: ${{ promoted: `${last.version} was promoted`, refused: `${last.version} was refused`, nothing_new: "nothing new", failed: "failed" }[last.outcome] ?? "under way"}${last.seconds ? `, ${number(last.seconds, 0)} s` : ""}${last.events ? `, ${number(last.events)} new events` : ""}${last.why ? ` (${last.why})` : ""}.`;
  return h("section", { class: "card", "aria-labelledby": "did-title" }, h("header", {}, h("h2", { id: "did-title" }, "By version"), h("p", {}, "since the start")),
    h("div", { class: "table" }, h("table", { class: "cards" }, h("thead", {}, h("tr", {}, ["Version", "Lists", "By popularity", "Trained", "On", "Took"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, rows.map((v) => {
        const did = s.versions[v.version] ?? { lists: 0, popularity: 0 };
        return h("tr", {}, h("th", { scope: "row" }, h("a", { href: "#models" }, v.version), " ", v.current && h("span", { class: "tag good" }, "answers")),
          h("td", { class: "n", "data-of": "Lists" }, number(did.lists)), h("td", { class: "n", "data-of": "By popularity" }, did.lists ? `${number((100 * did.popularity) / did.lists, 1)} %` : "–"),
          h("td", { class: "n", "data-of": "Trained" }, v.created ? when(Date.parse(v.created) / 1000) : "–"), h("td", { class: "n", "data-of": "On" }, v.data ? `${number(v.data.interactions)} events` : "–"), h("td", { class: "n", "data-of": "Took" }, v.run?.fit_seconds === undefined ? "–" : `${number(v.run.fit_seconds, 1)} s`));
      })))),
    h("p", { class: "hint" }, retraining.running ? "The model is being retrained. " : null, retraining.schedule ? `Retraining: ${retraining.schedule}. ` : ["The model isn't retrained automatically. To schedule it: ", h("code", {}, "cofactor serve --retrain \"every 6h\""), ". "], done));
}
