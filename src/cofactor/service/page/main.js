// Which view is shown, and the frame around it.
import { askKey, fill, h, hasKey, retry, toast } from "./ui.js";
import { refreshModel } from "./state.js";
import { explore } from "./explore.js";
import { compare } from "./compare.js";
import { describe } from "./describe.js";
import { map } from "./map.js";
import { models } from "./models.js";
import { experiments } from "./experiments.js";
import { live } from "./live.js";
import { users } from "./users.js";
import { items } from "./items.js";

const VIEWS = {
  explore: ["Explore", explore], users: ["Users", users], items: ["Items", items], map: ["Map", map],
  compare: ["Side by side", compare], describe: ["By words", describe], models: ["Versions", models], experiments: ["Experiments", experiments], live: ["Activity", live],
};
const main = document.getElementById("main");
let visit = new AbortController();  // aborted once its view is left

async function show() {
  const wanted = location.hash.slice(1).split("?")[0];
  const id = Object.hasOwn(VIEWS, wanted) ? wanted : "explore";
  if (id !== wanted && wanted) location.replace(`#${id}`);
  const [title, view] = VIEWS[id];
  document.title = `${title} · Cofactor`;
  fill(document.getElementById("tabs"), Object.entries(VIEWS).map(([name, [label]]) =>
    h("li", {}, h("a", { href: `#${name}`, "aria-current": name === id ? "page" : null }, label))));
  document.querySelector("#tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  visit.abort();
  visit = new AbortController();
  // What a view that was left still draws isn't seen: its place is no longer in the page.
  const here = visit.signal, place = h("div", { class: "view" });
  delete main.dataset.ready;
  fill(main, place);
  try {
    await refreshModel();
    if (here.aborted) return;
    await view(place, here);
    if (!here.aborted) main.dataset.ready = id;
  } catch (error) {
    fill(place, retry(error, show));
  }
}

document.getElementById("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("cofactor-theme", next);
  dispatchEvent(new Event("themechange"));
});
const kept = localStorage.getItem("cofactor-theme");
if (kept) document.documentElement.dataset.theme = kept;
const keyButton = document.getElementById("key-button");
keyButton.hidden = !hasKey();
keyButton.addEventListener("click", async () => { if (await askKey()) show(); });
addEventListener("hashchange", () => { show().then(() => main.focus({ preventScroll: true })); });
addEventListener("unhandledrejection", (event) => toast(event.reason?.message ?? "Something went wrong."));
show();
