// What the page knows of the controller, and who is told when it changes.

import { ask, encoded, pages } from "./api.js";
import { claim } from "./colours.js";

export const model = {
  plan: null, planTag: null,
  /// GPUs of the plan by UUID; segments by workload, each with its GPU.
  planned: new Map(), segments: new Map(),
  nodes: new Map(), hasNodes: false,
  workloads: new Map(),
  /// How far the first reading of the workloads has come.
  reading: { isDone: false, count: 0, at: null },
  operations: [],
  plans: [],
  fleet: null, readiness: null, index: null,
  events: [],
  /// What the token of this tab may do, as far as the controller has said.
  rights: { mayChange: true, isRefused: false, said: null, caller: null },
  /// The stream's `kind`, since when it is lost and until when it waits (of `performance.now()`), and what could not be read.
  link: { kind: "connecting", unread: null },
};

/// With more workloads than this each has the colour of its name alone.
const MOST_COLOURED = 2000;

const watchers = new Set();
const pending = new Set();
let isQueued = false;

/// Calls back with the set of what has changed, at most once a frame. The answer ends it.
export function watch(callback) {
  watchers.add(callback);
  return () => watchers.delete(callback);
}

export function changed(topic) {
  pending.add(topic);
  if (isQueued) return;
  isQueued = true;
  // A tab that nobody sees draws no frames, and is still to be true when somebody looks.
  const next = document.hidden ? (run) => setTimeout(run, 200) : requestAnimationFrame;
  next(() => {
    isQueued = false;
    const topics = new Set(pending);
    pending.clear();
    for (const callback of [...watchers]) callback(topics);
  });
}

/// A plan, with what the page shows of its segments.
export async function readPlan(path, tag) {
  const answer = await ask(path, { tag });
  for (const gpu of answer.body?.gpus ?? []) gpu.segments = gpu.segments.map(slimSegment);
  return answer;
}

export async function loadPlan() {
  try {
    const { status, body, headers } = await readPlan("/v1/plan?wait=0", model.planTag);
    if (status === 304) return;
    model.planTag = headers.get("ETag");
    take(body);
  } catch (problem) {
    if (problem.code !== "plan_pending") throw problem;
    model.plan = null;
  }
  changed("plan");
}

function take(plan) {
  model.plan = plan;
  model.planned = new Map();
  model.segments = new Map();
  for (const gpu of plan.gpus) {
    if (gpu.uuid) model.planned.set(gpu.uuid, gpu);
    for (const segment of gpu.segments) {
      const own = model.segments.get(segment.workload);
      if (own) own.push({ segment, gpu });
      else model.segments.set(segment.workload, [{ segment, gpu }]);
    }
  }
}

const slimSegment = ({ id, workload, profile, profileId, start, size, batch, processes, capacity, load }) => ({
  id, workload, profile, profileId, start, size, batch, processes, capacity, load,
});

/// - Parameter onFirst: called when there is something to draw.
export async function loadNodes(onFirst = () => {}) {
  const seen = new Set();
  await pages("/v1/nodes", "nodes", (node) => {
    seen.add(node.name);
    model.nodes.set(node.name, slimNode(node));
  }, () => {
    if (!model.hasNodes) changed("nodes");
    onFirst();
  });
  keep(model.nodes, seen);
  model.hasNodes = true;
  changed("nodes");
}

/// Takes away what a list has no more.
function keep(map, seen) {
  for (const key of map.keys()) if (!seen.has(key)) map.delete(key);
}

export async function loadNode(name) {
  try {
    const { body } = await ask(`/v1/nodes/${encoded(name)}`);
    model.nodes.set(name, slimNode(body));
  } catch (problem) {
    if (problem.status !== 404 && problem.status !== 410) throw problem;
    model.nodes.delete(name);
  }
  changed("nodes");
}

/// Only what the page shows: of ten thousand GPUs the rest would be most.
function slimNode(node) {
  const { state, simulated, driverVersion, verifiedRevision, matchesPlan, degraded, lastHeartbeat, conditions, duty, faults } =
    node.status;
  return {
    name: node.name, address: node.address, zone: node.zone ?? "", state, simulated, driverVersion, verifiedRevision,
    matchesPlan, degraded, lastHeartbeat, duty, faults, unhealthy: node.status.unhealthyServices,
    conditions: conditions.filter((one) => one.status !== "True").map(({ type, status, reason, message, since }) => ({
      type, status, reason, message, since,
    })),
    gpus: node.status.gpus.map(({ index, uuid, product, board, memorySlices, migMode, usable, reason, message, instances }) => ({
      index, uuid, product: product ?? board, memorySlices, migMode, usable, reason, message, instances,
    })),
  };
}

export function slimWorkload({ id, model: name, rate, slo, labels, priority, arrivals, revision, status }) {
  return {
    id, model: name, rate: status.rate ?? rate, latencyMs: slo.latencyMs, percentile: slo.percentile ?? 0.99, labels, priority: priority ?? 0,
    arrivals: arrivals?.process, revision, state: status.state, code: status.code, message: status.message,
    planned: status.capacityPlanned, up: status.capacityUp, planRevision: status.planRevision,
  };
}

export async function loadWorkloads() {
  const seen = new Set();
  let told = 0;
  await pages("/v1/workloads", "workloads", (workload) => {
    seen.add(workload.id);
    model.workloads.set(workload.id, slimWorkload(workload));
  }, () => {
    model.reading.count = seen.size;
    if (model.reading.isDone || performance.now() - told < 500) return;
    told = performance.now();
    changed("workloads");
  });
  keep(model.workloads, seen);
  model.reading = { isDone: true, count: seen.size, at: performance.now() };
  if (seen.size <= MOST_COLOURED && claim(seen)) changed("colours");
  changed("workloads");
}

export async function loadWorkload(id) {
  try {
    const { body } = await ask(`/v1/workloads/${encoded(id)}`);
    model.workloads.set(id, slimWorkload(body));
    if (model.workloads.size <= MOST_COLOURED && claim([id])) changed("colours");
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    model.workloads.delete(id);
  }
  changed("workloads");
}

export async function loadOperations() {
  const { body } = await ask("/v1/operations?limit=50");
  model.operations = body.operations;
  changed("operations");
}

export async function loadOperation(id) {
  const { body } = await ask(`/v1/operations/${encoded(id)}`);
  const index = model.operations.findIndex((one) => one.id === id);
  if (index >= 0) model.operations[index] = body;
  else model.operations.unshift(body);
  changed("operations");
  return body;
}

export async function loadPlans() {
  const { body } = await ask("/v1/plans?limit=100");
  model.plans = body.plans;
  changed("plans");
}

/// The fleet's own words, and whether the controller is ready: cheap, and asked for while somebody looks.
export async function loadHealth() {
  const [fleet, ready] = await Promise.all([
    ask("/v1/fleet").catch((problem) => ({ problem })),
    ask("/readyz").catch((problem) => ({ problem })),
  ]);
  if (fleet.problem && !fleet.problem.status) throw fleet.problem;
  model.fleet = fleet.body ?? model.fleet;
  model.readiness = ready.problem
    ? { status: "not ready", code: ready.problem.code, message: ready.problem.message }
    : ready.body;
  changed("health");
}

/// What there is, by the controller's own word: the version and the links.
export async function loadIndex() {
  const { body } = await ask("/v1");
  model.index = body;
  changed("index");
  // Who one is, where the controller tells: then what one may not do is hidden before it is tried.
  if (!body.links.whoami) return;
  const { body: caller } = await ask(body.links.whoami);
  Object.assign(model.rights, { caller, mayChange: caller.may.includes("change") });
  changed("rights");
}

/// The operation that is under way, if any.
export const underWay = () =>
  model.operations.find((one) => ["running", "paused", "rolling_back"].includes(one.status));

/// Whether some node has not what the current plan wants of it.
export const isBehind = () => [...model.nodes.values()].some((node) => node.matchesPlan === false);
