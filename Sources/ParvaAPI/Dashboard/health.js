// Whether controller, store, planner, nodes and proxies are well.

import { pages } from "./api.js";
import { h, render } from "./dom.js";
import { refresh } from "./live.js";
import { model, watch } from "./model.js";
import { age, count, counted, words } from "./text.js";
import { byName } from "./units.js";

const SHOWN = 60;

export function healthView(root) {
  let proxies = null;
  const stop = watch((topics) => {
    if (["health", "nodes", "link", "index"].some((topic) => topics.has(topic))) update();
  });
  const timer = setInterval(() => { if (!document.hidden) read(); }, 5_000);
  read();

  async function read() {
    refresh.health.want();
    try {
      const found = [];
      await pages("/v1/proxies", "proxies", (items) => { found.push(...items); return found.length < 500; });
      proxies = found;
    } catch { /* the link itself says that nobody answers */ }
    update();
  }

  function update() {
    render(root, h("div", { class: "columns" }, controller(), nodes()), troubles(), traffic());
  }

  function line(name, state, text) {
    return [h("dt", {}, name), h("dd", {}, h("span", { class: ["badge", `is-${state}`] }, state === "ok" ? "✓ well" : state === "degraded" ? "△ degraded" : "✕ not well"), text && h("span", { class: "quiet" }, ` ${text}`))];
  }

  function controller() {
    const { readiness, fleet, index, link } = model;
    const isStoreBad = readiness?.code?.startsWith("store_");
    const planning = readiness?.planning;
    return h("section", { class: "panel", "aria-labelledby": "controller" }, h("h2", { id: "controller" }, "Controller"),
      h("dl", { class: "facts-list" },
        line("service", !readiness || link.kind === "waiting" ? "bad" : readiness.status === "ok" || readiness.status === "degraded" ? "ok" : "bad",
          link.kind === "waiting" ? link.why : index ? `version ${index.version}` : ""),
        line("store", isStoreBad ? "bad" : "ok", isStoreBad ? readiness.message : "takes writes"),
        line("planner", planning ? "degraded" : readiness?.code === "not_ready" ? "bad" : "ok",
          planning ? `${words(planning.code)}: ${planning.message} (${counted(planning.attempts, "attempt")}; ${planning.resort ? `${planning.resort} plans instead` : "the plan before stays"})` : ""),
        fleet && line("fleet", fleet.cutOff ? "bad" : "ok", fleet.cutOff ? "more than half of the nodes are silent at once: nothing is moved" : `a silent node keeps its part for ${count(fleet.graceSeconds)} s`),
        fleet?.autoApply && [h("dt", {}, "auto-apply"), h("dd", {}, `${words(fleet.autoApply.state)}: ${fleet.autoApply.message}`)],
        fleet?.holds && [h("dt", {}, "held rates"), h("dd", {}, counted(fleet.holds.count, "workload") + " planned for at a higher rate")]));
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
      : h("table", {}, h("thead", {}, h("tr", {}, ["Node", "Condition", "Why", "Since"].map((title) => h("th", { scope: "col" }, title)))),
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
      : h("table", {}, h("thead", {}, h("tr", {}, ["Proxy", "State", "Holds", "Last asked"].map((title) => h("th", { scope: "col" }, title)))),
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
