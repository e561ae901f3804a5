// All workloads: searched, filtered and sorted as the address says.

import { encoded } from "./api.js";
import { h, kept, render } from "./dom.js";
import { observedOf, observedShare } from "./inspector.js";
import { model, watch } from "./model.js";
import { setQuery } from "./route.js";
import { swatch } from "./strip.js";
import { count, counted, figure, milliseconds, percent, rate, seconds, words } from "./text.js";
import { VirtualList } from "./virtual.js";

/// Signs of a workload's states: they are not told by colour alone.
const SIGNS = {
  served: "●", partial: "◐", planned: "○", unserved: "✕", pending: "…",
};

export const badge = (state) => h("span", { class: ["badge", `is-${state}`] },
  h("span", { "aria-hidden": "true" }, SIGNS[state] ?? "?"), state);

/// More than so many are not sorted anew with every event, but once a second.
const MANY = 5000;

/// Columns: name, title, what they sort by, and what they show.
const COLUMNS = [
  ["id", "Workload", (one) => one.id],
  ["state", "State", (one) => ["unserved", "partial", "pending", "planned", "served"].indexOf(one.state)],
  ["rate", "Rate", (one) => one.rate],
  ["slo", "Objective", (one) => one.latencyMs],
  ["ratio", "Capacity for the rate", (one) => (one.up ?? one.planned ?? 0) / one.rate],
  ["observed", "Observed in time", null],
  ["segments", "Segments", (one) => model.segments.get(one.id)?.length ?? 0],
];

/// What a workload has of what it asks for, as a bar.
export function capacityBar({ rate: asked, up, planned }) {
  const has = up ?? planned ?? 0;
  const share = Math.min(1.5, has / asked);
  return h("span", { class: ["bar", has >= asked ? "enough" : has > 0 ? "short" : "none"] },
    h("span", { class: "bar-fill", style: { width: `${(share / 1.5) * 100}%` } }),
    h("span", { class: "bar-mark" }), h("span", { class: "bar-text" }, has ? `${figure(has / asked)}×` : "none"));
}

export function workloadsView(root, query) {
  const list = h("div", { class: "table-body", role: "rowgroup", key: "rows" });
  let rows = [];
  const virtual = new VirtualList(list, drawRow);
  let hasObserved = false;
  let later;

  const stop = watch((topics) => {
    if (!topics.has("workloads") && !topics.has("plan")) return;
    if (model.workloads.size <= MANY) update();
    else later ??= setTimeout(() => { later = undefined; update(); }, 1000);
  });
  const observer = new ResizeObserver(() => virtual.update(rows.length, () => height()));

  const height = () => (root.clientWidth < 720 ? 66 : 46);

  function update() {
    const find = (query.get("q") ?? "").trim().toLowerCase();
    const state = query.get("state");
    const name = query.get("model");
    const counts = { short: 0 };
    const models = new Map();
    rows = [];
    for (const workload of model.workloads.values()) {
      counts[workload.state] = (counts[workload.state] ?? 0) + 1;
      if (workload.state === "partial" || workload.state === "unserved") counts.short++;
      models.set(workload.model, (models.get(workload.model) ?? 0) + 1);
      if (state === "short" ? !["partial", "unserved"].includes(workload.state) : state && workload.state !== state) continue;
      if (name && workload.model !== name) continue;
      if (find && !found(workload, find)) continue;
      rows.push(workload);
    }
    sort();
    render(root, tools(counts, models), summary(),
      model.workloads.size === 0 && model.reading.isDone ? empty() : table());
    observer.observe(root);
    virtual.update(rows.length, height);
  }

  function found({ id, model: name, labels }, find) {
    return id.includes(find) || name.toLowerCase().includes(find) ||
      Object.entries(labels ?? {}).some(([key, value]) => `${key}=${value}`.toLowerCase().includes(find));
  }

  function sort() {
    const asked = query.get("sort") ?? "id";
    const isDown = asked.startsWith("-");
    const by = COLUMNS.find(([name, , of]) => of && name === asked.replace(/^-/, ""))?.[2] ?? COLUMNS[0][2];
    const sign = isDown ? -1 : 1;
    const keys = new Map(rows.map((one) => [one, by(one)]));
    rows.sort((a, b) => {
      const x = keys.get(a);
      const y = keys.get(b);
      return x < y ? -sign : x > y ? sign : a.id < b.id ? -1 : 1;
    });
  }

  function tools(counts, models) {
    const state = query.get("state");
    const filter = (value, text, number) => h("button", {
      type: "button", class: "chip", key: value ?? "all", "aria-pressed": String(state === value),
      onclick: () => { setQuery({ state: value }); update(); },
    }, text, h("span", { class: "chip-count" }, count(number)));
    const names = [...models].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 200);
    return h("section", { class: "tools", "aria-label": "Search and filters" },
      h("div", { class: "tool-line" },
        h("label", { class: "find" }, h("span", { class: "unseen" }, "Search by name, model or label"),
          h("input", {
            type: "search", placeholder: "Search by name, model or label", value: query.get("q") ?? "",
            oninput: (event) => { setQuery({ q: event.target.value }); update(); },
          })),
        names.length > 1 && h("label", { class: "pick" }, h("span", { class: "unseen" }, "Model"),
          h("select", { onchange: (event) => { setQuery({ model: event.target.value }); update(); } },
            h("option", { value: "" }, "all models"),
            names.map(([name, number]) => h("option", { value: name, selected: query.get("model") === name }, `${name} (${count(number)})`)))),
        h("label", { class: "pick narrow-only" }, h("span", { class: "unseen" }, "Sort by"),
          h("select", { onchange: (event) => { setQuery({ sort: event.target.value }); update(); } },
            COLUMNS.filter(([, , by]) => by).flatMap(([name, title]) => [
              h("option", { value: name, selected: query.get("sort") === name }, `${title} ↑`),
              h("option", { value: `-${name}`, selected: query.get("sort") === `-${name}` }, `${title} ↓`)])))),
      h("div", { class: "legend" },
        filter(null, "all", model.workloads.size), counts.short > 0 && filter("short", "short of their rate", counts.short),
        Object.keys(SIGNS).filter((one) => counts[one]).map((one) => filter(one, one, counts[one]))));
  }

  function summary() {
    return h("p", { class: "quiet", role: "status" },
      !model.reading.isDone ? `${count(model.reading.count)} workloads read so far …`
      : `${rows.length === model.workloads.size ? "" : `${count(rows.length)} of `}${counted(model.workloads.size, "workload")}${ageOfReading()}`);
  }

  /// A large list is read seldom; what events name is newer.
  const ageOfReading = () => {
    const age = (performance.now() - model.reading.at) / 1000;
    return age < 60 ? "" : `, all of them read ${seconds(age)} ago`;
  };

  function table() {
    const sorted = query.get("sort") ?? "id";
    return h("div", {
      class: ["table", "workload-table"], role: "table", "aria-label": "Workloads", "aria-rowcount": String(rows.length + 1), key: "table",
    },
    h("div", { class: "table-head", role: "rowgroup" }, h("div", { class: "tr", role: "row", "aria-rowindex": "1" },
      COLUMNS.map(([name, title, by]) => h("div", {
        class: ["td", `c-${name}`], role: "columnheader",
        "aria-sort": sorted === name ? "ascending" : sorted === `-${name}` ? "descending" : undefined,
      }, by ? h("button", {
        type: "button", class: "sort",
        onclick: () => { setQuery({ sort: sorted === name ? `-${name}` : name }); update(); },
      }, title, h("span", { class: "arrow", "aria-hidden": "true" }, sorted === name ? "↑" : sorted === `-${name}` ? "↓" : "")) : title)))),
    kept(list));
  }

  function drawRow(index) {
    const workload = rows[index];
    const cell = (name, ...content) => h("div", { class: ["td", `c-${name}`], role: "cell" }, content);
    const observed = h("span", { class: "quiet" }, "–");
    if (hasObserved || index < 3) {
      observedOf(workload.id).then((value) => {
        hasObserved ||= value !== null;
        if (value) observed.textContent = observedShare(value);
      });
    }
    return h("div", { class: "tr", role: "row", key: workload.id, "aria-rowindex": String(index + 2) },
      cell("id", swatch(workload.id), h("a", { href: `#/workloads/${encoded(workload.id)}` }, workload.id),
        h("span", { class: "sub" }, workload.model)),
      cell("state", badge(workload.state), workload.code && h("span", { class: "sub why", title: workload.message }, words(workload.code))),
      cell("rate", rate(workload.rate)),
      cell("slo", `${percent(workload.percentile)} in ${milliseconds(workload.latencyMs)}`),
      cell("ratio", capacityBar(workload)),
      cell("observed", observed),
      cell("segments", count(model.segments.get(workload.id)?.length ?? 0)));
  }

  function empty() {
    return h("section", { class: "empty" }, h("h2", {}, "No workload is registered"),
      h("p", {}, "A workload is a model, a request rate and a latency objective. ", h("a", { href: "#/try" }, "Try one"),
        ", or register it:"),
      h("pre", {}, `curl ${location.origin}/v1/workloads -d '{"id": "mine", "model": "resnet50", "rate": 2000, "slo": {"latencyMs": 100}}'`));
  }

  update();
  return () => {
    stop();
    clearTimeout(later);
    virtual.close();
    observer.disconnect();
  };
}
