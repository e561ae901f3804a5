// Keeps the model true: reads it once, and then what the stream of events says has changed.

import {
  changed, loadHealth, loadIndex, loadNode, loadNodes, loadOperation, loadOperations, loadPlan, loadPlans, loadWorkload,
  loadWorkloads, model,
} from "./model.js";
import { follow } from "./stream.js";
import { counted } from "./text.js";

/// Longest pause before what could not be read is read again, in milliseconds.
const LONGEST = 30_000;

/// Reads once more whenever it is wanted, one at a time, and by itself after a failure.
class Reading {
  /// - Parameters:
  ///   - what: what it reads, in words.
  ///   - least: milliseconds between two.
  ///   - share: what is large is read so seldom that it takes one part in so many of the time; 1 for what is not.
  constructor(what, load, { least = 100, share = () => 1 } = {}) {
    Object.assign(this, { what, load, least, share, isRunning: false, isWanted: false, free: 0, failures: 0 });
  }

  want() {
    if (this.isRunning) {
      this.isWanted = true;
      return;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), Math.max(0, this.free - performance.now()));
  }

  async run() {
    if (this.isRunning) return this.want();
    this.isRunning = true;
    this.isWanted = false;
    clearTimeout(this.timer);
    const began = performance.now();
    let pause;
    try {
      await this.load();
      this.failures = 0;
      unread(this.what, null);
    } catch (error) {
      pause = this.pauseAfter(error);
    }
    const took = performance.now() - began;
    const share = this.share();
    this.free = performance.now() + (pause ?? (share > 1 ? took * share : Math.min(1000, Math.max(this.least, took))));
    this.isRunning = false;
    if (this.isWanted || pause !== undefined) this.want();
  }

  /// Milliseconds until it is tried again; nothing where another try is refused as well.
  pauseAfter(error) {
    if (error.status === 401 || error.status === 403) return undefined;
    unread(this.what, error.message);
    const pause = Math.min(LONGEST, 500 * 2 ** this.failures++);
    return error.retryAfter ? error.retryAfter * 1000 : pause * (0.75 + Math.random() / 2);
  }
}

/// Requests of one kind at a time, for what events have named.
const AT_ONCE = 4;

/// What was named by events, read together after a moment: one by one while they are fewer than `most()`, else the whole list.
class Names {
  constructor(load, whole, most) {
    Object.assign(this, { load, whole, most, names: new Set() });
  }

  add(name) {
    if (!name) return;
    this.names.add(name);
    this.timer ??= setTimeout(() => this.flush(), 120);
  }

  async flush() {
    const names = [...this.names];
    this.names.clear();
    if (names.length > this.most()) this.whole.want();
    else await Promise.all(Array.from({ length: AT_ONCE }, () => this.some(names)));
    this.timer = this.names.size ? setTimeout(() => this.flush(), 120) : undefined;
  }

  async some(names) {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      await this.load(name).catch(() => { /* the stream tells whether anybody answers */ });
    }
  }
}

const areManyNodes = () => model.nodes.size > 200;
const areManyWorkloads = () => model.workloads.size > 2000;
const plan = new Reading("the plan", loadPlan, { share: () => (areManyNodes() ? 10 : 1) });
let firstNodes = () => {};
const nodes = new Reading("the nodes", () => loadNodes(firstNodes), { share: () => (areManyNodes() ? 100 : 1) });
const workloads = new Reading("the workloads", loadWorkloads, { share: () => (areManyWorkloads() ? 100 : 1) });
const operations = new Reading("the operations", loadOperations);
const plans = new Reading("earlier plans", loadPlans);
const health = new Reading("the controller's health", loadHealth, { least: 500 });
const index = new Reading("the index", loadIndex);
// The whole of a large list comes seldom: of those, many are read one by one.
const someNodes = new Names(loadNode, nodes, () => (areManyNodes() ? 64 : 8));
const someWorkloads = new Names(loadWorkload, workloads, () => (areManyWorkloads() ? 500 : 8));
const someOperations = new Names(loadOperation, operations, () => 4);

let stream = null;
const MOST_EVENTS = 500;

/// Everything anew, and the stream with it: at the start, and after somebody has signed in.
export function begin() {
  stream?.close();
  Object.assign(model.rights, { mayChange: true, isRefused: false, said: null, caller: null });
  model.link.kind = "connecting";
  // First the stream, so that nothing is missed between what is read and what comes.
  for (const reading of [plan, nodes, workloads]) reading.free = 0;
  stream = follow("/v1/events", { onEvent: heard, onState: settle });
  all();
  changed("rights");
}

/// When the page has drawn what it knows; where nobody looks at it nothing is drawn, and it goes on all the same.
const nextPicture = () => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));
  setTimeout(done, 400);
});

/// First what the first picture is made of: some nodes, then the plan. Workloads can be many, and come after it.
function all() {
  const drawn = new Promise((done) => { firstNodes = done; }).then(nextPicture);
  const read = nodes.run().finally(firstNodes);
  const hasPlan = drawn.then(() => plan.run());
  drawn.then(() => { for (const reading of [index, operations, plans, health]) reading.want(); });
  Promise.allSettled([read, hasPlan]).then(() => workloads.want());
}

function heard(event) {
  if (event.event === "gap") {
    note({ kind: "gap", title: "some events were missed; everything is read anew", data: {} });
    all();
    return;
  }
  const data = JSON.parse(event.data);
  note({ kind: event.event, title: titles[event.event]?.(data) ?? event.event, data });
  if (event.event === "node") {
    someNodes.add(data.name);
    health.want();
  } else if (event.event === "plan") {
    for (const reading of [plan, plans, workloads, health]) reading.want();
  } else if (event.event === "workload") {
    someWorkloads.add(data.id);
  } else if (event.event === "operation") {
    someOperations.add(data.id);
    // What a node has verified is seen on the node.
    someNodes.add(data.node?.name ?? data.node);
    health.want();
  }
}

const because = (one) => `${one.type} ${one.status === "True" ? "holds" : one.status === "False" ? "does not hold" : "is not known"}: ${one.message}`;
const titles = {
  plan: (data) => `plan revision ${data.revision}: ${counted(data.gpuCount, "GPU")}${data.unplaced ? `, ${counted(data.unplaced, "workload")} left out` : ""}`,
  node: (data) => [`${data.name} is ${data.state}`, ...(data.conditions ?? []).map(because)].join("; "),
  workload: (data) => data.conditions?.length
    ? [data.id, data.conditions.map(because).join("; ")].join(": ") : `${data.id} was deleted`,
  operation: (data) => {
    const node = data.node?.name ?? data.node;
    return node ? `${data.id}: ${node} is ${data.node?.status ?? data.nodeStatus ?? data.status}` : `${data.id} is ${data.status}`;
  },
};

function note(event) {
  model.events.unshift({ ...event, at: new Date().toISOString(), number: (note.number = (note.number ?? 0) + 1) });
  model.events.length = Math.min(model.events.length, MOST_EVENTS);
  changed("events");
}

/// What the page says of its link, by the state of the stream.
function settle({ kind, until, why }) {
  const { link } = model;
  // What happened between two connections came with no event where the controller was another one.
  if (kind === "live" && link.wasLost) all();
  link.wasLost = kind === "waiting" || (kind === "connecting" && link.wasLost);
  if (link.wasLost) link.since ??= performance.now();
  else link.since = undefined;
  if (kind === "waiting") Object.assign(link, { until, why });
  link.kind = kind;
  changed("link");
}

/// What could not be read is said for as long as that is so: the page shows what it had before.
const failing = new Map();
function unread(what, why) {
  if (why === null ? !failing.delete(what) : failing.get(what) === why) return;
  if (why !== null) failing.set(what, why);
  model.link.unread = failing.size ? [...failing].map(([name, reason]) => `${name} could not be read: ${reason}`).join(" ") : null;
  changed("link");
}

export const retry = () => stream.retry();

// Nothing tells of a heartbeat that says nothing new, of a rate that changed without a new plan, or of proxies.
setInterval(() => {
  if (document.hidden || model.link.kind !== "live") return;
  nodes.want();
  workloads.want();
  health.want();
}, 20_000);

// A browser opens six connections to a server and no more: who is not looked at gives back that of the stream.
let hiding = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => stream.pause(), 30_000);
  } else {
    stream.resume();
    retry();
  }
});

export const refresh = { plan, plans, nodes, workloads, operations, health };
