// The history: tags, or, where the model reads the order, a numbered list whose items can be moved.
import { actButton, h, name, say } from "./ui.js";
import { past } from "./state.js";

export function historyList(items, ordered) {
  return ordered ? h("ol", { class: "past ordered" }, items.map((item, n) => movable(item, n, items.length))) : h("ul", { class: "past" }, items.map((item) => h("li", {}, label(item), remove(item))));
}

const label = (item) => h("span", { title: name(item) }, name(item));
const remove = (item) => actButton("×", `Remove ${name(item)}`, () => past.remove(item.item_id));

function movable(item, n, count) {
  const row = h("li", { draggable: "true" }, label(item), n === count - 1 && h("em", {}, "latest"),
    mover("↑", "earlier", item, n - 1, n === 0), mover("↓", "later", item, n + 1, n === count - 1), remove(item));
  row.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", String(item.item_id)));
  row.addEventListener("dragover", (event) => event.preventDefault());
  row.addEventListener("drop", (event) => { event.preventDefault(); past.move(event.dataTransfer.getData("text/plain"), n); });
  return row;
}

function mover(sign, way, item, to, disabled) {
  const moved = (event) => {
    const list = event.currentTarget.closest(".stack");
    past.move(item.item_id, to);
    say(`${name(item)} is now number ${to + 1} of ${past.ids().length}`);
    // The list was drawn again: the keyboard stays on the item that was moved.
    const row = list.querySelectorAll(".past.ordered li")[to];
    (row.querySelector(`[data-way=${way}]:enabled`) ?? row.querySelector("[data-way]:enabled")).focus();
  };
  return actButton(sign, `Move ${name(item)} ${way}`, moved, { disabled, "data-way": way });
}
