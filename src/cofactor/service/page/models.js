// The versions of the model: what they measured, with intervals, and which one answers.
import { agreed, broken, api, calls, curl, fill, h, number, say, toast } from "./ui.js";
import { link, params, refreshModel, shared } from "./state.js";
import { alike, axisOf, better, interval, measuredOn, metricNames, metricOf, whisker } from "./measured.js";

// Metrics for which there is room; the model card has all of them.
const SHOWN = 3;

export async function models(main, here) {
  const out = h("div", { class: "stack" });
  let order = ["saved", "version", "best"].includes(params().get("sort")) ? params().get("sort") : "saved";
  const draw = () => fill(out, cardOf(shared.model), aboutOf(shared.model), terminalOf(shared.model));

  async function change(path, body, done) {
    try {
      const answer = await api("POST", path, body);
      await refreshModel();
      draw();
      const text = `${done} ${answer.version} in ${(answer.seconds * 1000).toFixed(0)} ms${answer.checks.length ? ": " + answer.checks.at(-1) : ""}`;
      say(text);
      toast(text);
    } catch (error) {
      toast(error.message);
    }
  }

  async function promote(version, now) {
    const yes = await agreed(`Promote ${version.version}?`, [
      `Once it passes the checks, it answers everybody in place of ${now.version}.`,
      `It knows ${amounts(version)}; ${now.version} knows ${amounts(now)}.`,
      `It was measured on ${measuredOn(version)}, ${now.version} on ${measuredOn(now)}${alike(version, now) ? "" : "; on other events, so their figures can't be compared"}.`,
    ], "Promote");
    if (yes) await change("/v1/model/promote", { version: version.version }, "Promoted");
  }

  function cardOf(model) {
    // Figures of other held-out events would stand side by side as if they could be compared.
    const shown = model.versions.filter((v) => alike(v, model.current));
    const names = metricNames(shown).slice(0, SHOWN);
    // The best on the first metric among those that were measured on the same held-out events.
    const leading = names[0];
    const bests = shown.filter((v) => metricOf(v, leading) && !v.problem);
    const ahead = (a, b) => better(leading, metricOf(a, leading).value, metricOf(b, leading).value);
    const best = bests.length > 1 ? bests.reduce((a, b) => (ahead(b, a) ? b : a)) : null;
    // Intervals that overlap don't tell versions apart.
    const apart = (a, b) => (a.low ?? Infinity) > (b.high ?? -Infinity) || (b.low ?? Infinity) > (a.high ?? -Infinity);
    const sure = best && bests.every((v) => v === best || apart(metricOf(best, leading), metricOf(v, leading)));
    const place = (v) => (bests.includes(v) ? bests.filter((other) => ahead(other, v)).length : Infinity);
    const rows = [...model.versions].sort((a, b) => (order === "saved" ? String(b.created ?? "").localeCompare(String(a.created ?? "")) : order === "version" ? a.version.localeCompare(b.version) : place(a) - place(b)) || 0);
    const sort = h("select", { id: "sort", onchange: (event) => { order = event.target.value; link(here, { sort: order }); draw(); document.getElementById("sort").focus(); } }, [["saved", "newest first"], ["version", "by name"], ...(leading ? [["best", `by ${leading}`]] : [])].map(([v, text]) => h("option", { value: v, selected: v === order }, text)));
    const axes = Object.fromEntries(names.map((n) => [n, axisOf(n, shown.map((v) => metricOf(v, n)))]));
    return h("section", { class: "card", "aria-labelledby": "versions-title" },
      h("header", {}, h("h2", { id: "versions-title" }, `${number(model.versions.length)} version${model.versions.length === 1 ? "" : "s"}`),
        h("div", { class: "row" }, h("label", { class: "inline" }, "Order", sort), h("button", { type: "button", disabled: !model.can_promote || !model.previous, onclick: () => change("/v1/model/rollback", {}, "Back to") }, model.previous ? `Roll back to ${model.previous}` : "Roll back"))),
      model.current.problem && h("p", { class: "notice" }, model.current.problem),
      !model.can_promote && h("p", { class: "hint" }, "A single saved model is served. Serve a folder of saved models to promote and roll back versions."),
      h("div", { class: "table", tabindex: "0", role: "group", "aria-label": "Versions, to scroll" }, h("table", { class: "versions" },
        h("thead", {}, h("tr", {}, ["Version", "Saved", "Knows", "Measured on", ...names, ""].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, rows.map((v) => h("tr", {},
          h("th", { scope: "row" }, v.version, " ", v.model && v.model !== v.version && h("small", {}, v.model, " "), v.current && h("span", { class: "tag good" }, "answers"), v === best && h("span", { class: "tag", title: sure ? "its interval lies above all others" : "its interval overlaps with another's" }, sure ? `best ${leading}` : `best ${leading}, within the error`), v.problem && [h("span", { class: "tag warm" }, "damaged"), h("p", { class: "hint" }, v.problem)]),
          h("td", { class: "n", "data-of": "Saved" }, v.created ? new Date(v.created).toISOString().slice(0, 16).replace("T", " ") : ""),
          h("td", { class: "n", "data-of": "Knows" }, v.data ? h("div", {}, amounts(v).split(", ").map((line) => h("div", {}, line))) : ""),
          h("td", { "data-of": "Measured on" }, measuredOn(v), alike(v, model.current) || !v.metrics?.metrics ? null : ", other events"),
          names.map((n) => h("td", { class: "drawn", "data-of": n }, shown.includes(v) && metricOf(v, n) ? h("div", {}, whisker([metricOf(v, n)], axes[n]), h("b", {}, metricOf(v, n).value.toFixed(4)), " ", h("small", {}, interval(metricOf(v, n)))) : h("span", { class: "hint" }, "–"))),
          h("td", { class: "n" }, model.can_promote && !v.current && !v.problem && h("button", { type: "button", onclick: () => promote(v, model.current) }, "Promote"))))))),
      h("p", { class: "hint" }, "Dots are metrics on held-out data, bars their 95 % intervals; they are shown for versions measured on the same held-out events as the one that answers. An arrow marks a value beyond the axis. Promotion checks the files, the scores and, once there are enough of them, the stored events."));
  }

  fill(main, h("div", { class: "lead" }, h("h1", {}, "Which model answers"), h("p", {}, "Promotion and rollback switch the model between two requests; no request waits.")), out);
  draw();
}

const amounts = (version) => `${number(version.data?.users)} users, ${number(version.data?.items)} items, ${number(version.data?.interactions)} events`;
function aboutOf(model) {
  const { data, config, split, metrics, run, licence, limits, card } = model.current;
  const rows = [
    ["Data", `${data.source}: ${number(data.users)} users, ${number(data.items)} items, ${number(data.interactions)} interactions`],
    ["Measured", split ?? (metrics?.metrics ? `on ${measuredOn(model.current)}` : "not measured")], ["Fitted", run?.fitted_on ? `on ${run.fitted_on}${run.fit_seconds ? `, ${run.fit_seconds} s` : ""}` : "–"],
    ["Settings", broken(settingsOf(config))],
    ["It can", Object.entries(model.can).filter(([, yes]) => yes).map(([k]) => k.replace("_", " ")).join(", ") || "rank"],
    ["Its limits", h("div", {}, (limits ?? []).map((line) => h("p", {}, line)))],
    ["Licence", licence ?? "not stated"],
  ];
  return h("section", { class: "card" }, h("header", {}, h("h2", {}, `About ${model.current.version}`)),
    h("div", { class: "table" }, h("table", { class: "about" }, h("tbody", {}, rows.map(([k, v]) => h("tr", {}, h("th", { scope: "row" }, k), h("td", {}, v)))))),
    card && h("details", {}, h("summary", {}, "The model card, as text"), h("pre", {}, card)));
}

// Settings that are open are found from the data, or are off.
function settingsOf(config) {
  const given = Object.entries(config).filter(([, v]) => v !== null && v !== "" && !(Array.isArray(v) && !v.length)).map(([k, v]) => `${k} ${v}`);
  const open = Object.keys(config).filter((k) => config[k] === null);
  return [...given, ...(open.length ? [`decided by the data, or off: ${open.join(", ")}`] : [])].join(", ");
}

function terminalOf(model) {
  const other = model.versions.find((v) => !v.current)?.version ?? model.current.version;
  const quoted = (word) => (/^[\w./@%+=:,][\w./@%+=:,-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return calls([
    ["Inspect a version, on the command line", `cofactor inspect ${quoted(`${model.folder}/${model.current.version}`)}`],
    ["All of this, over HTTP", curl("GET", "/v1/model")],
    ["Promote, on the command line", `cofactor promote ${quoted(model.folder)} ${quoted(other)}`],
    ["Roll back, on the command line", `cofactor promote ${quoted(model.folder)} --rollback`],
    ["Promote, over HTTP", curl("POST", "/v1/model/promote", { version: other })],
    ["Roll back, over HTTP", curl("POST", "/v1/model/rollback", {})],
  ]);
}
