// The API, to be read and tried: every call of openapi.json with its fields and a form.
import { askKey, base, calls, curl, fill, h, request, say } from "./ui.js";

const main = document.getElementById("main");
const sheet = await (await fetch(`${base}/openapi.json`)).json();
const named = (schema) => (schema?.$ref ? sheet.components.schemas[schema.$ref.split("/").pop()] : schema);

function kind(schema) {
  const s = named(schema) ?? {};
  if (s.anyOf) return [...new Set(s.anyOf.map(kind))].filter((t) => t !== "null").join(" or ");
  if (s.type === "array") return `list of ${kind(s.items)}`;
  const range = [s.minimum !== undefined && `from ${s.minimum}`, s.maximum !== undefined && `to ${s.maximum}`].filter(Boolean).join(" ");
  return [schema?.$ref ? schema.$ref.split("/").pop() : s.type ?? "any", range].filter(Boolean).join(" ");
}

// A body to begin with: required fields, and ids where they are the point.
function example(schema) {
  const s = named(schema) ?? {};
  const known = { user_id: "42", item_id: "50", history: ["50"], event_ids: ["..."], item_ids: ["50"], version: "..." };
  const made = {};
  for (const [name, field] of Object.entries(s.properties ?? {})) {
    const wanted = (s.required ?? []).includes(name);
    if (!wanted && !(name === "history" && !s.required?.length)) continue;
    const inner = named(field);
    made[name] = known[name] ?? (inner?.type === "array" ? [example(inner.items)] : inner?.type === "string" ? "..." : 1);
  }
  return made;
}

function fields(op) {
  const body = op.requestBody && named(op.requestBody.content["application/json"].schema);
  if (!body) return null;
  return h("table", { class: "types" }, h("thead", {}, h("tr", {}, ["Field", "Type", ""].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, Object.entries(body.properties ?? {}).map(([name, s]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, kind(s)), h("td", {}, (body.required ?? []).includes(name) ? "required" : s.default !== undefined && s.default !== null ? `default ${JSON.stringify(s.default)}` : "")))));
}

function operation(path, method, op) {
  const id = `${method}-${path.replace(/\W+/g, "-")}`;
  const inputs = (op.parameters ?? []).map((p) => [p, h("input", { id: `${id}-${p.name}`, autocomplete: "off", placeholder: p.schema.default ?? "" })]);
  const body = op.requestBody && h("textarea", { id: `${id}-body`, rows: 6, spellcheck: "false" });
  if (body) body.value = JSON.stringify(example(op.requestBody.content["application/json"].schema), null, 2);
  const answer = h("div", {}), terminal = h("div", {});
  const verb = method.toUpperCase();
  function address() {
    let made = path;
    const query = new URLSearchParams();
    for (const [p, input] of inputs) {
      if (p.in === "path") made = made.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.set(p.name, input.value);
    }
    return query.size ? `${made}?${query}` : made;
  }
  async function send(event) {
    event.preventDefault();
    try {
      const given = body ? JSON.parse(body.value) : undefined;
      fill(terminal, calls([["The same from a terminal", curl(verb, address(), given)]], true));
      const began = performance.now();
      const { status, read } = await request(verb, address(), given);
      const text = typeof read === "string" ? read : JSON.stringify(read, null, 2);
      fill(answer, h("p", { class: status < 400 ? "hint" : "notice" }, `${status} in ${Math.round(performance.now() - began)} ms`), h("pre", { tabindex: "0", "aria-label": "Answer" }, text.slice(0, 200_000)));
      say(`answered ${status}`);
    } catch (error) {
      fill(answer, h("p", { class: "notice", role: "alert" }, error.message));
    }
  }
  return h("details", { class: "card op", id }, h("summary", {}, h("span", { class: `method${["public", "read"].includes(op["x-scope"]) ? "" : " write"}` }, verb), h("code", {}, path), h("p", {}, op.summary), op["x-scope"] !== "public" && h("span", { class: "tag" }, op["x-scope"])),
    h("form", { onsubmit: send },
      inputs.length > 0 && h("div", { class: "fields" }, inputs.map(([p, input]) => { input.required = p.required; return h("label", {}, h("span", {}, p.name, h("small", {}, `  ${kind(p.schema)}${p.required ? ", required" : ""}`)), input); })),
      body && h("label", { for: body.id }, "Body"), body, fields(op),
      h("div", { class: "row" }, h("button", { class: "primary", type: "submit" }, "Send")), answer, terminal));
}

fill(main, h("div", { class: "lead" }, h("h1", {}, "The API"), h("p", {}, `${sheet.info.description} Every call can be tried here; it goes to this service alone.`)),
  Object.entries(sheet.paths).filter(([path]) => path !== "/" && !path.startsWith("/page") && path !== "/docs").flatMap(([path, methods]) => Object.entries(methods).map(([method, op]) => operation(path, method, op))));
document.getElementById("key-button").addEventListener("click", askKey);
const linked = location.hash && document.getElementById(location.hash.slice(1));
if (linked) { linked.open = true; linked.scrollIntoView(); }
main.dataset.ready = "docs";
