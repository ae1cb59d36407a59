// Describe an item that doesn't exist, and see whom it is near; or read why this model can't tell.
import { api, calls, curl, fill, h, itemList, quote, say, wordsOf } from "./ui.js";
import { shared } from "./state.js";

export async function describe(main) {
  const can = shared.model.can.described_items;
  const text = h("textarea", { id: "description", placeholder: "A quiet lighthouse keeper finds letters from the future …", maxlength: "20000" });
  const out = h("div", { class: "stack" }), terminal = h("div", {});
  const go = h("button", { class: "primary", type: "submit" }, "Find its neighbours");
  const told = () => fill(terminal, calls([
    ["On the command line", `cofactor similar models/${shared.model.current.version} --text ${quote(text.value.trim() || "a description")}`],
    ["Over HTTP", curl("POST", "/v1/similar", { text: text.value.trim() || "a description", k: 10 })],
  ]));

  async function ask(event) {
    event?.preventDefault();
    if (!text.value.trim()) { text.focus(); return; }
    told();
    try {
      const answer = await api("POST", "/v1/similar", { text: text.value.trim(), k: 10 });
      fill(out, h("section", { class: "card" }, h("header", {}, h("h2", {}, "It would stand near"), h("span", { class: "tag good" }, "from its words alone")), answer.items.length ? itemList(answer.items, { meta: (item) => wordsOf(item, "shares") }) : h("p", { class: "empty" }, "No item shares a word with this.")));
      say(`${answer.items.length} neighbours`);
    } catch (error) {
      fill(out, h("p", { class: "notice", role: "alert" }, error.message));
    }
  }

  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "An item that doesn't exist yet"), h("p", {}, "Write what it would be. A model that reads descriptions places it among the items before anybody has seen it.")),
    !can && h("div", { class: "notice" }, h("b", {}, `This model (${shared.model.current.model}) can't: `),
      "it learns from who took what, and nobody has taken an item that doesn't exist. A content model reads titles, texts and features instead; serve one to use this view."),
    h("div", { class: "two" },
      h("form", { class: "card", onsubmit: ask }, h("label", { for: "description" }, "Description"), text, h("div", { class: "row end" }, go)),
      out),
    terminal);
  fill(out, h("p", { class: "empty" }, can ? "Its neighbours will stand here." : "Nothing to show with this model; asking it gives the same answer as over HTTP."));
  told();
}
