// Describe an item that doesn't exist, and see what is similar to it; or read why this model can't do that.
import { calls, curl, fill, h, itemList, quote, say, turns, wordsOf } from "./ui.js";
import { link, params, shared } from "./state.js";

export async function describe(main, here) {
  const can = shared.model.can.described_items;
  const text = h("textarea", { id: "description", placeholder: "Letters from the future are found in a quiet lighthouse …", maxlength: "20000" });
  const turn = turns(here), out = h("div", { class: "stack" }), terminal = h("div", {});
  const go = h("button", { class: "primary", type: "submit" }, "Find similar items");
  const showCalls = () => fill(terminal, calls([
    ["On the command line", `cofactor similar ${shared.dir()} --text ${quote(text.value.trim() || "a description")}`],
    ["Over HTTP", curl("POST", "/v1/similar", { text: text.value.trim() || "a description", k: 10 })],
  ]));

  async function ask(event) {
    event?.preventDefault();
    if (!text.value.trim()) { text.focus(); return; }
    link(here, { text: text.value.trim().slice(0, 1000) });
    showCalls();
    try {
      const answer = await turn()("POST", "/v1/similar", { text: text.value.trim(), k: 10 });
      fill(out, h("section", { class: "card" }, h("header", {}, h("h2", {}, "Similar items"), h("span", { class: "tag good" }, "from its words only")), answer.items.length ? itemList(answer.items, { meta: (item) => wordsOf(item, "shares") }) : h("p", { class: "empty" }, "No item shares a word with this description.")));
      say(`${answer.items.length} neighbours`);
    } catch (error) {
      fill(out, h("p", { class: "notice", role: "alert" }, error.message));
    }
  }

  fill(main,
    h("div", { class: "lead" }, h("h1", {}, "Similar by words"), h("p", {}, "Describe an item, which needn't exist. A model with content finds the items most like it.")),
    !can && h("div", { class: "notice" }, h("b", {}, `This model (${shared.model.current.model}) can't: `),
      "it learns from interactions, and nobody has interacted with an item that doesn't exist. A model with content uses titles, texts and features instead; serve one to use this view."),
    can && h("div", { class: "two" },
      h("form", { class: "card", onsubmit: ask }, h("label", { for: "description" }, "Description"), text, h("div", { class: "row end" }, go)),
      out),
    terminal);
  fill(out, h("p", { class: "empty" }, "Similar items will appear here."));
  text.value = params().get("text") ?? "";
  if (can && text.value) await ask(); else showCalls();
}
