// What was done and what happened: operations, events as they come, and the audit where the controller keeps one.

import { ask, encoded } from "./api.js";
import { h, render, tableHead } from "./dom.js";
import { loadOperation, model, watch } from "./model.js";
import { nodeTable } from "./rollout.js";
import { setQuery } from "./route.js";
import { age, count, counted, seconds, time, words } from "./text.js";

const KINDS = ["operation", "node", "workload"];
/// What is shown of a row of the audit.
const AUDITED = ["time", "name", "method", "resource", "status", "changed", "requestId"];

export function activityView(root, query, id) {
  let audit = null;
  let failure = null;
  const stop = watch((topics) => {
    if (topics.has("operations") || topics.has("events") || topics.has("index")) update();
    if (topics.has("index")) readAudit();
  });
  if (id) loadOperation(id).catch((problem) => { failure = problem; update(); });
  readAudit();

  /// Where the controller has an audit it says so in its links.
  async function readAudit() {
    const path = model.index?.links.audit;
    if (!path || id) return;
    try {
      audit = (await ask(path, { isQuiet: true })).body;
    } catch (problem) {
      audit = { refused: problem };
    }
    update();
  }

  function update() {
    if (id) render(root, operationPage());
    else render(root, h("div", { class: "columns" }, operations(), events()), audited());
  }

  function operations() {
    return h("section", { class: "panel", "aria-labelledby": "operations", key: "operations" }, h("h2", { id: "operations" }, "Operations"),
      model.operations.length === 0 ? h("p", { class: "quiet" }, "Nothing was brought to nodes yet. ", h("a", { href: "#/plan" }, "The plan"), " tells what an apply would do.")
      : h("table", {}, tableHead(["Operation", "Status", "Nodes", "Began"]),
        h("tbody", {}, model.operations.map((operation) => h("tr", { key: operation.id },
          h("th", { scope: "row" }, h("a", { href: `#/activity/${encoded(operation.id)}` }, operation.id), operation.rollout.automatic && h("span", { class: "quiet" }, " by itself")),
          h("td", {}, h("span", { class: ["badge", `is-${operation.status}`] }, words(operation.status))),
          h("td", {}, `${count(operation.nodes.filter((node) => node.status === "verified").length)} of ${count(operation.nodes.length)}`),
          h("td", {}, time(operation.createdAt)))))));
  }

  function events() {
    const kind = query.get("kind");
    const list = model.events.filter((event) => !kind || event.kind === kind).slice(0, 200);
    return h("section", { class: "panel", "aria-labelledby": "events", key: "events" },
      h("header", {}, h("h2", { id: "events" }, "Events"),
        h("div", { class: "legend" }, KINDS.map((one) => h("button", {
          type: "button", class: "chip", "aria-pressed": String(kind === one), onclick: () => { setQuery({ kind: kind === one ? null : one }); update(); },
        }, one)))),
      list.length === 0 ? h("p", { class: "quiet" }, "Nothing happened since this page was opened.")
      : h("ol", { class: "events", tabindex: "0", "aria-labelledby": "events" }, list.map((event) => h("li", { key: String(event.number) },
        h("time", { datetime: event.at, class: "quiet" }, time(event.at)), h("span", { class: "tag" }, event.kind), h("span", {}, event.title)))));
  }

  function audited() {
    if (!audit) return null;
    const entries = Object.values(audit).find(Array.isArray) ?? [];
    const columns = AUDITED.filter((name) => entries.some((entry) => entry[name] !== undefined));
    return h("section", { class: "panel", "aria-labelledby": "audit", key: "audit" }, h("h2", { id: "audit" }, "Audit"),
      audit.refused ? h("p", { class: "note" }, audit.refused.message)
      : entries.length === 0 ? h("p", { class: "quiet" }, "Nothing was changed yet.")
      : h("table", {}, tableHead(columns),
        h("tbody", {}, entries.slice(0, 100).map((entry) => h("tr", {}, columns.map((name) => h("td", {},
          name === "time" ? time(entry.time) : String(entry[name] ?? ""))))))));
  }

  function operationPage() {
    const operation = model.operations.find((one) => one.id === id);
    if (!operation) return h("p", { class: failure ? "note bad" : "quiet" }, failure?.message ?? "Reading …");
    const { rollout } = operation;
    return h("section", { class: "panel" },
      h("p", {}, h("span", { class: ["badge", `is-${operation.status}`] }, words(operation.status)), ` · plan revision ${operation.planRevision} · began ${time(operation.createdAt)} (${age(operation.createdAt)})`,
        ` · last news ${time(operation.updatedAt)}`),
      h("p", { class: "quiet" }, [
        rollout.automatic ? "begun by the controller itself" : "asked for", rollout.waves && counted(rollout.waves, "wave"),
        rollout.expectedSeconds && `about ${seconds(rollout.expectedSeconds)}`, `at a failure: ${rollout.onFailure}`,
        operation.resumed > 0 && `taken up again ${counted(operation.resumed, "time")}`,
      ].filter(Boolean).join(" · ")),
      nodeTable(operation),
      operation.nodes.filter((node) => node.steps.length || node.problems.length).slice(0, 50).map((node) => h("details", { key: node.name },
        h("summary", {}, `${node.name}: ${count(node.steps.filter((step) => step.done).length)} of ${counted(node.steps.length, "step")}`),
        h("ol", { class: "steps" }, node.steps.map((step) => h("li", {}, h("span", { class: step.done ? "is-ok" : "quiet" }, step.done ? "done" : "to do"), ` ${step.description}`)),
          node.problems.map((problem) => h("li", { class: "is-bad" }, `${problem.code}: ${problem.message}`))))),
      h("a", { href: "#/plan" }, "Pause, resume, abort and roll back under Plan"));
  }

  update();
  return stop;
}
