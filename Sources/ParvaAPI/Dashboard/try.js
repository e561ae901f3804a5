// What if: rates by a slider, workloads that are not there yet; the plan for it and its price, with nothing stored.

import { ask, encoded, pages } from "./api.js";
import { drawn } from "./diff.js";
import { act, toast } from "./dialogs.js";
import { h, render } from "./dom.js";
import { refresh } from "./live.js";
import { model, watch } from "./model.js";
import { setQuery } from "./route.js";
import { swatch } from "./strip.js";
import { count, counted, figure, rate, words } from "./text.js";

/// A slider's ends: a tenth and ten times the rate.
const DECADES = 1;

export function tryView(root, query) {
  /// By id: `base` with its ETag where it is registered, and the wanted workload.
  const edits = new Map();
  let result = null;
  let failure = null;
  let isStale = false;
  let models = [];
  let running = null;
  let timer = 0;

  const stop = watch((topics) => {
    if (topics.has("workloads") || topics.has("rights")) update();
    // A plan for another demand makes the comparison old.
    if (topics.has("plan") && edits.size) preview();
  });
  readModels();
  if (query.get("change")) choose(query.get("change"));

  async function readModels() {
    const found = new Set();
    try {
      await pages("/v1/profiles", "profiles", (profile) => found.add(profile.model));
      models = [...found].sort();
      update();
    } catch { /* a model can be typed as well */ }
  }

  async function choose(id) {
    if (!id || edits.has(id)) return;
    try {
      const { body, headers } = await ask(`/v1/workloads/${encoded(id)}`);
      edits.set(id, { base: body, tag: headers.get("ETag"), wanted: body.rate });
      update();
      root.querySelector(`[data-key="edit ${CSS.escape(id)}"] input[type="range"]`)?.focus();
    } catch (problem) {
      toast(problem.message, "bad");
    }
  }

  function bodyOf(edit) {
    if (!edit.base) return edit.workload;
    const { revision, createdAt, updatedAt, status, ...declared } = edit.base;
    return { ...declared, rate: edit.wanted };
  }

  function preview() {
    clearTimeout(timer);
    isStale = true;
    timer = setTimeout(run, 300);
    update();
  }

  async function run() {
    running?.abort();
    const own = (running = new AbortController());
    const workloads = [...edits.values()].map(bodyOf);
    if (!workloads.length) {
      result = null;
      return update();
    }
    try {
      const before = model.plan;
      const { body } = await ask("/v1/plan/preview?base=registered", { method: "POST", body: { workloads }, signal: own.signal });
      result = { ...body, before, after: body.plan };
      failure = null;
    } catch (problem) {
      if (own.signal.aborted) return;
      failure = problem;
    }
    isStale = false;
    update();
  }

  async function apply() {
    const changes = [...edits.values()];
    try {
      for (const edit of changes) {
        const id = bodyOf(edit).id;
        if (edit.base) {
          await ask(`/v1/workloads/${encoded(id)}`, {
            method: "PATCH", body: { rate: edit.wanted }, headers: { "If-Match": edit.tag, "Content-Type": "application/merge-patch+json" },
          });
        } else {
          await ask(`/v1/workloads/${encoded(id)}`, { method: "PUT", body: edit.workload, headers: { "If-None-Match": "*" } });
        }
        edits.delete(id);
      }
    } catch (problem) {
      if (problem.status !== 412) throw problem;
      const left = [...edits];
      edits.clear();
      for (const [id, edit] of left) {
        await choose(id);
        const now = edits.get(id);
        if (now) now.wanted = edit.base ? edit.wanted : now.base.rate;
      }
      preview();
      toast("Somebody else changed it meanwhile. It was read anew: look at the preview again, then apply.", "bad");
      return;
    }
    result = null;
    setQuery({ change: null });
    refresh.workloads.want();
    toast(`${counted(changes.length, "change")} registered. The plan follows by itself.`);
    update();
  }

  function update() {
    render(root,
      h("p", { class: "quiet", key: "intro" }, "Change a rate or add a workload and see the plan that it would take. Nothing is stored until you apply it."),
      h("div", { class: "columns try", key: "columns" }, editor(), outcome()));
  }

  function editor() {
    return h("section", { class: "panel", "aria-labelledby": "what-if", key: "editor" }, h("h2", { id: "what-if" }, "What if"),
      [...edits].map(([id, edit]) => editLine(id, edit)),
      h("form", {
        class: "tool-line", key: "choose",
        onsubmit: (event) => {
          event.preventDefault();
          const field = event.currentTarget.elements.workload;
          choose(field.value.trim());
          field.value = "";
        },
      },
      h("label", { class: "find" }, "Change the rate of",
        h("input", { name: "workload", list: "workload-ids", autocomplete: "off", placeholder: "a workload", required: true, key: "w" })),
      h("datalist", { id: "workload-ids" }, [...model.workloads.keys()].slice(0, 500).map((id) => h("option", { value: id }))),
      h("button", { type: "submit" }, "Choose")),
      adder());
  }

  function editLine(id, edit) {
    if (!edit.base) {
      const { workload } = edit;
      return h("div", { class: "edit", key: `edit ${id}` }, h("p", { class: "edit-name" }, swatch(id), h("strong", {}, id), h("span", { class: "quiet" }, `new · ${workload.model}, ${rate(workload.rate)} within ${figure(workload.slo.latencyMs)} ms`)),
        remove(id));
    }
    const base = edit.base.rate;
    const set = (value) => {
      edit.wanted = Math.max(0.001, Number(value.toPrecision(4)));
      preview();
    };
    return h("div", { class: "edit", key: `edit ${id}` },
      h("p", { class: "edit-name" }, swatch(id), h("strong", {}, id), h("span", { class: "quiet" }, `${rate(base)} now, ${figure(edit.wanted / base)} times that`)),
      h("input", {
        type: "range", min: String(-DECADES), max: String(DECADES), step: "0.01", "aria-label": `Rate of ${id}`,
        "aria-valuetext": `${figure(edit.wanted)} requests per second`, value: String(Math.log10(edit.wanted / base)),
        oninput: (event) => set(base * 10 ** Number(event.target.value)),
      }),
      h("input", {
        type: "number", min: "0.001", step: "any", "aria-label": `Rate of ${id} in requests per second`, value: String(edit.wanted),
        onchange: (event) => { if (Number(event.target.value) > 0) set(Number(event.target.value)); },
      }),
      remove(id));
  }

  const remove = (id) => h("button", { type: "button", class: "small", "aria-label": `Take ${id} out of the trial`, onclick: () => { edits.delete(id); preview(); } }, "✕");

  function adder() {
    const field = (name, title, props) => h("label", {}, title, h("input", { name, autocomplete: "off", required: true, key: name, "data-free": true, ...props }));
    return h("details", { class: "adder", key: "adder" }, h("summary", {}, "Add a workload"),
      h("form", {
        class: "adder-form",
        onsubmit: (event) => {
          event.preventDefault();
          const { id, model: name, rate: asked, latency, percentile } = event.currentTarget.elements;
          if (model.workloads.has(id.value)) return toast(`${id.value} is registered already; choose it above to change its rate.`, "bad");
          edits.set(id.value, {
            base: null,
            workload: {
              id: id.value, model: name.value, rate: Number(asked.value),
              slo: { latencyMs: Number(latency.value), percentile: Number(percentile.value) / 100 },
            },
          });
          event.currentTarget.reset();
          preview();
        },
      },
      field("id", "Name", { pattern: "[a-z0-9]([a-z0-9_\\-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9_\\-]*[a-z0-9])?)*", title: "small letters, digits, - _ and dots", maxlength: "253" }),
      field("model", "Model", { list: "models" }),
      h("datalist", { id: "models" }, models.map((name) => h("option", { value: name }))),
      field("rate", "Requests per second", { type: "number", min: "0.001", step: "any" }),
      field("latency", "Within, in milliseconds", { type: "number", min: "0.001", step: "any" }),
      field("percentile", "Share in time, in percent", { type: "number", min: "1", max: "99.999", step: "any", value: "99" }),
      h("div", { class: "actions" }, h("button", { type: "submit" }, "Add to the trial"))));
  }

  function outcome() {
    if (!edits.size) {
      return h("section", { class: "empty", key: "outcome" }, h("h2", {}, "Nothing is changed yet"),
        h("p", {}, "Choose a workload and move its slider, or add one. The plan for it is drawn here, with what it costs more or less."));
    }
    return h("section", { class: ["panel", isStale && "old"], "aria-labelledby": "outcome", "aria-live": "polite", "aria-busy": String(isStale), key: "outcome" },
      h("header", {}, h("h2", { id: "outcome" }, "The plan for it"), isStale && h("span", { class: "quiet" }, "planning …")),
      failure ? h("p", { class: "note bad" }, failure.message) : result ? [price(), drawn(result)] : null,
      h("div", { class: "actions", key: "apply" },
        model.rights.mayChange
          ? h("button", { type: "button", class: "primary", disabled: isStale || !!failure || !result, onclick: (event) => act(event.currentTarget, apply) },
            `Register ${counted(edits.size, "change")}`)
          : h("p", { class: "note" }, "This token may preview, but not register anything."),
        h("button", { type: "button", onclick: () => { edits.clear(); result = null; failure = null; update(); } }, "Start again")));
  }

  function price() {
    const [now, then] = [result.before?.summary, result.after.summary];
    const line = (name, a, b, digits = count) => {
      if (b === null || b === undefined) return null;
      const more = b - (a ?? 0);
      return [h("dt", {}, name), h("dd", {}, `${a == null ? "–" : digits(a)} → `, h("strong", {}, digits(b)),
        h("span", { class: more > 0 ? "is-partial" : more < 0 ? "is-ok" : "quiet" }, more === 0 ? " the same" : ` ${more > 0 ? "+" : "−"}${digits(Math.abs(more))}`))];
    };
    return [
      h("dl", { class: "facts-list price" }, line("GPUs", now?.gpuCount, then.gpuCount), line("at least needed", now?.lowerBound, then.lowerBound, figure),
        line("cost", now?.cost, then.cost, figure), line("watts", now?.watts, then.watts, figure),
        line("workloads left out", model.plan?.unplaced.length, result.after.unplaced.length)),
      result.after.unplaced.length > 0 && h("ul", { class: "note warn" }, result.after.unplaced.slice(0, 8).map(({ workload, code, message }) =>
        h("li", {}, swatch(workload), ` ${workload}: ${words(code)}. ${message}`))),
    ];
  }

  update();
  return () => {
    stop();
    clearTimeout(timer);
    running?.abort();
  };
}
