// Whether controller, store, planner, nodes and proxies are well.

import { ask, pages } from "./api.js";
import { h, render, tableHead } from "./dom.js";
import { refresh } from "./live.js";
import { model, watch } from "./model.js";
import { age, count, counted, figure, milliseconds, words } from "./text.js";
import { byName } from "./units.js";

const SHOWN = 60;
/// Milliseconds between two looks, and between two at the metrics, which a large fleet makes dear.
const LOOK = 5_000;
const METRICS = 15_000;
const BADGES = { ok: "✓ well", degraded: "△ degraded", bad: "✕ not well", Unknown: "? not known" };
/// Whether this controller has said that there are others: what it says in trouble tells nothing of them.
let isReplica = false;

/// Values of Prometheus' text, those of a family added up.
function sums(text) {
  const values = new Map();
  for (const row of text.split("\n")) {
    if (!/^(process|parva_store|parva_planning)_/.test(row)) continue;
    const name = row.slice(0, row.search(/[{ ]/));
    values.set(name, (values.get(name) ?? 0) + Number(row.slice(row.lastIndexOf(" ") + 1)));
  }
  return values;
}

const joined = (parts) => parts.filter(Boolean).join(" · ");
const megabytes = (bytes) => `${figure(bytes / 1e6)}\u202fMB`;

/// - Parameter badge: in place of what the state is called. Of what is not known nothing else is said.
function line(name, state, text, badge) {
  if (!badge && state === "Unknown") text = "";
  return [h("dt", {}, name), h("dd", {}, h("span", { class: ["badge", `is-${state}`] }, badge ?? BADGES[state]), text && h("span", { class: "quiet" }, ` ${text}`))];
}

export function healthView(root) {
  let proxies = null;
  let figures = null;
  let measured = -METRICS;
  const stop = watch((topics) => {
    if (["health", "nodes", "link", "index"].some((topic) => topics.has(topic))) update();
  });
  const timer = setInterval(() => { if (!document.hidden) read(); }, LOOK);
  read();

  async function read() {
    refresh.health.want();
    try {
      const found = [];
      await pages("/v1/proxies", "proxies", (proxy) => found.push(proxy), () => found.length < 500);
      proxies = found;
      if (performance.now() < measured + METRICS) return;
      measured = performance.now();
      figures = sums((await ask("/metrics", { isText: true })).body);
    } catch { /* the link itself says that nobody answers */ } finally {
      update();
    }
  }

  function update() {
    render(root, h("div", { class: "columns" }, controller(), nodes()), troubles(), traffic());
  }

  function controller() {
    const { readiness, fleet, index, link } = model;
    const isLost = link.kind === "waiting";
    const isStoreBad = readiness?.code?.startsWith("store_");
    const planning = readiness?.planning;
    const state = (isBad, well = "ok") => (isLost || !readiness ? "Unknown" : isBad ? "bad" : well);
    return h("section", { class: "panel", "aria-labelledby": "controller" }, h("h2", { id: "controller" }, "Controller"),
      h("dl", { class: "facts-list" },
        line("service", isLost ? "bad" : state(readiness?.status === "not ready"),
          isLost ? link.why : readiness?.code ? readiness.message : joined([index && `version ${index.version}`, process()])),
        replicas(state),
        line("store", state(isStoreBad), isStoreBad ? readiness.message : joined(["takes writes", store()])),
        line("planner", state(readiness?.code === "not_ready", planning ? "degraded" : "ok"), planning
          ? `${words(planning.code)}: ${planning.message} (${counted(planning.attempts, "attempt")}; ${planning.resort ? `${planning.resort} plans instead` : "the plan before stays"})`
          : plannings()),
        fleet && line("fleet", state(fleet.cutOff), fleet.cutOff ? "more than half of the nodes are silent at once: nothing is moved" : `a silent node keeps its part for ${count(fleet.graceSeconds)} s`),
        fleet?.pin && line("plan", "degraded", `pinned at revision ${fleet.pin.revision}: ${fleet.pin.reason}`, "pinned"),
        fleet?.autoApply && [h("dt", {}, "auto-apply"), h("dd", {}, `${words(fleet.autoApply.state)}: ${fleet.autoApply.message}`)],
        fleet?.holds && [h("dt", {}, "held rates"), h("dd", {}, counted(fleet.holds.count, "workload") + " planned for at a higher rate")]));
  }

  /// Which of several controllers has answered, and how old what it knows is.
  function replicas(state) {
    const replica = model.readiness?.replica;
    isReplica ||= Boolean(replica) || /^(copy_|not_leader|endpoints_too_old)/.test(model.readiness?.code ?? "");
    if (!isReplica) {
      return line("replicas", "Unknown", "there is this controller alone: while it is away nothing is planned, and nodes go on with what they run", "–");
    }
    if (!replica) return line("replicas", state(true), model.readiness?.message);
    const { role, leader, term, stalenessSeconds: old } = replica;
    return line("replicas", state(false, leader ? "ok" : "degraded"), joined([
      role === "leader" ? `this one leads, in term ${count(term)}` : leader ? `this one follows ${leader}, which leads in term ${count(term)}` : "none leads at the moment: changes wait",
      old !== null && `what it knows is at most ${milliseconds(1000 * old)} old`,
    ]));
  }

  function process() {
    const start = figures?.get("process_start_time_seconds");
    return start && `up for ${age(new Date(start * 1000)).replace(" ago", "")}, ${megabytes(figures.get("process_resident_memory_bytes"))} of memory`;
  }

  function store() {
    const size = figures?.get("parva_store_size_bytes");
    const failures = figures?.get("parva_store_commit_failures_total");
    return size && joined([
      megabytes(size), mean("parva_store_commit_duration_seconds", "commit"),
      failures > 0 && `${counted(failures, "batch", "batches")} not stored since the start`,
    ]);
  }

  const plannings = () => joined([mean("parva_planning_duration_seconds", "planning"),
    figures?.get("parva_planning_failures_total") > 0 && `${count(figures.get("parva_planning_failures_total"))} without a plan`]);

  /// How often something was done since the start, and how long it took.
  function mean(name, what) {
    const times = figures?.get(`${name}_count`);
    return times > 0 && `${counted(times, what)}, ${milliseconds((1000 * figures.get(`${name}_sum`)) / times)} on average`;
  }

  function nodes() {
    const states = Object.entries(model.fleet?.nodes ?? {});
    const sum = states.reduce((all, [, number]) => all + number, 0);
    return h("section", { class: "panel", "aria-labelledby": "nodes" }, h("h2", { id: "nodes" }, "Nodes"),
      sum === 0 ? [h("p", {}, "No node is registered. Start an agent where the GPUs are:"), h("pre", {}, `parva node run --controller ${location.origin}`)]
      : h("ul", { class: "counts" }, states.filter(([, number]) => number).map(([state, number]) => h("li", {}, h("strong", { class: `state-${state}` }, count(number)), ` ${state}`))));
  }

  function troubles() {
    const list = [...model.nodes.values()].sort((a, b) => byName(a.name, b.name)).flatMap((node) =>
      node.conditions.filter((one) => !(node.state === "ready" && one.status === "Unknown")).map((condition) => ({ node, ...condition })));
    const faults = [...model.nodes.values()].flatMap((node) => (node.faults ?? []).map((fault) => ({ node, ...fault })));
    return h("section", { class: "panel", "aria-labelledby": "troubles" }, h("h2", { id: "troubles" }, "What is not well on nodes"),
      list.length + faults.length === 0 ? h("p", { class: "quiet" }, model.nodes.size ? "Nothing: every condition of every node holds." : "There is no node to look at.")
      : h("table", {}, tableHead(["Node", "Condition", "Why", "Since"]),
        h("tbody", {}, list.slice(0, SHOWN).map(({ node, type, status, message, since }) => h("tr", { key: `${node.name} ${type}` },
          h("th", { scope: "row" }, node.name), h("td", { class: `is-${status}` }, `${type}: ${status === "False" ? "no" : "not known"}`), h("td", {}, message), h("td", {}, age(since)))),
        faults.slice(0, SHOWN).map(({ node, gpu, xid, count: number, last }) => h("tr", {}, h("th", { scope: "row" }, node.name),
          h("td", { class: "is-bad" }, `XID ${xid}`), h("td", {}, `${counted(number, "time")} on ${gpu}`), h("td", {}, age(last))))),
        list.length > SHOWN && h("tfoot", {}, h("tr", {}, h("td", { colspan: "4" }, `and ${count(list.length - SHOWN)} more`)))));
  }

  function traffic() {
    return h("section", { class: "panel", "aria-labelledby": "proxies" }, h("h2", { id: "proxies" }, "Proxies"),
      !proxies ? h("p", { class: "quiet" }, "Reading …")
      : proxies.length === 0 ? [h("p", { class: "quiet" }, "No Envoy asks this controller where the servers are. Its configuration is made by:"), h("pre", {}, `parva export envoy-bootstrap --controller ${location.origin}`)]
      : h("table", {}, tableHead(["Proxy", "State", "Holds", "Last asked"]),
        h("tbody", {}, proxies.slice(0, SHOWN).map((proxy) => h("tr", { key: proxy.id }, h("th", { scope: "row" }, proxy.id),
          h("td", {}, h("span", { class: `is-${proxy.state}` }, proxy.state)),
          h("td", {}, proxy.subscriptions.map((one) => one.refused ? h("p", { class: "is-bad" }, `refuses ${one.type}: ${one.message ?? one.refused}`) : null), counted(proxy.subscriptions.length, "subscription")),
          h("td", {}, age(proxy.lastSeen)))))));
  }

  update();
  return () => {
    stop();
    clearInterval(timer);
  };
}
