// Two versions of the model, side by side, on the same history.
import { api, calls, curl, fill, h, itemList, name, quote, reasonsOf, retry, say } from "./ui.js";
import { link, params, past, shared } from "./state.js";

const K = 12;

export async function compare(main) {
  const versions = shared.model.versions.filter((v) => !v.problem);
  const current = shared.model.current.version;
  if (versions.length < 2) {
    fill(main, h("div", { class: "lead" }, h("h1", {}, "Two versions, one history"), h("p", {}, "Where they agree, where they don't, and how far items move.")),
      h("section", { class: "card" }, h("p", { class: "empty" }, `There is only one version, ${current}. Serve a folder with one saved model per subfolder to see two side by side.`)),
      calls([["A second version, on the command line", `cofactor retrain ${shared.dir()} --out models/next`], ["The versions, over HTTP", curl("GET", "/v1/model")]]));
    return null;
  }
  const known = (version) => (versions.some((v) => v.version === version) ? version : null);
  const first = known(params().get("left")) ?? current;
  const other = known(params().get("right")) ?? versions.find((v) => v.version !== first).version;
  const left = picker("left", "Left", versions, first), right = picker("right", "Right", versions, other);
  const out = h("div", { class: "two", "aria-busy": "true" }), summary = h("div", { class: "agreement" }), terminal = h("div", {});
  const historyLine = h("p", { class: "hint" });
  let turn = 0;

  async function run() {
    const mine = ++turn;
    link({ left: left.value, right: right.value });
    const history = past.ids();
    fill(historyLine, history.length ? ["History: ", past.all().map(name).join(", ")] : ["No history yet: both show what is popular. Build one under ", h("a", { href: "#explore" }, "Explore"), "."]);
    const ask = (version) => api("POST", "/v1/recommend", { history, k: K, version });
    out.setAttribute("aria-busy", "true");
    let a, b;
    try {
      [a, b] = await Promise.all([ask(left.value), ask(right.value)]);
    } catch (error) {
      if (mine === turn) fill(out, retry(error, run));
      return;
    }
    if (mine !== turn) return;
    out.setAttribute("aria-busy", "false");
    const ranks = (answer) => new Map(answer.items.map((item, n) => [String(item.item_id), n]));
    const inA = ranks(a), inB = ranks(b);
    const both = [...inA.keys()].filter((id) => inB.has(id));
    const moved = both.length ? both.reduce((sum, id) => sum + Math.abs(inA.get(id) - inB.get(id)), 0) / both.length : null;
    fill(summary, figure(`${both.length} of ${Math.max(inA.size, inB.size)}`, "items in both lists"), figure(moved === null ? "–" : moved.toFixed(1), "ranks that a common item moves, on average"),
      figure(a.items[0] && b.items[0] && String(a.items[0].item_id) === String(b.items[0].item_id) ? "same" : "different", "first place"));
    fill(out, column(a, inB, "left"), column(b, inA, "right"));
    say(`${both.length} items in both lists`);
    const versionDir = shared.dir;
    const ids = quote(history.join(",") || "ID,ID");
    fill(terminal, calls([
      [`${left.value}, on the command line`, `cofactor recommend ${versionDir(left.value)} --history ${ids} -k ${K}`],
      [`${right.value}, on the command line`, `cofactor recommend ${versionDir(right.value)} --history ${ids} -k ${K}`],
      [`${right.value}, over HTTP`, curl("POST", "/v1/recommend", { history, k: K, version: right.value })],
    ]));
  }

  left.addEventListener("change", run);
  right.addEventListener("change", run);
  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "Two versions, one history"), h("p", {}, "Where they agree, where they don't, and how far items move.")),
    h("section", { class: "card" }, h("div", { class: "controls" }, h("label", {}, "Left", left), h("label", {}, "Right", right)), historyLine, summary,
      h("p", { class: "hint legend-line" }, h("span", { class: "delta up" }, "▲ 2"), " stands two places higher here than on the other side, ", h("span", { class: "delta down" }, "▼ 2"), " two lower, = in the same place.")),
    out, terminal);
  await run();
  return past.listen(run);
}

function picker(id, label, versions, chosen) {
  return h("select", { id: `compare-${id}` }, versions.map((v) => h("option", { value: v.version, selected: v.version === chosen }, `${v.version} (${v.model})`)));
}

function figure(value, label) {
  return h("div", { class: "figure" }, h("b", {}, value), h("span", {}, label));
}

function column(answer, others, side) {
  const mark = (item, n) => {
    const there = others.get(String(item.item_id));
    if (there === undefined) return h("span", { class: "delta only" }, "only here");
    const change = there - n;
    if (change === 0) return h("span", { class: "delta" }, "=");
    return h("span", { class: change > 0 ? "delta up" : "delta down", title: `place ${there + 1} on the other side` }, `${change > 0 ? "▲" : "▼"} ${Math.abs(change)}`);
  };
  return h("section", { class: "card", "aria-label": `${side}: ${answer.model.version}` },
    h("header", {}, h("h2", {}, answer.model.version), h("span", { class: answer.source === "personal" ? "tag" : "tag warm" }, `${answer.model.name} · ${answer.source}`)),
    itemList(answer.items, { meta: reasonsOf, side: mark }));
}
