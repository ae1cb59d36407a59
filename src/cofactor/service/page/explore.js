// Find items, see neighbours, build a history, watch the recommendations and their reasons change.
import { actButton, api, calls, curl, debounced, fill, h, itemList, name, number, quote, reasonsOf, say, toast } from "./ui.js";
import { historyList } from "./history.js";
import { past, shared } from "./state.js";

export async function explore(main) {
  const found = h("div", {}), history = h("div", { class: "stack" }), recs = h("div", {}), near = h("div", { class: "near" }), terminal = h("div", {});
  const about = h("p", { class: "hint" });
  const search = h("input", { type: "search", id: "search", placeholder: "Words of a title …", autocomplete: "off", spellcheck: "false", "aria-describedby": "search-hint" });
  const where = h("input", { id: "where", placeholder: whereExample(), autocomplete: "off", spellcheck: "false" });
  const whereSays = h("p", { class: "hint", role: "status" });
  let selected = null, before = null, turn = 0;

  const add = (item) => { past.add(item); say(`${name(item)} added to the history`); };
  const acts = (item) => [
    actButton("≈", `Items like ${name(item)}`, () => neighbours(item)),
    actButton(past.has(item.item_id) ? "✓" : "+", `Add ${name(item)} to the history`, () => add(item), { disabled: past.has(item.item_id) }),
  ];

  async function look() {
    const words = search.value.trim();
    const mine = ++turn;
    const answer = await api("GET", words ? `/v1/search?limit=10&q=${encodeURIComponent(words)}` : "/v1/items?limit=10");
    if (mine !== turn) return;
    const items = answer.items;
    fill(found, h("p", { class: "hint", id: "search-hint" }, words ? (items.length ? `${items.length === 10 ? "The ten best" : items.length} found` : "No title has these words.") : "The most popular items"),
      items.length ? itemList(items, { acts, ranks: false, bars: false, meta: (i) => (i.interactions === undefined || i.interactions === null ? "not known to the model yet" : `${number(i.interactions)} users`) }) : null);
    if (words) say(`${items.length} items found`);
  }

  async function neighbours(item) {
    selected = item;
    const path = `/v1/items/${encodeURIComponent(item.item_id)}/similar?k=8`;
    try {
      const answer = await api("GET", path);
      fill(near, card("near-title", ["Like ", h("em", {}, name(item))], "by the model's own similarity", itemList(answer.items, { acts })));
      say(`${answer.items.length} items like ${name(item)}`);
    } catch (error) {
      fill(near, card("near-title", ["Like ", h("em", {}, name(item))], null, h("p", { class: "notice" }, error.message)));
    }
    showCalls();
  }

  const request = () => ({ history: past.ids(), k: 10, ...(where.value.trim() ? { where: where.value.trim() } : {}) });

  async function recommend() {
    const items = past.all();
    fill(history, items.length
      ? historyList(items, shared.model.can.order)
      : h("p", { class: "empty" }, "Nothing yet. Add an item with + and watch what changes."),
    items.length ? h("div", { class: "row" }, h("button", { type: "button", class: "quiet", onclick: () => past.clear() }, "Clear the history")) : null);
    let answer;
    try {
      answer = await api("POST", "/v1/recommend", request());
      whereSays.textContent = "";
      where.removeAttribute("aria-invalid");
    } catch (error) {
      whereSays.textContent = error.message;
      if (where.value.trim()) where.setAttribute("aria-invalid", "true");
      return;
    }
    const now = new Set(answer.items.map((i) => String(i.item_id)));
    const fresh = before ? new Set([...now].filter((id) => !before.has(id))) : new Set();
    before = now;
    fill(about, h("span", { class: answer.source === "personal" ? "tag" : "tag warm" }, answer.source), ` ${answer.note ?? `from ${answer.history_used} past item${answer.history_used === 1 ? "" : "s"}`}`);
    fill(recs, answer.items.length ? itemList(answer.items, { acts, fresh, meta: reasonsOf }) : h("p", { class: "empty" }, "No item passes this filter."));
    say(`${answer.items.length} recommendations, ${answer.source}`);
    showCalls();
  }

  function showCalls() {
    const body = request();
    const dir = `models/${shared.model.current.version}`;
    const filter = body.where ? ` --where ${quote(body.where)}` : "";
    fill(terminal, calls([
      past.ids().length ? ["Recommend, on the command line", `cofactor recommend ${dir} --history ${quote(past.ids().join(","))}${filter} -k 10 --explain`] : null,
      ["Recommend, over HTTP", curl("POST", "/v1/recommend", body)],
      selected ? ["Neighbours, on the command line", `cofactor similar ${dir} --item ${quote(selected.item_id)}`] : null,
      selected ? ["Neighbours, over HTTP", curl("GET", `/v1/items/${encodeURIComponent(selected.item_id)}/similar?k=8`)] : null,
      ["Search, over HTTP", curl("GET", `/v1/search?q=${encodeURIComponent(search.value.trim() || "words")}`)],
    ]));
  }

  search.addEventListener("input", debounced(() => look().catch((e) => toast(e.message))));
  where.addEventListener("input", debounced(recommend, 350));
  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "What would it recommend?"), h("p", {}, "Pick items that somebody liked. Recommendations follow at once, without retraining.")),
    h("div", { class: "explore" },
      card("find-title", "Find items", null, h("div", { class: "searchbox" }, h("label", { class: "visually-hidden", for: "search" }, "Find items by title"), search), found),
      h("div", { class: "stack" },
        card("past-title", "The history", shared.model.can.order ? "oldest first; this model reads the order" : "oldest first", history),
        card("filter-title", "Filter", "applied before scoring", h("label", { class: "visually-hidden", for: "where" }, "Condition on the items' attributes"), where, whereSays, columnsHint()),
        near),
      h("div", { class: "wide" }, h("section", { class: "card", "aria-labelledby": "recs-title" }, h("header", {}, h("h2", { id: "recs-title" }, "Recommendations"), about), recs))),
    terminal);
  const stop = past.listen(() => { recommend(); look(); });
  await Promise.all([look(), recommend()]);
  return stop;
}

function card(id, title, hint, ...children) {
  return h("section", { class: "card", "aria-labelledby": id }, h("header", {}, h("h2", { id }, title), hint && h("p", {}, hint)), children);
}

function columns() {
  return shared.model.columns.filter((c) => !/url|image|link/i.test(c));
}

function columnsHint() {
  const names = columns();
  return h("p", { class: "hint" }, names.length ? `Columns: ${names.join(", ")}` : "These items have no attributes to filter by.");
}

function whereExample() {
  const names = columns();
  if (names.includes("genres")) return "genres has 'Comedy'";
  return names.includes("year") ? "year >= 1990" : names.length ? `${names[0]} is not missing` : "no attributes";
}
