// Keeps the model true: reads it once, and then what the streams of events say has changed.

import { token } from "./api.js";
import {
  changed, loadHealth, loadIndex, loadNode, loadNodes, loadOperation, loadOperations, loadPlan, loadPlans, loadWorkload,
  loadWorkloads, model,
} from "./model.js";
import { follow } from "./stream.js";

/// Between two readings of a list that is large: so many times what one took, so that they take a hundredth of the time.
const SHARE = 100;

/// Reads once more whenever it is wanted, one at a time; what is large so seldom that it takes a small share of the time.
class Reading {
  constructor(load, { least = 100, isLarge = () => false } = {}) {
    Object.assign(this, { load, least, isLarge, isRunning: false, isWanted: false, free: 0 });
  }

  want() {
    if (this.isRunning) {
      this.isWanted = true;
      return;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), Math.max(0, this.free - Date.now()));
  }

  async run() {
    if (this.isRunning) return this.want();
    this.isRunning = true;
    this.isWanted = false;
    const began = Date.now();
    try {
      await this.load();
    } catch (error) {
      if (error.status === undefined) lost(error);
    }
    const took = Date.now() - began;
    this.free = Date.now() + (this.isLarge() ? took * SHARE : Math.min(1000, Math.max(this.least, took)));
    this.isRunning = false;
    if (this.isWanted) this.want();
  }
}

/// What was named by events, read together after a moment: one by one while they are few, else the whole list.
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
    if (names.length > this.most) this.whole.want();
    else await Promise.allSettled(names.map((name) => this.load(name)));
    this.timer = this.names.size ? setTimeout(() => this.flush(), 120) : undefined;
  }
}

const plan = new Reading(loadPlan);
let firstNodes = () => {};
const nodes = new Reading(() => loadNodes(firstNodes), { isLarge: () => model.nodes.size > 200 });
const workloads = new Reading(loadWorkloads, { isLarge: () => model.workloads.size > 2000 });
const operations = new Reading(loadOperations);
const plans = new Reading(loadPlans);
const health = new Reading(loadHealth, { least: 500 });
const index = new Reading(loadIndex);
const someNodes = new Names(loadNode, nodes, 8);
const someWorkloads = new Names(loadWorkload, workloads, 8);
const someOperations = new Names(loadOperation, operations, 4);

let streams = [];
const MOST_EVENTS = 500;

let generation = 0;

function planned(event) {
  plan.want();
  // The stream begins with the plan that there is, and all of that is being read already.
  if (Number(event.id) === model.plan?.revision || model.plan === null) return;
  plans.want();
  workloads.want();
  health.want();
}

/// Everything anew, and the streams with it: at the start, and after somebody has signed in.
export function begin() {
  for (const stream of streams) stream.close();
  Object.assign(model.rights, { mayChange: true, isSignedIn: token() !== null, isRefused: false, said: null, caller: null });
  model.link.streams = {};
  // First the stream, so that nothing is missed between what is read and what comes.
  for (const reading of [nodes, workloads]) reading.free = 0;
  streams = [open("events", "/v1/events", heard)];
  const own = (generation += 1);
  // That of plans begins with the newest one, which would be asked for at once: it comes after the first picture.
  all().then(() => {
    if (own === generation) streams.push(open("plan", "/v1/plan/events", planned));
  });
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
  return drawn;
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

function open(name, path, onEvent) {
  return follow(path, {
    onEvent,
    onState(state) {
      const before = model.link.streams[name]?.kind;
      model.link.streams[name] = state;
      // What happened between two connections came with no event where the controller was another one.
      if (state.kind === "live" && model.link.wasLost && before === "connecting") {
        model.link.wasLost = false;
        all();
      }
      settle();
    },
  });
}

/// The worst of the streams is what the page says of its link.
function settle() {
  const states = Object.values(model.link.streams);
  const kind = ["refused", "waiting", "connecting", "paused", "live"].find((one) => states.some((state) => state.kind === one));
  const waiting = states.find((state) => state.kind === "waiting");
  if (kind === "waiting" || (kind === "connecting" && model.link.wasLost)) {
    model.link.wasLost = true;
    model.link.since ??= Date.now();
  } else {
    model.link.since = undefined;
  }
  if (waiting) Object.assign(model.link, { until: waiting.until, why: waiting.why });
  if (kind === "live") model.link.heard = Date.now();
  model.link.kind = kind ?? "connecting";
  changed("link");
}

function lost(error) {
  model.link.why = error.message;
}

export function retry() {
  for (const stream of streams) stream.retry();
}

// Nothing tells of a heartbeat that says nothing new, of a rate that changed without a new plan, or of proxies.
setInterval(() => {
  if (document.hidden || model.link.kind !== "live") return;
  nodes.want();
  workloads.want();
  health.want();
}, 20_000);

// A browser opens six connections to a server and no more: who is not looked at gives back those of the streams.
let hiding = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => streams.forEach((stream) => stream.pause()), 30_000);
  } else {
    streams.forEach((stream) => stream.resume());
    retry();
  }
});

export const refresh = { plan, plans, nodes, workloads, operations, health };
