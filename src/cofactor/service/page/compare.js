// Two versions of the model on the same history: what they measured, and their lists item by item.
import { broken, calls, curl, fill, h, name, picture, quote, reasonsOf, retry, say, turns } from "./ui.js";
import { link, params, past, shared } from "./state.js";
import { alike, axisOf, interval, measuredOn, metricNames, metricOf, whisker } from "./measured.js";

// How many places of each list are rows, and how deep an item is looked for in the other list.
const K = 12, DEEP = 100;

export async function compare(main, here) {
  const versions = shared.model.versions.filter((v) => !v.problem);
  const current = shared.model.current.version;
  const lead = h("div", { class: "lead" }, h("h1", {}, "Two versions, one history"), h("p", {}, "Where they agree, where they don't, and how far items move."));
  if (versions.length < 2) {
    fill(main, lead,
      h("section", { class: "card" }, h("p", { class: "empty" }, `There is only one version, ${current}. Serve a folder with one saved model per subfolder to see two side by side.`)),
      calls([["A second version, on the command line", `cofactor retrain ${shared.dir()} --out models/next`], ["The versions, over HTTP", curl("GET", "/v1/model")]]));
    return;
  }
  const known = (version) => (versions.some((v) => v.version === version) ? version : null);
  const first = known(params().get("left")) ?? current;
  const other = known(params().get("right")) ?? versions.find((v) => v.version !== first).version;
  const left = picker("left", "Left", versions, first), right = picker("right", "Right", versions, other);
  const out = h("section", { class: "card", "aria-label": "Both lists", "aria-busy": "true" }), terminal = h("div", {});
  const summary = h("div", { class: "agreement" }), measured = h("section", { class: "card", "aria-labelledby": "measured-title" });
  const historyLine = h("p", { class: "hint" });
  const turn = turns(here);

  async function run() {
    link(here, { left: left.value, right: right.value });
    const history = past.ids(), pair = [left.value, right.value].map((v) => versions.find((one) => one.version === v));
    fill(measured, ...figuresOf(...pair));
    fill(historyLine, history.length ? ["History: ", past.all().map(name).join(", ")] : ["No history yet: both show what they recommend to everybody. Build one under ", h("a", { href: "#explore" }, "Explore"), "."]);
    const call = turn(), ask = (version) => call("POST", "/v1/recommend", { history, k: DEEP, version });
    out.setAttribute("aria-busy", "true");
    let a, b;
    try {
      [a, b] = await Promise.all([ask(left.value), ask(right.value)]);
    } catch (error) {
      fill(out, retry(error, run));
      return;
    }
    out.setAttribute("aria-busy", "false");
    const rows = aligned(a.items, b.items);
    const both = rows.filter((row) => row.left < K && row.right < K);
    const moved = both.reduce((sum, row) => sum + Math.abs(row.left - row.right), 0) / both.length;
    fill(summary, figure(`${both.length} of ${Math.min(K, Math.max(a.items.length, b.items.length))}`, "items in both lists"), figure(both.length ? moved.toFixed(1) : "–", "places that a common item moves, on average"),
      figure(rows[0]?.left === 0 && rows[0]?.right === 0 ? "same" : "different", "first place"));
    fill(out, rows.length ? listsOf(rows, pair, [a, b]) : h("p", { class: "empty" }, "Nothing is left to recommend."));
    say(`${both.length} items in both lists`);
    const ids = quote(history.join(",") || "ID,ID");
    fill(terminal, calls([
      [`${left.value}, on the command line`, `cofactor recommend ${shared.dir(left.value)} --history ${ids} -k ${K}`],
      [`${right.value}, on the command line`, `cofactor recommend ${shared.dir(right.value)} --history ${ids} -k ${K}`],
      [`${right.value}, over HTTP`, curl("POST", "/v1/recommend", { history, k: K, version: right.value })],
    ]));
  }

  left.addEventListener("change", run);
  right.addEventListener("change", run);
  fill(main, lead,
    h("section", { class: "card" }, h("div", { class: "controls pair" }, h("label", {}, h("span", {}, h("i", { class: "key s0" }), "Left"), left), h("label", {}, h("span", {}, h("i", { class: "key s1" }), "Right"), right)), historyLine, summary),
    measured, out, terminal);
  past.listen(here, run);
  await run();
}

function picker(id, label, versions, chosen) {
  return h("select", { id: `compare-${id}` }, versions.map((v) => h("option", { value: v.version, selected: v.version === chosen }, v.version === v.model ? v.version : `${v.version} (${v.model})`)));
}

function figure(value, label) {
  return h("div", { class: "figure" }, h("b", {}, value), h("span", {}, label));
}

// What both measured, if it was on the same held-out events.
function figuresOf(one, other) {
  const names = metricNames([one, other]);
  const title = h("header", {}, h("h2", { id: "measured-title" }, "Measured"), names.length > 0 && h("p", {}, one === other ? measuredOn(one) : `${one.version} on ${measuredOn(one)}, ${other.version} on ${measuredOn(other)}`));
  if (!names.length) return [title, h("p", { class: "hint" }, "Neither was measured; ", h("code", {}, "cofactor train"), " and ", h("code", {}, "cofactor retrain"), " keep figures with a model.")];
  const same = alike(one, other);
  return [title, !same && h("p", { class: "notice" }, "They were measured on different held-out events, so their figures can't be compared."),
    h("div", { class: "table" }, h("table", { class: "measured" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Metric"), [one, other].map((v, n) => h("th", { scope: "col" }, h("i", { class: `key s${n}` }), broken(v.version))), same && h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "As a drawing")))),
      h("tbody", {}, names.map((n) => {
        const pair = [metricOf(one, n), metricOf(other, n)];
        return h("tr", {}, h("th", { scope: "row" }, n), pair.map((m) => h("td", { class: "n" }, m ? [h("b", {}, m.value.toFixed(4)), " ", h("small", {}, interval(m))] : "–")), same && h("td", { class: "drawn" }, whisker(pair, axisOf(n, pair))));
      }))))];
}

// One row for each item that is high in one of the lists, by its better place.
function aligned(a, b) {
  const rows = new Map();
  a.forEach((item, n) => rows.set(String(item.item_id), { left: n, right: Infinity, items: [item, null] }));
  b.forEach((item, n) => {
    const row = rows.get(String(item.item_id)) ?? { left: Infinity, right: n, items: [null, item] };
    Object.assign(row, { right: n, items: [row.items[0], item] });
    rows.set(String(item.item_id), row);
  });
  return [...rows.values()].filter((row) => Math.min(row.left, row.right) < K).sort((p, q) => Math.min(p.left, p.right) - Math.min(q.left, q.right) || p.left - q.left);
}

function listsOf(rows, versions, answers) {
  const most = answers.map((answer) => Math.max(...answer.items.map((i) => Math.abs(i.score ?? 0)), 1e-9));
  const place = (row, n) => {
    const at = n ? row.right : row.left, item = row.items[n];
    if (!item) return h("td", { class: "n place none" }, answers[n].items.length < DEEP ? "–" : `> ${DEEP}`);
    return h("td", { class: at < K ? "n place" : "n place none" }, at + 1, h("div", { class: `bar s${n}`, role: "img", "aria-label": `score ${item.score.toPrecision(3)}` }, h("i", { style: { width: `${Math.max(2, (100 * Math.max(item.score, 0)) / most[n])}%` } })));
  };
  const pictured = rows.some((row) => (row.items[0] ?? row.items[1]).image);
  return [h("header", {}, h("h2", {}, "Both lists, item by item"), h("p", {}, h("span", { class: "delta up" }, "▲ 2"), " two places higher on the right, ", h("span", { class: "delta down" }, "▼ 2"), " two lower")),
    h("table", { class: "pairs" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("i", { class: "key s0" }), broken(versions[0].version)), h("th", { scope: "col" }, "Item"), h("th", { scope: "col" }, h("i", { class: "key s1" }), broken(versions[1].version)), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Moves")))),
      h("tbody", {}, rows.map((row) => {
        const item = row.items[0] ?? row.items[1], why = row.items.map((one, n) => one && (n ? row.right : row.left) < K && reasonsOf(one) && h("div", { class: "meta" }, h("i", { class: `key s${n}` }), h("div", {}, reasonsOf(one))));
        return h("tr", {}, place(row, 0), h("th", { scope: "row" }, h("div", { class: pictured ? "pictured" : null }, picture(item, pictured), h("div", {}, name(item), why))), place(row, 1), h("td", { class: "n" }, moveOf(row)));
      })))];
}

function moveOf(row) {
  if (row.left === Infinity) return h("span", { class: "delta only" }, "new");
  if (row.right === Infinity) return h("span", { class: "delta only" }, "gone");
  const change = row.left - row.right;
  return change === 0 ? h("span", { class: "delta" }, "=") : h("span", { class: change > 0 ? "delta up" : "delta down" }, `${change > 0 ? "▲" : "▼"} ${Math.abs(change)}`);
}
