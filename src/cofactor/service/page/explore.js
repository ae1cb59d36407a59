// Find items, see neighbours, build a history, watch the recommendations and their reasons change.
import { calls, curl, debounced, fill, h, itemList, name, number, origin, quote, reasonsOf, retry, say, skeleton, turns } from "./ui.js";
import { columns, link, params, past, shared, whereExample } from "./state.js";
import { historyList } from "./history.js";

export async function explore(main, here) {
  const found = h("div", {}), history = h("div", { class: "stack" }), recs = h("div", {}), near = h("div", { class: "near" }), terminal = h("div", {});
  const about = h("p", { class: "hint" });
  const search = h("input", { type: "search", id: "search", placeholder: "Words of a title …", autocomplete: "off", spellcheck: "false", "aria-describedby": "search-hint" });
  const where = h("input", { id: "where", placeholder: whereExample(), autocomplete: "off", spellcheck: "false" });
  const whereSays = h("p", { class: "hint", role: "status" });
  const lookTurn = turns(here), nearTurn = turns(here), recsTurn = turns(here);
  let selected = null, before = null;
  const given = params();
  search.value = given.get("q") ?? "";
  where.value = given.get("where") ?? "";
  await linked(given.get("items"), recsTurn());

  function add(item) {
    const list = document.activeElement.closest("ol");
    const at = places(list).indexOf(document.activeElement);
    past.add(item);
    say(`${name(item)} added to the history`);
    // What was pressed can't be pressed again: the focus goes on to the next thing to add.
    if (document.activeElement.disabled) focusAt(list, at);
  }
  const acts = (item) => [
    shared.model.can.similar && h("button", { type: "button", class: "quiet small", "aria-label": `Items like ${name(item)}`, onclick: () => neighbours(item) }, "Similar"),
    h("button", { type: "button", class: "small", "aria-label": `Add ${name(item)} to the history`, "data-add": String(item.item_id), onclick: () => add(item), disabled: past.has(item.item_id) }, past.has(item.item_id) ? "Added" : "Add"),
  ];
  const places = (list) => [...(list?.querySelectorAll("[data-add]") ?? [])];
  function focusAt(list, at) {
    const there = places(list);
    (there.slice(at).find((b) => !b.disabled) ?? there.findLast((b) => !b.disabled))?.focus();
  }
  // A list is drawn again: the focus stays in it.
  function keepFocus(list, draw) {
    const at = places(list).indexOf(document.activeElement);
    draw();
    if (at >= 0) focusAt(list, at);
  }
  // What is in the history can't be added again, in any of the lists.
  function mark() {
    for (const button of places(main)) {
      button.disabled = past.has(button.dataset.add);
      button.textContent = button.disabled ? "Added" : "Add";
    }
  }

  async function look() {
    const words = search.value.trim();
    link(here, { q: words || null });
    let answer;
    try {
      answer = await lookTurn()("GET", words ? `/v1/search?limit=10&q=${encodeURIComponent(words)}` : "/v1/items?limit=10");
    } catch (error) {
      fill(found, retry(error, look));
      return;
    }
    const items = answer.items;
    found.classList.toggle("brief", !words);
    keepFocus(found, () => fill(found, h("p", { class: "hint", id: "search-hint" }, words ? (items.length ? `${items.length === 10 ? "The ten best" : items.length} found` : "No title contains these words, and no item has this id.") : "The most popular items"),
      items.length ? itemList(items, { acts, ranks: false, bars: false, meta: (i) => (i.interactions === undefined || i.interactions === null ? "not known to the model yet" : `${number(i.interactions)} users`) }) : null));
    if (words) say(`${items.length} items found`);
  }

  async function neighbours(item) {
    selected = item;
    const path = `/v1/items/${encodeURIComponent(item.item_id)}/similar?k=8`;
    try {
      const answer = await nearTurn()("GET", path);
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
    link(here, { items: past.ids().join(",") || null, where: where.value.trim() || null });
    keepHistory(items);
    recs.setAttribute("aria-busy", "true");
    let answer;
    try {
      answer = await recsTurn()("POST", "/v1/recommend", request());
    } catch (error) {
      recs.setAttribute("aria-busy", "false");
      // What is wrong with the filter stands beside it; all else where the answer would.
      const filter = error.status === 422 && where.value.trim() !== "";
      whereSays.textContent = filter ? error.message : "";
      if (filter) where.setAttribute("aria-invalid", "true");
      fill(about);
      before = null;
      fill(recs, filter ? h("p", { class: "empty" }, "The filter can't be read.") : retry(error, recommend));
      return;
    }
    recs.setAttribute("aria-busy", "false");
    whereSays.textContent = "";
    where.removeAttribute("aria-invalid");
    const now = new Set(answer.items.map((i) => String(i.item_id)));
    const fresh = before ? new Set([...now].filter((id) => !before.has(id))) : new Set();
    before = now;
    fill(about, origin(answer));
    const list = answer.items.length ? itemList(answer.items, { acts, fresh, meta: reasonsOf }) : h("p", { class: "empty" }, "No item passes this filter.");
    // The popular items stand on the left already; what is behind the line is drawn, and can be opened.
    const same = !items.length && answer.source === "popularity" && answer.items.length > 0 && !where.value.trim();
    keepFocus(recs, () => fill(recs, same
      ? [h("p", { class: "empty" }, "Add an item: this list becomes personal at once."), h("details", {}, h("summary", { class: "hint" }, "What a new visitor gets"), list)]
      : list));
    say(`${answer.items.length} recommendations, ${answer.source}`);
    showCalls();
  }

  function keepHistory(items) {
    const removers = () => [...history.querySelectorAll(".past button[aria-label^='Remove ']")];
    const at = removers().indexOf(document.activeElement);
    fill(history, items.length
      ? historyList(items, shared.model.can.order)
      : h("p", { class: "empty" }, "Nothing yet. Add an item and watch what changes."),
    items.length ? h("div", { class: "row" }, h("button", { type: "button", class: "quiet", onclick: () => past.clear() }, "Clear the history")) : null);
    if (at >= 0) (removers()[Math.min(at, items.length - 1)] ?? search).focus();
  }

  function showCalls() {
    const body = request();
    const dir = shared.dir();
    const filter = body.where ? ` --where ${quote(body.where)}` : "";
    fill(terminal, calls([
      past.ids().length ? ["Recommend, on the command line", `cofactor recommend ${dir} --history ${quote(past.ids().join(","))}${filter} -k 10 --explain`] : null,
      ["Recommend, over HTTP", curl("POST", "/v1/recommend", body)],
      selected ? ["Neighbours, on the command line", `cofactor similar ${dir} --item ${quote(selected.item_id)}`] : null,
      selected ? ["Neighbours, over HTTP", curl("GET", `/v1/items/${encodeURIComponent(selected.item_id)}/similar?k=8`)] : null,
      ["Search, over HTTP", curl("GET", `/v1/search?q=${encodeURIComponent(search.value.trim() || "words")}`)],
    ]));
  }

  search.addEventListener("input", debounced(here, look));
  where.addEventListener("input", debounced(here, recommend, 350));
  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "What would it recommend?"), h("p", {}, "Pick items that somebody liked. Recommendations follow at once, without retraining.")),
    h("div", { class: "explore" },
      card("find-title", "Find items", null, h("div", { class: "searchbox" }, h("label", { class: "visually-hidden", for: "search" }, "Find items by title"), search), found),
      h("div", { class: "stack" },
        card("past-title", "The history", shared.model.can.order ? "oldest first; this model reads the order" : "oldest first", history),
        h("div", { class: "filter" }, card("filter-title", "Filter", "only items for which this holds", h("label", { class: "visually-hidden", for: "where" }, "Condition on the items' attributes"), where, whereSays, columnsHint(where))),
        near),
      h("div", { class: "wide" }, h("section", { class: "card", "aria-labelledby": "recs-title" }, h("header", {}, h("h2", { id: "recs-title" }, "Recommendations"), about), recs))),
    terminal);
  fill(recs, skeleton(8));
  past.listen(here, () => { mark(); recommend(); });
  await Promise.all([look(), recommend()]);
}

function card(id, title, hint, ...children) {
  return h("section", { class: "card", "aria-labelledby": id }, h("header", {}, h("h2", { id }, title), hint && h("p", {}, hint)), children);
}

// The columns, each of which begins a condition.
function columnsHint(where) {
  const names = columns();
  if (!names.length) return h("p", { class: "hint" }, "These items have no attributes to filter by.");
  const begin = (column) => { where.value = where.value.trim() ? `${where.value.trim()} and ${column} ` : `${column} `; where.focus(); };
  return h("div", { class: "row tight" }, h("span", { class: "hint" }, "Columns:"), names.slice(0, 8).map((column) => h("button", { type: "button", class: "chip-button", "aria-label": `Begin a condition on ${column}`, onclick: () => begin(column) }, column)));
}

// The history that a link names.
async function linked(ids, ask) {
  if (!ids || ids === past.ids().join(",")) return;
  const items = await Promise.all(ids.split(",").slice(0, 50).map((id) => ask("GET", `/v1/items/${encodeURIComponent(id)}`).catch(() => null)));
  if (items.some(Boolean)) past.replace(items.filter(Boolean));
}
