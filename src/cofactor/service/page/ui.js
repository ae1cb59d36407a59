// Small helpers: elements, calls to the service, messages. Texts always go in as text, never as markup.

export function h(tag, props = {}, ...children) {
  const svg = ["svg", "path", "line", "circle", "polyline", "rect", "text", "title", "g"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) made.style.setProperty(k, v);
    else if (name === "value" || name === "checked" || name === "selected") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

export function fill(target, ...children) {
  target.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
}

// Where the service is published: a proxy may have given it a path of its own.
export const base = new URL("../", import.meta.url).href.replace(/\/$/, "");

// Like `fill`, but elements that are still wanted stay: neither the focus nor a press is lost because numbers change.
export function update(target, ...children) {
  const wanted = children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : document.createTextNode(String(c))));
  const there = [...target.childNodes];
  wanted.forEach((node, n) => { if (n >= there.length) target.append(node); else if (!adopted(there[n], node)) there[n].replaceWith(node); });
  for (const node of there.slice(wanted.length)) node.remove();
}

function adopted(old, node) {
  if (old.nodeName !== node.nodeName) return false;
  if (old instanceof CharacterData) { if (old.data !== node.data) old.data = node.data; return true; }
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) === value) continue;
    // The policy of the page's contents allows no style attributes, only the object model's.
    if (name === "style") old.style.cssText = node.style.cssText; else old.setAttribute(name, value);
  }
  update(old, [...node.childNodes]);
  return true;
}

export class Refused extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? `the service answered ${status}`);
    this.status = status;
    this.code = body?.error?.code ?? "unknown";
  }
}

let key = sessionStorage.getItem("cofactor-key") ?? "";
export const hasKey = () => key !== "";

// What an answer to a question that nobody asks any longer becomes: whoever waits for it is never continued.
const dropped = () => new Promise(() => {});

// One call: the status and what was read, whatever the status is.
export async function request(method, path, body, signal) {
  const headers = {};
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer, read;
  try {
    answer = await fetch(base + path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
    read = (answer.headers.get("content-type") ?? "").includes("json") ? await answer.json() : await answer.text();
  } catch {
    if (signal?.aborted) return dropped();
    throw new Error("the service can't be reached; is it still running?");
  }
  if (answer.status === 401 && (await askKey())) return request(method, path, body, signal);
  return signal?.aborted ? dropped() : { status: answer.status, read };
}

// A busy service (503) is asked again, twice at most.
export async function api(method, path, body, signal, tries = 2) {
  const { status, read } = await request(method, path, body, signal);
  if (status < 400) return read;
  if (status === 401) throw new Refused(status, { error: { code: "key", message: "This service needs an API key; use the button at the top to enter one." } });
  // What only asks may be asked twice.
  if (status === 503 && tries > 0 && (method === "GET" || path === "/v1/recommend")) {
    await new Promise((done) => setTimeout(done, 700 + 600 * Math.random()));
    return api(method, path, body, signal, tries - 1);
  }
  throw new Refused(status, read);
}

// Of several questions that are drawn in one place only the last counts. Each turn ends the requests of the one before it, so that
// a late answer is never drawn over a newer one; leaving the view (`here` is aborted) ends all of them.
export function turns(here) {
  let running = null;
  here.addEventListener("abort", () => running?.abort());
  return () => {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    if (here.aborted) running.abort();
    return (method, path, body) => api(method, path, body, signal);
  };
}

let asking = null;
export function askKey() {
  // Several calls that lack a key at once ask for it once.
  asking ??= new Promise((done) => {
    const dialog = document.getElementById("key-dialog");
    const input = document.getElementById("key-input");
    document.getElementById("key-button").hidden = false;
    input.value = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      asking = null;
      const given = dialog.returnValue === "ok" && input.value.trim() !== "";
      if (given) {
        key = input.value.trim();
        sessionStorage.setItem("cofactor-key", key);
      }
      done(given);
    }, { once: true });
  });
  return asking;
}

// Whether somebody agrees to what can't be done by mistake.
export function agreed(title, lines, yes) {
  return new Promise((done) => {
    const dialog = h("dialog", { "aria-labelledby": "agree-title" }, h("form", { method: "dialog" },
      h("h2", { id: "agree-title" }, title), lines.map((line) => h("p", {}, line)),
      h("div", { class: "row end" }, h("button", { value: "cancel", class: "quiet", type: "submit" }, "Cancel"), h("button", { value: "ok", class: "primary", type: "submit" }, yes))));
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      done(dialog.returnValue === "ok");
      dialog.remove();
    }, { once: true });
    dialog.showModal();
  });
}

export function say(text) {
  document.getElementById("say").textContent = text;
}

let hiding;
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { box.hidden = true; }, 6000);
}

// What went wrong, and a way to try again.
export function retry(error, again) {
  return h("div", { class: "notice", role: "alert" }, h("p", {}, error.message), h("button", { type: "button", onclick: again }, "Try again"));
}

// Rows in grey while an answer is on its way.
export function skeleton(rows = 5) {
  return h("div", { class: "skeleton", "aria-hidden": "true" }, Array.from({ length: rows }, () => h("i", {})));
}

// An item's image, where the catalogue has one that may be shown; it says nothing that the title doesn't.
export function picture(item, beside = false) {
  if (!item.image) return beside ? h("span", { class: "picture" }) : null;
  const src = item.image.startsWith("/") ? base + item.image : item.image;
  return h("img", { class: "picture", src, alt: "", loading: "lazy", width: 40, height: 56, onerror: (event) => event.target.remove() });
}

// A name that may go on in the next line where its parts are joined.
export const broken = (text) => String(text).split(/(?<=_)/).flatMap((part, n) => (n ? [h("wbr"), part] : [part]));
export const name = (item) => item.title ?? `item ${item.item_id}`;
export const number = (n, digits = 0) => (n === null || n === undefined ? "–" : n.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits }));

// A list of items, with bars for their scores and whatever can be done with each.
export function itemList(items, { acts = () => [], meta = () => null, ranks = true, bars = true, fresh = new Set(), side = () => null } = {}) {
  const most = Math.max(...items.map((i) => Math.abs(i.score ?? 0)), 1e-9), pictured = items.some((i) => i.image);
  return h("ol", { class: ranks ? "items" : "items plain" }, items.map((item, n) => h("li", { class: fresh.has(String(item.item_id)) ? "fresh" : null },
    ranks && h("span", { class: "rank", "aria-hidden": "true" }, n + 1),
    h("div", { class: pictured ? "pictured" : null }, picture(item, pictured), h("div", {},
      h("div", { class: "title" }, name(item)),
      meta(item) && h("div", { class: "meta" }, meta(item)),
      bars && h("div", { class: "bar", role: "img", "aria-label": `score ${item.score.toPrecision(3)}` }, h("i", { style: { width: `${Math.max(2, (100 * Math.max(item.score, 0)) / most)}%` } })))),
    h("div", { class: "acts" }, side(item, n), acts(item)))));
}

// Where a list came from: a model may answer somebody without a history, too, but nothing is personal then.
export function origin(answer) {
  const own = answer.source === "personal", used = answer.history_used;
  return [h("span", { class: own && used ? "tag" : "tag warm" }, own && !used ? "for everybody" : answer.source), ` ${answer.note ?? `from ${number(used)} past item${used === 1 ? "" : "s"}`}`];
}

export function reasonsOf(item) {
  const past = item.reasons?.length ? h("div", {}, "because of ", item.reasons.map((r, n) => [n ? ", " : "", h("b", {}, name(r))])) : null;
  const words = wordsOf(item);
  return past || words ? [past, words] : null;
}

// The words and features that contributed to a score, in models with content.
export function wordsOf(item, lead = "by its content") {
  if (!item.words?.length) return null;
  return h("div", { class: "words" }, `${lead} `, item.words.map((w) => h("span", { class: "word", title: `adds ${w.contribution.toPrecision(2)}` }, w.word)));
}

export function actButton(sign, label, onclick, props = {}) {
  return h("button", { type: "button", class: "quiet icon", "aria-label": label, title: label, onclick, ...props }, h("span", { "aria-hidden": "true" }, sign));
}

// "The same from a terminal": a command line and an HTTP call, each with a button that copies it.
export function calls(entries, open = false) {
  const rows = entries.filter(Boolean).map(([title, text]) => [
    h("dt", {}, title),
    h("dd", {}, h("code", { tabindex: "0" }, text), h("button", { type: "button", class: "quiet", "aria-label": `Copy: ${title}`, onclick: async () => {
      try { await navigator.clipboard.writeText(text); say("copied"); } catch { toast("Copying isn't allowed here; select the text instead."); }
    } }, "Copy")),
  ]);
  return h("details", { class: "calls", open }, h("summary", {}, "The same from a terminal"), h("dl", {}, rows));
}

const quoted = (text) => `'${String(text).replaceAll("'", `'"'"'`)}'`;
// A word of a command line; in quotes where a shell would divide or change it.
export const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? String(text) : quoted(text));
export function curl(method, path, body) {
  const auth = key ? ` -H ${quoted("authorization: Bearer $KEY")}`.replaceAll("'", '"') : "";
  const url = base + path;
  if (body === undefined) return method === "GET" ? `curl${auth} ${quoted(url)}` : `curl -X ${method}${auth} ${quoted(url)}`;
  return `curl${auth} ${quoted(url)} -d ${quoted(JSON.stringify(body))}`;
}

export function debounced(here, call, wait = 160) {
  let timer;
  here.addEventListener("abort", () => clearTimeout(timer));
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => call(...given), wait); };
}
