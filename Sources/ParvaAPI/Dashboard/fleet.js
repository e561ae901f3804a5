// Every GPU of the fleet as its slices, by zone and node.

import { h, kept, render } from "./dom.js";
import { Inspector } from "./inspector.js";
import { isBehind, model, underWay, watch } from "./model.js";
import { setQuery } from "./route.js";
import { gpuStrip, swatch } from "./strip.js";
import { count, counted, figure, percent, words } from "./text.js";
import { grouped } from "./units.js";
import { VirtualList } from "./virtual.js";

/// Least width and height of a GPU, in pixels.
const SIZES = { large: [280, 86], medium: [128, 58], small: [64, 22] };
const GAP = 6;
const LEGEND = 18;

export function fleetView(root, query) {
  const list = h("div", { class: "fleet", key: "gpus", role: "region", "aria-label": "GPUs by zone and node" });
  const closed = new Set();
  let rows = [];
  let places = new Map();
  let measure = null;

  const virtual = new VirtualList(list, drawRow);
  const inspector = new Inspector(list, (at) => places.get(at));
  const stop = watch((topics) => {
    if (["plan", "nodes", "colours"].some((topic) => topics.has(topic))) update();
    else if (["health", "workloads", "operations"].some((topic) => topics.has(topic))) dress();
  });
  const observer = new ResizeObserver(() => layout());
  list.addEventListener("keydown", walk);

  function sizeOf() {
    const asked = query.get("size") ?? "";
    if (Object.hasOwn(SIZES, asked)) return asked;
    return gpus <= 24 ? "large" : gpus <= 400 ? "medium" : "small";
  }

  let zones = [];
  let gpus = 0;
  function update() {
    zones = grouped(model);
    gpus = zones.reduce((sum, zone) => sum + zone.sum.gpus, 0);
    dress();
    observer.observe(list);
    layout();
  }

  /// Everything but the GPUs themselves.
  function dress() {
    render(root, header(), gpus ? legend() : empty(), kept(list));
  }

  /// Which rows there are, and how high each is at this width.
  function layout() {
    const width = list.clientWidth;
    if (!width) return;
    const size = sizeOf();
    const isWide = width >= 720;
    const [least, height] = SIZES[size];
    const room = width - (isWide ? 190 : 0);
    const most = Math.max(1, Math.floor((room + GAP) / (Math.min(least, room) + GAP)));
    measure = { size, isWide, height, most };
    const find = (query.get("find") ?? "").trim().toLowerCase();
    rows = [];
    places = new Map();
    for (const zone of zones) {
      const nodes = find ? zone.nodes.filter((node) => matches(node, find)) : zone.nodes;
      if (!nodes.length) continue;
      const isOpen = !closed.has(zone.zone);
      rows.push({ zone, isOpen, height: 48 });
      if (!isOpen) continue;
      for (const entry of nodes) {
        const columns = columnsFor(entry.gpus.length);
        const lines = Math.max(1, Math.ceil(entry.gpus.length / columns));
        const head = isWide ? 0 : 30;
        const own = Math.max(isWide ? 46 : 0, head + lines * height + (lines - 1) * GAP);
        rows.push({ entry, columns, height: own + 18 });
      }
    }
    virtual.update(rows.length, (index) => rows[index].height);
    openDoor();
  }

  /// As many GPUs side by side as there is room for; a node of eight in two rows of four rather than five and three.
  function columnsFor(gpus) {
    if (gpus <= measure.most) return measure.size === "large" ? Math.max(gpus, Math.min(measure.most, 2)) : Math.max(gpus, Math.min(8, measure.most));
    for (const divisor of [8, 4, 2]) if (gpus % divisor === 0 && divisor <= measure.most) return divisor;
    return measure.most;
  }

  function matches({ name, gpus }, find) {
    return name.toLowerCase().includes(find) || gpus.some((gpu) =>
      gpu.uuid?.toLowerCase().includes(find) || gpu.cells.some((cell) => cell.workload?.includes(find)));
  }

  function drawRow(index) {
    const row = rows[index];
    return row.zone ? drawZone(row, index) : drawNode(row, index);
  }

  function drawZone({ zone, isOpen }, index) {
    const { sum } = zone;
    const parts = [
      counted(sum.nodes, "node"), `${count(sum.used)} of ${counted(sum.gpus, "GPU")} used`,
      sum.out && `${count(sum.out)} left out`, sum.silent && `${counted(sum.silent, "node")} not heard`,
      sum.simulated && (sum.simulated === sum.nodes ? "all simulated" : `${count(sum.simulated)} simulated`),
    ].filter(Boolean);
    return h("div", { class: "row zone-row", key: `zone ${zone.zone ?? ""}` },
      h("h2", {}, h("button", {
        class: "zone", type: "button", "aria-expanded": String(isOpen),
        onclick: () => {
          if (isOpen) closed.add(zone.zone);
          else closed.delete(zone.zone);
          layout();
        },
      }, h("span", { class: "twist", "aria-hidden": "true" }), zone.title)),
      h("p", { class: "zone-sum" }, parts.join(" · ")),
      h("div", { class: "meter", "aria-hidden": "true" }, h("span", { style: { width: `${(100 * sum.used) / Math.max(1, sum.gpus)}%` } })));
  }

  function drawNode({ entry, columns }, index) {
    const { name, node, gpus } = entry;
    const lit = query.get("workload");
    const find = (query.get("find") ?? "").trim().toLowerCase();
    const isLit = lit ? (cell) => cell.workload === lit
      : find ? (cell, unit) => cell.workload?.includes(find) || unit.uuid?.toLowerCase().includes(find) || name.toLowerCase().includes(find)
      : undefined;
    return h("div", { class: ["row", "node-row", measure.isWide ? "wide" : "narrow", node && `node-${node.state}`], key: `node ${name}` },
      h("div", { class: "node-name" },
        h("h3", {}, name),
        h("p", {}, node ? nodeText(node) : "not registered")),
      h("div", { class: "gpus", style: { "--columns": String(columns), "--height": `${measure.height}px` } },
        gpus.map((unit, number) => {
          const at = `${index}.${number}`;
          unit.cells.forEach((cell, order) => places.set(`${at}.${order}`, { cell, unit }));
          return gpuStrip(unit, { size: measure.size, isLit, at });
        })));
  }

  function nodeText(node) {
    const troubles = node.conditions.filter((one) => !["Ready", "Schedulable"].includes(one.type) && one.status === "False");
    return [
      h("span", { class: `state-${node.state}` }, node.state),
      node.simulated && h("span", { class: "tag" }, "simulated"),
      troubles.slice(0, 1).map((one) => h("span", { class: "trouble", title: one.message }, words(one.reason))),
    ];
  }

  function header() {
    const plan = model.plan?.summary;
    const states = {};
    for (const { state } of model.workloads.values()) states[state] = (states[state] ?? 0) + 1;
    const short = (states.partial ?? 0) + (states.unserved ?? 0);
    const rollout = underWay();
    return h("section", { class: "facts", "aria-label": "The fleet in figures" },
      fact("GPUs in the plan", plan ? count(plan.gpuCount) : "–", plan?.lowerBound != null
        ? (plan.gap ? `at least ${figure(plan.lowerBound)} are needed` : "proven: fewer do not suffice")
        : model.nodes.size ? `of ${count(gpus)}` : "no bound was asked for"),
      fact("GPUs there", model.nodes.size ? count(gpus) : "none", model.nodes.size
        ? counted(model.nodes.size, "node") : "no node is registered"),
      fact("slices idle", plan ? percent(plan.externalFragmentation, 1) : "–", "of the GPUs in use"),
      fact("capacity unused", plan ? percent(plan.internalSlack, 1) : "–", "of the segments"),
      fact("workloads", model.reading.isDone || model.reading.count ? count(model.workloads.size) : "–",
        !model.reading.isDone ? "being read …"
        : short ? h("a", { href: "#/workloads?state=short" }, `${count(short)} short of their rate`)
        : states.planned || states.pending ? `${count((states.planned ?? 0) + (states.pending ?? 0))} not applied yet` : "all served",
        short ? "bad" : ""),
      rollout ? fact("roll-out", words(rollout.status), h("a", { href: "#/plan" }, "how it goes"), "busy")
      : isBehind() ? fact("nodes", "behind", h("a", { href: "#/plan" }, "apply the plan"), "busy") : null);
  }

  const fact = (name, value, note, tone) => h("div", { class: ["fact", tone] },
    h("p", { class: "fact-name" }, name), h("p", { class: "fact-value" }, value), h("p", { class: "fact-note" }, note));

  let ranked = { plan: null, ids: [] };
  /// The workloads with most slices, worked out once for each plan.
  function largest() {
    if (ranked.plan !== model.plan) {
      const sizes = [...model.segments].map(([id, all]) => [id, all.reduce((sum, { segment }) => sum + segment.size, 0)]);
      sizes.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
      ranked = { plan: model.plan, ids: sizes.slice(0, LEGEND).map(([id]) => id) };
    }
    return [...ranked.ids];
  }

  function legend() {
    const lit = query.get("workload");
    const shown = largest();
    if (lit && !shown.includes(lit)) shown.unshift(lit);
    return h("section", { class: "tools", "aria-label": "What is drawn" },
      h("div", { class: "tool-line" },
        h("label", { class: "find" }, h("span", { class: "unseen" }, "Find a workload, node or UUID"),
          h("input", {
            type: "search", placeholder: "Find a workload, node or UUID", value: query.get("find") ?? "",
            oninput: (event) => { setQuery({ find: event.target.value }); layout(); },
          })),
        h("div", { class: "choice", role: "group", "aria-label": "Size of the drawing" },
          ["large", "medium", "small"].map((size) => h("button", {
            type: "button", "aria-pressed": String(sizeOf() === size),
            onclick: () => { setQuery({ size }); update(); },
          }, size)))),
      h("div", { class: "legend" },
        shown.map((id) => h("button", {
          type: "button", class: "chip", key: id, "aria-pressed": String(lit === id),
          onclick: () => { setQuery({ workload: lit === id ? null : id }); update(); },
        }, swatch(id), id)),
        model.segments.size > LEGEND && h("span", { class: "quiet" }, `and ${counted(model.segments.size - LEGEND, "workload")} more`)),
      h("ul", { class: "keys" },
        [["up", "runs"], ["stands", "stands, change not applied"], ["planned", "planned"], ["leaving", "leaves"], ["silent", "not heard"], ["foreign", "not made by Parva"], ["free", "free"]]
          .map(([state, text]) => h("li", {}, h("span", { class: ["seg", "key", state, "bare"], "aria-hidden": "true" }), text))));
  }

  function empty() {
    if (!model.plan && !model.hasNodes) return h("p", { class: "quiet" }, "Reading the fleet …");
    return h("section", { class: "empty" },
      h("h2", {}, "No GPU to show yet"),
      h("p", {}, "Plans are drawn as soon as there is a workload, and real GPUs as soon as a node registers."),
      h("pre", {}, `curl ${location.origin}/v1/workloads -d '{"id": "mine", "model": "resnet50", "rate": 2000, "slo": {"latencyMs": 100}}'\n`
        + `parva node run --controller ${location.origin} --simulate dgx-a100 --insecure`),
      h("p", {}, h("a", { href: "#/try" }, "Try a workload here"), " and see what it would take, with nothing stored."));
  }

  /// One stop of the Tab key; arrows go from segment to segment and from GPU to GPU.
  function walk(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: "down", ArrowUp: "up", Home: "first", End: "last" };
    const step = steps[event.key];
    const at = event.target.closest("[data-at]")?.dataset.at;
    if (step === undefined || !at || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [row, gpu, order] = at.split(".").map(Number);
    if (typeof step === "number") return go(along(row, gpu, order, step));
    if (step === "first" || step === "last") {
      const begin = step === "first" ? 0 : rows.length - 1;
      return go(nextRow(begin, step === "first" ? 1 : -1, 0));
    }
    // Within a node by its lines, then to the next node.
    const columns = rows[row].columns;
    const wanted = gpu + (step === "down" ? columns : -columns);
    const inside = rows[row].entry.gpus[wanted];
    if (inside?.cells.length) return go([row, wanted, 0]);
    return go(nextRow(row + (step === "down" ? 1 : -1), step === "down" ? 1 : -1, gpu % columns));
  }

  function along(row, gpu, order, step) {
    for (;;) {
      const gpus = rows[row].entry.gpus;
      order += step;
      if (gpus[gpu].cells[order]) return [row, gpu, order];
      gpu += step;
      while (gpus[gpu] && !gpus[gpu].cells.length) gpu += step;
      if (gpus[gpu]) return [row, gpu, step > 0 ? 0 : gpus[gpu].cells.length - 1];
      const next = nextRow(row + step, step, step > 0 ? 0 : Infinity);
      if (!next) return null;
      return step > 0 ? next : [next[0], next[1], rows[next[0]].entry.gpus[next[1]].cells.length - 1];
    }
  }

  /// The nearest GPU with something on it in the next row that has one.
  function nextRow(row, step, column) {
    for (; rows[row]; row += step) {
      const used = rows[row].entry?.gpus.map((gpu, number) => [gpu, number]).filter(([gpu]) => gpu.cells.length) ?? [];
      if (!used.length) continue;
      used.sort((a, b) => Math.abs(a[1] - Math.min(column, 999)) - Math.abs(b[1] - Math.min(column, 999)));
      return [row, used[0][1], 0];
    }
    return null;
  }

  function go(place) {
    if (!place) return;
    virtual.reveal(place[0]);
    tabStop(place.join("."))?.focus({ preventScroll: true });
  }

  let stopAt = null;
  function tabStop(at) {
    stopAt = at;
    list.querySelectorAll('[data-at][tabindex="0"]').forEach((one) => one.setAttribute("tabindex", "-1"));
    const element = list.querySelector(`[data-at="${CSS.escape(at)}"]`);
    element?.setAttribute("tabindex", "0");
    return element;
  }

  list.addEventListener("focusin", (event) => {
    const at = event.target.closest("[data-at]")?.dataset.at;
    if (at) tabStop(at);
  });
  /// Somewhere the Tab key must be able to come in: where it was last, if that is still drawn.
  function openDoor() {
    if (list.querySelector('[data-at][tabindex="0"]')) return;
    const door = (stopAt && list.querySelector(`[data-at="${CSS.escape(stopAt)}"]`)) ?? list.querySelector("[data-at]");
    door?.setAttribute("tabindex", "0");
  }
  const door = new MutationObserver(openDoor);
  door.observe(list, { childList: true, subtree: true });

  update();
  return () => {
    stop();
    virtual.close();
    inspector.close();
    observer.disconnect();
    door.disconnect();
  };
}
