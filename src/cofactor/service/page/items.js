// Browse the items: search, filter, hide and show; and the last events.
import { actButton, api, calls, curl, debounced, fill, h, name, number, picture, retry, say, toast, turns } from "./ui.js";
import { link, params, whereExample } from "./state.js";
import { ago, when } from "./charts.js";

const PAGE = 25;

export async function items(main, here) {
  const given = params();
  const search = h("input", { type: "search", id: "items-search", placeholder: "Words of a title, or an id …", autocomplete: "off" });
  const where = h("input", { id: "items-where", placeholder: whereExample(), autocomplete: "off", spellcheck: "false" });
  const state = h("select", { id: "items-state" }, h("option", { value: "visible" }, "visible"), h("option", { value: "hidden" }, "hidden"));
  const out = h("div", {}), events = h("div", {}), terminal = h("div", {});
  search.value = given.get("q") ?? "";
  where.value = given.get("where") ?? "";
  state.value = given.get("state") === "hidden" ? "hidden" : "visible";
  const lookTurn = turns(here), eventsTurn = turns(here);
  let offset = Number(given.get("from") ?? 0) || 0;

  const address = () => {
    if (search.value.trim()) return `/v1/search?limit=50&q=${encodeURIComponent(search.value.trim())}`;
    const filter = state.value === "visible" && where.value.trim() ? `&where=${encodeURIComponent(where.value.trim())}` : "";
    return `/v1/items?limit=${PAGE}&offset=${offset}&state=${state.value}${filter}`;
  };

  async function look() {
    link(here, { q: search.value.trim() || null, where: where.value.trim() || null, state: state.value === "hidden" ? "hidden" : null, from: offset || null });
    where.disabled = state.value === "hidden" || search.value.trim() !== "";
    try {
      const found = await lookTurn()("GET", address());
      where.removeAttribute("aria-invalid");
      fill(out, table(found));
      say(`${found.items.length} items`);
    } catch (error) {
      if (error.status === 422 && where.value.trim()) where.setAttribute("aria-invalid", "true");
      fill(out, retry(error, look));
    }
    fill(terminal, calls([["These items, over HTTP", curl("GET", address())], ["Hide an item, over HTTP", curl("POST", "/v1/items/hide", { item_ids: ["ID"] })], ["The last events, over HTTP", curl("GET", "/v1/events")]]));
  }

  function table(found) {
    const total = found.total ?? found.items.length;
    if (!found.items.length) return h("p", { class: "empty" }, state.value === "hidden" ? "No item is hidden." : "No item is like that.");
    return [h("div", { class: "table", tabindex: "0", role: "group", "aria-label": "Items, to scroll" }, h("table", { class: "cards" },
      h("thead", {}, h("tr", {}, ["Item", "Id", "Users", "State", ""].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, found.items.map(row)))),
    found.total !== undefined && found.total !== null && h("div", { class: "row between" }, h("p", { class: "hint" }, `${number(offset + 1)} to ${number(offset + found.items.length)} of ${number(total)}`),
      h("div", { class: "row" }, h("button", { type: "button", disabled: offset === 0, onclick: () => { offset = Math.max(0, offset - PAGE); look(); } }, "Previous"), h("button", { type: "button", disabled: offset + PAGE >= total, onclick: () => { offset += PAGE; look(); } }, "Next")))];
  }

  function row(item, n, all) {
    const pictured = all.some((one) => one.image);
    const hidden = item.state === "hidden";
    const act = h("button", { type: "button", "aria-label": `${hidden ? "Show" : "Hide"} ${name(item)}`, onclick: () => change(item, hidden) }, hidden ? "Show" : "Hide");
    return h("tr", {}, h("th", { scope: "row" }, h("div", { class: "named" }, picture(item, pictured), h("span", {}, name(item)))), h("td", { "data-of": "Id" }, h("code", {}, String(item.item_id))),
      h("td", { class: "n", "data-of": "Users" }, item.interactions === undefined || item.interactions === null ? "not known to the model yet" : number(item.interactions)),
      h("td", { "data-of": "State" }, h("span", { class: hidden ? "tag warm" : "tag good" }, item.state)), h("td", { class: "n" }, act));
  }

  async function change(item, hidden) {
    try {
      await api("POST", hidden ? "/v1/items/show" : "/v1/items/hide", { item_ids: [item.item_id] });
      toast(hidden ? `${name(item)} may be recommended again.` : `${name(item)} is hidden: no answer holds it from now on.`);
      await look();
    } catch (error) { toast(error.message); }
  }

  async function latest(before) {
    try {
      const found = await eventsTurn()("GET", `/v1/events?limit=20${before ? `&before=${before}` : ""}`);
      fill(events, found.events.length ? h("div", { class: "table", tabindex: "0", role: "group", "aria-label": "Events, to scroll" }, h("table", { class: "cards" },
        h("thead", {}, h("tr", {}, ["User", "What", "Item", "When", ""].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, found.events.map((e) => h("tr", { class: e.undone ? "undone" : null }, h("th", { scope: "row" }, h("a", { href: `#users?user=${encodeURIComponent(e.user_id)}` }, e.user_id)),
          h("td", { "data-of": "What" }, e.kind, e.value === undefined || e.value === null ? null : ` ${number(e.value, 1)}`), h("td", { "data-of": "Item" }, e.title ?? e.item_id, e.state && e.state !== "visible" && [" ", h("span", { class: "tag warm" }, e.state)]),
          h("td", { class: "n", "data-of": "When" }, h("time", { datetime: when(e.time), title: when(e.time) }, ago(e.time))), h("td", { class: "n" }, e.undone ? "undone" : actButton("↶", `Undo ${e.kind} of ${e.user_id}`, () => undo(e, before)))))))) : h("p", { class: "empty" }, "No events yet."),
      h("div", { class: "row end" }, before && h("button", { type: "button", onclick: () => latest() }, "Newest"), h("button", { type: "button", disabled: !found.next, onclick: () => latest(found.next) }, "Earlier")));
    } catch (error) { fill(events, retry(error, () => latest(before))); }
  }

  async function undo(event, before) {
    try {
      await api("POST", "/v1/events/undo", { event_ids: [event.event_id] });
      toast(`The ${event.kind} of ${event.user_id} is undone and no longer counts.`);
      await latest(before);
    } catch (error) { toast(error.message); }
  }

  const again = debounced(here, () => { offset = 0; look(); }, 250);
  for (const field of [search, where]) field.addEventListener("input", again);
  state.addEventListener("change", again);
  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "Items and events"), h("p", {}, "The current catalogue and the latest events. A hidden item is never recommended.")),
    h("section", { class: "card", "aria-label": "Items" }, h("div", { class: "controls" }, h("label", {}, "Search", search), h("label", {}, "Filter", where), h("label", {}, "State", state)), out),
    h("section", { class: "card", "aria-labelledby": "events-title" }, h("header", {}, h("h2", { id: "events-title" }, "The last events"), h("p", {}, "of all users, newest first")), events), terminal);
  await Promise.all([look(), latest()]);
}
