// The way from what stands to the plan: the waves beforehand, and how they go.

import { ask, encoded } from "./api.js";
import { act, confirmed, toast } from "./dialogs.js";
import { h, tableHead } from "./dom.js";
import { loadOperation, loadOperations, changed, isBehind, model, underWay, watch } from "./model.js";
import { swatch } from "./strip.js";
import { age, count, counted, figure, rate, seconds, words } from "./text.js";

const STEPS = 10;
const ROWS = 60;

let outlook = null;
let failure = null;
/// Least capacity of each workload that was seen while an operation ran.
const least = new Map();
let followed = null;

// What is known to run is looked at whenever a workload changes while something is under way.
watch((topics) => {
  if (!topics.has("workloads") && !topics.has("operations")) return;
  const operation = underWay();
  if (!operation) return;
  if (followed !== operation.id) {
    followed = operation.id;
    least.clear();
    // Whoever has begun it: the way that is ahead is asked for once, and how far it is gone is seen on the nodes.
    if (model.rights.mayChange && outlook?.revision !== operation.planRevision) look();
  }
  for (const { id, up } of model.workloads.values()) {
    if (up !== null && !(least.get(id) <= up)) least.set(id, up);
  }
});

async function look() {
  failure = null;
  try {
    const { body, headers } = await ask("/v1/plan/apply?dryRun=true", { method: "POST" });
    outlook = { ...body, revision: Number(headers.get("Parva-Plan-Revision")), isRest: underWay() !== undefined };
  } catch (problem) {
    outlook = null;
    failure = problem;
  }
  changed("rollout");
}

async function apply(revision) {
  const { body } = await ask(`/v1/plan/apply?revision=${revision}`, {
    method: "POST", headers: { "Idempotency-Key": `page-${crypto.getRandomValues(new Uint32Array(3)).join("-")}` },
  });
  await loadOperation(body.id);
  toast(`Revision ${revision} is on its way to the nodes.`);
}

async function steer(operation, action) {
  await ask(`/v1/operations/${encoded(operation.id)}/${action}`, { method: "POST" });
  await loadOperations();
}

export function rolloutPanel() {
  const operation = underWay();
  const last = model.operations[0];
  return h("section", { class: "panel", "aria-labelledby": "roll-out", key: "rollout" },
    h("header", {}, h("h2", { id: "roll-out" }, "Roll-out"),
      model.fleet?.autoApply && h("p", { class: "quiet" }, `by itself: ${words(model.fleet.autoApply.state)}; ${model.fleet.autoApply.message}`)),
    operation ? progress(operation) : last ? ended(last) : h("p", { class: "quiet" }, "Nothing was brought to the nodes yet."),
    controls(operation, last),
    failure && h("p", { class: "note bad" }, failure.message),
    outlook && outlook.revision === model.plan?.revision && operation?.status !== "rolling_back" && waves(outlook, operation));
}

function controls(operation, last) {
  if (!model.rights.mayChange) return h("p", { class: "note" }, `${model.rights.said ?? "This token may not change anything."} What would change something is hidden.`);
  if (!model.nodes.size) return h("p", { class: "quiet" }, "No node is registered: there is nobody to bring the plan to.");
  const button = (text, action, tone) => h("button", {
    type: "button", class: tone, key: text, onclick: (event) => act(event.currentTarget, action),
  }, text);
  if (operation) {
    const sure = (action, title, text) => async () => {
      if (await confirmed(title, text, title.replace("?", ""))) await steer(operation, action);
    };
    return h("div", { class: "actions", key: "steer" },
      operation.status === "running" && button("Pause", () => steer(operation, "pause")),
      operation.status === "paused" && button("Resume", () => steer(operation, "resume"), "primary"),
      button("Abort", sure("abort", "Abort?", "Nodes that work on a part go on to its end; the rest never begins.")),
      operation.status !== "rolling_back" && button("Roll back", sure("rollback", "Roll back?", "Every node is brought back to the plan that was verified before, in waves as well.")),
      button("What is still ahead", look));
  }
  const canRollBack = last && ["failed", "aborted"].includes(last.status) && last.planRevision === model.plan?.revision;
  const isShown = outlook?.revision === model.plan?.revision;
  return h("div", { class: "actions", key: "begin" },
    isBehind() && !isShown && button("Show the way", look),
    isBehind() && button(`Apply revision ${model.plan?.revision ?? ""}`, () => apply(model.plan.revision), "primary"),
    canRollBack && button("Roll back", async () => {
      if (await confirmed("Roll back?", "Every node is brought back to the plan that was verified before.", "Roll back")) await steer(last, "rollback");
    }),
    !isBehind() && !canRollBack && h("p", { class: "quiet" }, "Every node that is heard has what the plan wants of it."));
}

const nodeLine = (node) => {
  const share = node.parts ? (node.partsDone ?? 0) / node.parts : ["verified", "rolled_back"].includes(node.status) ? 1
    : node.steps.length ? node.steps.filter((step) => step.done).length / node.steps.length : 0;
  return h("tr", { key: node.name },
    h("th", { scope: "row" }, node.name, node.simulated && [" ", h("span", { class: "tag" }, "simulated")]),
    h("td", {}, h("span", { class: ["badge", `is-${node.status}`] }, words(node.status))),
    h("td", {}, h("span", { class: "progress", role: "img", "aria-label": `${Math.round(share * 100)} % done` }, h("span", { style: { width: `${share * 100}%` } }))),
    h("td", {}, node.unchanged ? "has it already" : node.failure ? `${node.failure.code}: ${node.failure.detail}` : node.message ?? counted(node.instances, "instance")));
};

/// What went wrong first, then what is not over: of many nodes only some are shown.
const RANKS = ["failed", "stuck", "refused", "applying", "pushing", "pending"];
const rankOf = ({ status }) => (RANKS.indexOf(status) + RANKS.length + 1) % (RANKS.length + 1);

export function nodeTable(operation) {
  const nodes = [...operation.nodes].sort((a, b) => rankOf(a) - rankOf(b)).slice(0, ROWS);
  return h("table", { class: "operation-nodes" }, h("caption", { class: "unseen" }, "Nodes of the operation"),
    tableHead(["Node", "Status", "Done", "What it does or waits for"]),
    h("tbody", {}, nodes.map(nodeLine)),
    operation.nodes.length > ROWS && h("tfoot", {}, h("tr", {}, h("td", { colspan: "4" }, `and ${count(operation.nodes.length - ROWS)} more nodes`))));
}

const headline = (operation) => h("p", {},
  h("span", { class: ["badge", `is-${operation.status}`] }, words(operation.status)), " · ",
  h("a", { href: `#/activity/${encoded(operation.id)}` }, `revision ${operation.planRevision}`), ` · ${age(operation.createdAt)}`,
  operation.rollout.waves && ` · ${counted(operation.rollout.waves, "wave")}`,
  operation.rollout.expectedSeconds ? `, about ${seconds(operation.rollout.expectedSeconds)} in all` : "",
  operation.rollout.temporaries ? `, ${counted(operation.rollout.temporaries, "segment")} for the way only` : "");

function progress(operation) {
  return h("div", { class: "stack", key: operation.id }, headline(operation), shortfalls(operation), nodeTable(operation),
    followed === operation.id && leastSeen());
}

const ended = (operation) => h("div", { class: "stack", key: operation.id }, headline(operation),
  operation.nodes.some((node) => node.failure) && nodeTable({ nodes: operation.nodes.filter((node) => node.failure) }),
  followed === operation.id && leastSeen());

function shortfalls({ rollout }) {
  if (!rollout.shortfalls?.length) return null;
  return h("div", { class: "note warn" }, h("h3", {}, "Falls short on the way"), h("ul", {}, rollout.shortfalls.map(({ workload, floor, least: worst }) =>
    h("li", {}, swatch(workload), ` ${workload}: ${rate(worst)} of the ${rate(floor)} that it is to keep`))));
}

function leastSeen() {
  const rows = [...least].map(([id, up]) => ({ id, up, asked: model.workloads.get(id)?.rate ?? 0 }))
    .sort((a, b) => a.up / a.asked - b.up / b.asked).slice(0, 12);
  return rows.length > 0 && h("div", {}, h("h3", {}, "Least capacity seen on the way"),
    h("ul", { class: "least" }, rows.map(({ id, up, asked }) => h("li", { key: id }, swatch(id), h("span", {}, id),
      h("span", { class: "quiet" }, `${rate(up)} for ${rate(asked)}`)))));
}

const placeOf = ({ gpu, start, profileId }) => `${gpu} ${start} ${profileId}`;

/// Of each wave whether it is `done`, goes on `now`, or is `ahead`, by what stands on the nodes. A place that several steps are
/// about tells nothing: a wave of such steps alone is over once a later one has begun.
export function progressOf(waves, nodes) {
  const standing = new Set([...nodes].flatMap((node) => node.gpus.flatMap(({ uuid, instances }) =>
    instances.map(({ start, profileId }) => placeOf({ gpu: uuid, start, profileId })))));
  const times = new Map();
  for (const { steps } of waves) for (const step of steps) times.set(placeOf(step), (times.get(placeOf(step)) ?? 0) + 1);
  const done = waves.map(({ steps }) => steps.filter((step) => times.get(placeOf(step)) === 1)
    .map((step) => standing.has(placeOf(step)) === (step.action === "create")));
  const last = done.findLastIndex((steps) => steps.includes(true));
  const now = done.findIndex((steps, index) => steps.includes(false) || (steps.length === 0 && index > last));
  return waves.map((_, index) => (now < 0 || index < now ? "done" : index === now ? "now" : "ahead"));
}

/// The waves one after the other, as wide as they are expected to take, and what each workload keeps on the way.
function waves({ summary, waves: list, workloads, revision, isRest }, operation) {
  const short = workloads.filter((one) => one.shortfall > 0);
  const touched = workloads.filter((one) => one.leastAtWave != null || one.capacityBefore !== one.capacityAfter || one.shortfall > 0);
  const rows = (touched.length ? touched : workloads).slice().sort((a, b) => margin(a) - margin(b)).slice(0, ROWS);
  const progress = operation ? progressOf(list, model.nodes.values()) : [];
  return h("div", { class: "stack", key: "waves" },
    h("h3", {}, `${isRest ? "The rest of the way" : "The way"} to revision ${revision}`, operation && `: ${count(progress.filter((one) => one === "done").length)} of ${counted(list.length, "wave")} done`),
    h("p", {}, `${counted(summary.waves, "wave")} · ${counted(summary.creates, "segment")} to make, ${count(summary.destroys)} to destroy`
      + `${summary.temporaries ? `, ${count(summary.temporaries)} for the way only` : ""} · about ${seconds(summary.expectedSeconds)} · `,
      h("strong", { class: short.length ? "is-bad" : "is-ok" }, short.length ? `${counted(short.length, "workload")} short on the way` : "every workload keeps its rate")),
    h("ol", { class: "waves" }, list.map((wave, index) => h("li", { class: ["wave", progress[index]], style: { "flex-grow": String(Math.max(1, wave.expectedSeconds)) } },
      h("h4", {}, `Wave ${index + 1}`, h("span", { class: "quiet" }, ` ${seconds(wave.expectedSeconds)}${progress[index] ? ` · ${progress[index]}` : ""}`)),
      h("ul", {}, wave.steps.slice(0, STEPS).map((step) => h("li", { class: `step ${step.action}`, title: `${step.segment}, ${figure(step.capacity)}/s, ${step.gpu}` },
        h("span", { class: "sign" }, step.action === "create" ? "+" : "−"), h("span", { class: "unseen" }, step.action), swatch(step.workload),
        ` ${step.workload} ${step.profile}`, h("span", { class: "quiet" }, ` ${step.node ?? ""}${step.temporary ? ", for the way" : ""}`))),
      wave.steps.length > STEPS && h("li", { class: "quiet" }, `and ${count(wave.steps.length - STEPS)} more`))))),
    h("table", {}, h("caption", {}, "What each workload keeps on the way, in requests per second"),
      tableHead(["Workload", ["before", "n"], ["least", "n"], ["after", "n"], "at wave"]),
      h("tbody", {}, rows.map((row) => h("tr", { key: row.workload },
        h("th", { scope: "row" }, swatch(row.workload), " ", row.workload), h("td", { class: "n" }, figure(row.capacityBefore)),
        h("td", { class: ["n", row.shortfall > 0 && "is-bad"] }, figure(row.leastCapacity), row.shortfall > 0 && ` (${figure(row.shortfall)} short)`),
        h("td", { class: "n" }, figure(row.capacityAfter)), h("td", {}, row.leastAtWave == null ? "" : count(row.leastAtWave)))))));
}

const margin = (one) => one.leastCapacity - Math.min(one.rateBefore, one.rateAfter);
