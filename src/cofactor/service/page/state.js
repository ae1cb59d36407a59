// What the views share: the model, whose name is shown above them, and the history being built, which survives a reload of the tab.
import { fill, h, turns } from "./ui.js";

const KEPT = "cofactor-history";
let history = [];
try { history = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"); } catch { history = []; }
const listeners = new Set();

export const shared = {
  model: null,
  // The folder of a version, as a command line would name it.
  dir: (version = shared.model.current.version) => {
    const { folder, can_promote: several } = shared.model;
    const path = several ? `${folder}/${version}` : folder;
    return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
  },
};

// What stands behind the view's name in the address, so that a link leads to what is seen.
export const params = () => new URLSearchParams(location.hash.split("?")[1] ?? "");
// A view that was left says nothing any more.
export function link(here, given) {
  if (here.aborted) return;
  const kept = params();
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === "") kept.delete(key); else kept.set(key, value);
  }
  const view = location.hash.slice(1).split("?")[0] || "explore";
  window.history.replaceState(null, "", `#${view}${kept.size ? `?${kept}` : ""}`);
}

const modelTurn = turns(new AbortController().signal);
export async function refreshModel() {
  shared.model = await modelTurn()("GET", "/v1/model");
  const { current } = shared.model;
  fill(document.getElementById("model-chip"), h("b", {}, current.model), current.version === current.model ? null : ` · ${current.version}`);
}

export const past = {
  all: () => history,
  ids: () => history.map((item) => item.item_id),
  has: (id) => history.some((item) => String(item.item_id) === String(id)),
  add(item) {
    if (past.has(item.item_id)) return;
    history = [...history, { item_id: item.item_id, title: item.title ?? null }];
    changed();
  },
  remove(id) { history = history.filter((item) => String(item.item_id) !== String(id)); changed(); },
  move(id, to) {
    const item = history.find((one) => String(one.item_id) === String(id));
    if (!item) return;
    history = history.filter((one) => one !== item);
    history.splice(to, 0, item);
    changed();
  },
  clear() { history = []; changed(); },
  replace(items) { history = items.map((item) => ({ item_id: item.item_id, title: item.title ?? null })); changed(); },
  listen(here, call) { listeners.add(call); here.addEventListener("abort", () => listeners.delete(call)); },
};

function changed() {
  sessionStorage.setItem(KEPT, JSON.stringify(history));
  for (const call of listeners) call();
}

// The columns that a condition can be on.
export function columns() {
  return shared.model.columns.filter((c) => !/url|image|link/i.test(c));
}

// What a condition looks like, on a column that these items have.
const EXAMPLES = { genres: "genres has 'Comedy'", category: "category = 'garden'", year: "year >= 1990", price: "price < 20", title: "title ~ 'star'" };
export function whereExample() {
  const names = columns();
  const known = Object.keys(EXAMPLES).find((column) => names.includes(column));
  return known ? EXAMPLES[known] : names.length ? `${names[0]} is not missing` : "no attributes";
}
