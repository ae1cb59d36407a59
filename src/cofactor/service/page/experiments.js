// Experiments: how the arms do, day by day, with intervals that hold however often one looks.
import { calls, curl, fill, h, number, quote, retry, turns } from "./ui.js";
import { link, params, shared } from "./state.js";

const HIGH = 240, LEFT = 52, BOTTOM = 26;

export async function experiments(main, here) {
  const out = h("div", { class: "stack" }), turn = turns(here);
  async function draw(name) {
    link(here, { name });
    let answer;
    try {
      answer = await turn()("GET", `/v1/experiments${name ? `?name=${encodeURIComponent(name)}` : ""}`);
    } catch (error) {
      fill(out, retry(error, () => draw(name)));
      return;
    }
    fill(out, answer.experiments.length ? shownOf(answer, draw) : none(), terminalOf(answer));
  }
  fill(main, h("div", { class: "lead" }, h("h1", {}, "Experiments"), h("p", {}, "Which version serves users better, measured by what they do. The intervals are valid whenever you look.")), out);
  await draw(params().get("name"));
}

const none = () => h("section", { class: "card" }, h("p", {}, "No experiment yet. An A/B test gives each version a share of the users; the command below starts one."));

function shownOf({ experiments: all, results }, draw) {
  const days = (arm) => results.days.filter((d) => d.arm === arm);
  const arms = results.arms.filter((a) => days(a.arm).length);
  const pairs = results.comparisons.map((c) => ({ ...c, days: days(`${c.arm} - ${c.control}`) }));
  return [
    h("section", { class: "card", "aria-labelledby": "experiment-title" },
      h("header", {}, h("h2", { id: "experiment-title" }, results.name),
        h("label", {}, h("span", { class: "visually-hidden" }, "Experiment"), h("select", { onchange: (e) => draw(e.target.value) },
          all.toReversed().map((e) => h("option", { value: e.name, selected: e.name === results.name }, `${e.name} (${e.kind}${e.ended ? ", ended" : ""})`))))),
      h("p", {}, stateOf(results)),
      results.comparisons.map((c) => h("p", { class: c.verdict === "worse" ? "notice" : null }, sentenceOf(c))),
      results.overlap !== undefined && h("p", {}, `${number(100 * results.overlap, 1)} % of a shown list is in the shadow's list too.`),
      results.guardrails.filter((g) => g.breached).map((g) => h("p", { class: "notice", role: "alert" }, `Guardrail breached: ${g.metric.replace("_", " ")} of ${g.arm} is ${number(g.value, 3)}, of the control ${number(g.control, 3)}.`)),
      tableOf(results)),
    arms.length > 0 && chartOf("Outcome per user, by arm", arms.map((a) => [a.arm, days(a.arm)])),
    pairs.some((p) => p.days.length) && chartOf("Difference from the control", pairs.map((p) => [`${p.arm} − ${p.control}`, p.days]), true),
  ];
}

function stateOf({ started, ended, rolled_out: winner, rules }) {
  const state = ended ? `Ran from ${date(started)} to ${date(ended)}${winner ? `; ${winner} was rolled out` : ""}.` : `Running since ${date(started)}.`;
  const worth = Object.entries(rules.rewards).map(([kind, value]) => `${kind === "*" ? (Object.keys(rules.rewards).length > 1 ? "any other event" : "any event") : kind} counts ${value}`).join(", ");
  return `${state} ${worth[0].toUpperCase()}${worth.slice(1)} within ${lasting(rules.window)} of a list, for the lists of a user's first ${lasting(rules.horizon)}.`;
}

const date = (t) => new Date(t * 1000).toISOString().slice(0, 10);

function lasting(seconds) {
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([n]) => seconds % n === 0);
  return `${number(seconds / size)} ${unit}${seconds === size ? "" : "s"}`;
}

function sentenceOf(c) {
  if (c.verdict === "too_early") return `${c.arm} against ${c.control}: too early, fewer than 100 complete users in an arm.`;
  const what = { better: "is better", worse: "is worse", open: "may be better or worse" }[c.verdict];
  return `${c.arm} ${what} than ${c.control}: ${signed(c.difference)} per user (${signed(c.low)} to ${signed(c.high)}), p = ${c.p.toPrecision(2)}, ${number(c.users)} users.`;
}

const signed = (x) => `${x < 0 ? "−" : "+"}${Math.abs(x).toPrecision(3)}`;

function tableOf(results) {
  const columns = [["Users", (a) => number(a.users)], ["Complete", (a) => number(a.complete)], ["Lists", (a) => number(a.lists)],
    ["Outcome per user", (a) => (a.mean === undefined ? "–" : `${a.mean.toPrecision(3)} (${a.low.toPrecision(3)}–${a.high.toPrecision(3)})`)],
    ["p99", (a) => (a.p99_ms === undefined ? "–" : `${number(a.p99_ms, 1)} ms`)], ["Fallbacks", (a) => (a.fallback_share === undefined ? "–" : `${number(100 * a.fallback_share, 1)} %`)],
    ["Items shown", (a) => number(a.coverage)]];
  return h("div", { class: "table", tabindex: "0", role: "group", "aria-label": "Arms, to scroll" }, h("table", { class: "versions" },
    h("thead", {}, h("tr", {}, ["Arm", ...columns.map(([t]) => t)].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, results.arms.map((a, n) => h("tr", {}, h("th", { scope: "row" }, a.arm, " ", n === 0 && h("span", { class: "tag" }, "control")),
      columns.map(([t, of]) => h("td", { class: "n", "data-of": t }, of(a))))))));
}

// Lines with bands of their intervals over days; text beside it says the same.
function chartOf(title, series, zero = false) {
  // Drawn about as wide as it is shown, so that its writing has the page's size.
  const WIDE = Math.min(1200, Math.max(300, document.documentElement.clientWidth - 80));
  const points = series.flatMap(([, days]) => days);
  const values = points.flatMap((d) => [d.low, d.high]).concat(zero ? [0] : []);
  const [from, to] = [Math.min(...points.map((d) => d.time)), Math.max(...points.map((d) => d.time))];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (t) => LEFT + (WIDE - LEFT - 10) * (to > from ? (t - from) / (to - from) : 0.5);
  const last = (days, n) => x(days.at(-1).time) - 8 * (series.length - 1 - n);  // side by side
  const y = (v) => 8 + ((HIGH - BOTTOM - 8) * (high - v)) / (high - low || 1);
  const at = (days, of) => days.map((d) => `${x(d.time).toFixed(1)},${y(of(d)).toFixed(1)}`);
  const ticks = [low, zero ? 0 : (low + high) / 2, high];
  const label = (text, props) => { const made = document.createElementNS("http://www.w3.org/2000/svg", "text"); for (const [k, v] of Object.entries(props)) made.setAttribute(k, v); made.textContent = text; return made; };
  return h("section", { class: "card" }, h("header", {}, h("h2", {}, title), h("p", {}, "always-valid 95 % intervals")),
    h("svg", { class: "series", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": series.filter(([, d]) => d.length).map(([n, d]) => `${n}: ${d.at(-1).mean.toPrecision(3)}, from ${d.at(-1).low.toPrecision(3)} to ${d.at(-1).high.toPrecision(3)}`).join("; ") },
      ticks.map((v) => [h("line", { class: "grid", x1: LEFT, x2: WIDE - 10, y1: y(v), y2: y(v) }), label(v ? v.toPrecision(2).replace("-", "−") : "0", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" })]),
      zero && h("line", { class: "zero", x1: LEFT, x2: WIDE - 10, y1: y(0), y2: y(0) }),
      label(date(from), to > from ? { x: LEFT, y: HIGH - 6 } : { x: x(from), y: HIGH - 6, "text-anchor": "middle" }), to > from && label(date(to), { x: WIDE - 10, y: HIGH - 6, "text-anchor": "end" }),
      series.map(([, days], n) => days.length > 0 && [
        h("path", { class: `band arm-${n % 4}`, d: `M${[...at(days, (d) => d.high), ...at(days, (d) => d.low).reverse()].join(" L")} Z` }),
        h("polyline", { class: `line arm-${n % 4}`, points: at(days, (d) => d.mean).join(" ") }),
        h("line", { class: `line arm-${n % 4}`, x1: last(days, n), x2: last(days, n), y1: y(days.at(-1).low), y2: y(days.at(-1).high) }),
        h("circle", { class: `dot arm-${n % 4}`, cx: last(days, n), cy: y(days.at(-1).mean), r: 3.5 })])),
    h("ul", { class: "legend" }, series.map(([name], n) => h("li", {}, h("i", { class: `arm-${n % 4}` }), name))));
}

function terminalOf({ results, experiments: all }) {
  const { folder, current, versions } = shared.model;
  const other = versions.find((v) => !v.current)?.version ?? "NEW";
  return calls([
    ["Start an A/B test, on the command line", `cofactor experiment start ${quote(folder)} --name my-test --arms ${quote(`${current.version}:50,${other}:50`)}`],
    ["Look, on the command line", `cofactor experiment status ${quote(folder)}`],
    results && ["Stop, on the command line", `cofactor experiment stop ${quote(folder)} --name ${quote(results.name)}`],
    ["All of this, over HTTP", curl("GET", "/v1/experiments")],
  ], !all.length);
}
