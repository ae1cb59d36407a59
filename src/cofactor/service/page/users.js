// Look up a user: what they did, what is recommended and why, rows because of what they liked, and erasure.
import { agreed, api, calls, curl, fill, h, itemList, number, origin, quote, reasonsOf, retry, say, toast, turns } from "./ui.js";
import { link, params, shared } from "./state.js";
import { ago, when } from "./charts.js";

export async function users(main, here) {
  const id = h("input", { type: "search", id: "user-id", placeholder: "Id of a user …", autocomplete: "off", spellcheck: "false" });
  const out = h("div", { class: "stack" }), recent = h("div", {}), terminal = h("div", {});
  const userTurn = turns(here), latelyTurn = turns(here);
  id.value = params().get("user") ?? "";

  async function look() {
    const user = id.value.trim();
    link(here, { user: user || null });
    const call = userTurn();
    if (!user) { fill(out, h("p", { class: "empty" }, "Enter the id of a user in the training data or in the stored events.")); fill(terminal, calls([["Recommend to a user, over HTTP", curl("GET", "/v1/users/ID/recommendations?k=10")], ["Who was active lately, over HTTP", curl("GET", "/v1/events?limit=100")]])); return; }
    const at = `/v1/users/${encodeURIComponent(user)}`;
    fill(out, h("p", { class: "empty", "aria-busy": "true" }, "Looking …"));
    try {
      // By its version: what an operator looks at isn't logged as shown to the user.
      const [history, recs] = await Promise.all([call("GET", `${at}/history?limit=200`), call("GET", `${at}/recommendations?k=10&version=${encodeURIComponent(shared.model.current.version)}`)]);
      fill(out, h("div", { class: "two" }, historyCard(history), recsCard(recs)), h("div", { class: "stack", id: "because" }));
      say(`${user}: ${history.events.length} events, ${recs.items.length} recommendations`);
      because(at, call);
    } catch (error) {
      fill(out, retry(error, look));
    }
    fill(terminal, calls([
      ["Recommend, on the command line", `cofactor recommend ${shared.dir()} --user ${quote(user)} --explain`],
      ["Recommend, over HTTP", curl("GET", `${at}/recommendations?k=10`)],
      ["History, over HTTP", curl("GET", `${at}/history`)],
      ["All that is stored, over HTTP", curl("GET", `${at}/export`)],
      ["Erase, over HTTP", curl("DELETE", at)],
    ]));
  }

  function historyCard(history) {
    const newest = [...history.events].reverse();
    return h("section", { class: "card", "aria-labelledby": "user-history" },
      h("header", {}, h("h2", { id: "user-history" }, "History"), h("p", {}, `${number(newest.length)} event${newest.length === 1 ? "" : "s"}, newest first`)),
      h("p", { class: "hint" }, history.known_to_model ? "The model was trained with this user." : "Not in the training data: answered from the events below."),
      newest.length ? h("ol", { class: "events" }, newest.slice(0, 60).map((e) => h("li", {}, h("span", { class: "title" }, e.title ?? `item ${e.item_id}`),
        h("span", { class: "meta" }, e.kind, e.value === undefined || e.value === null ? null : ` ${number(e.value, 1)}`, e.time ? [" · ", h("time", { datetime: when(e.time), title: when(e.time) }, ago(e.time))] : null, e.origin === "training" ? " · training" : " · store")))) : h("p", { class: "empty" }, "Nothing is known about this user."),
      newest.length > 60 && h("p", { class: "hint" }, `and ${number(newest.length - 60)} earlier ones`),
      h("div", { class: "row end" }, h("button", { type: "button", class: "danger", onclick: erase }, "Erase this user …")));
  }

  function recsCard(recs) {
    return h("section", { class: "card", "aria-labelledby": "user-recs" },
      h("header", {}, h("h2", { id: "user-recs" }, "Recommendations"), h("p", {}, origin(recs))),
      recs.rerank && h("p", { class: "hint" }, `Rules: ${recs.rerank}`),
      recs.items.length ? itemList(recs.items, { meta: reasonsOf }) : h("p", { class: "empty" }, "Nothing is left to recommend."));
  }

  async function because(at, call) {
    const place = document.getElementById("because");
    if (!shared.model.can.similar || !place) return;
    try {
      const { rows } = await call("GET", `${at}/because?rows=3&k=5`);
      fill(place, rows.length > 0 && h("div", { class: "three" }, rows.map((row) => h("section", { class: "card" }, h("h2", {}, row.title), itemList(row.items, { bars: false })))));
    } catch { /* the rows are an extra; the lists above stand */ }
  }

  async function erase() {
    const user = id.value.trim();
    const yes = await agreed(`Erase ${user}?`, ["All events of this user are deleted from the store and overwritten in its files. It can't be undone.", "What the model learned from this user goes with the next training; backups made earlier still contain the user."], "Erase");
    if (!yes) return;
    try {
      const ack = await api("DELETE", `/v1/users/${encodeURIComponent(user)}`);
      toast(`${number(ack.changed)} events of ${user} were erased.`);
      await look();
      await lately();
    } catch (error) { toast(error.message); }
  }

  async function lately() {
    try {
      const { events } = await latelyTurn()("GET", "/v1/events?limit=100");
      const found = [...new Map(events.filter((e) => !e.undone).map((e) => [e.user_id, e])).values()].slice(0, 12);
      fill(recent, found.length > 0 && h("section", { class: "card" }, h("header", {}, h("h2", {}, "Active lately")), h("div", { class: "row" }, found.map((e) => h("button", { type: "button", class: "chip-button", onclick: () => { id.value = e.user_id; look(); } }, e.user_id)))));
    } catch { fill(recent); }
  }

  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "A user"), h("p", {}, "What somebody did, what they would see now, and why.")),
    h("form", { class: "card", onsubmit: (event) => { event.preventDefault(); look(); } }, h("div", { class: "row grow" }, h("label", { class: "visually-hidden", for: "user-id" }, "Id of a user"), id, h("button", { class: "primary", type: "submit" }, "Look up"))),
    out, recent, terminal);
  await Promise.all([look(), lately()]);
}
