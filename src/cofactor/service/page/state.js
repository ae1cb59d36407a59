// What the views share: the model, and the history that is being built. It survives a reload of the tab.

const KEPT = "cofactor-history";
let history = [];
try { history = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"); } catch { history = []; }
const listeners = new Set();

export const shared = { model: null };

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
  clear() { history = []; changed(); },
  replace(items) { history = items.map((item) => ({ item_id: item.item_id, title: item.title ?? null })); changed(); },
  listen(call) { listeners.add(call); return () => listeners.delete(call); },
};

function changed() {
  sessionStorage.setItem(KEPT, JSON.stringify(history));
  for (const call of listeners) call();
}
