// One workload: what it asks for, has, was promised and is seen to get, where it stands, and how that came about.

import { ask, encoded } from "./api.js";
import { stepChart } from "./chart.js";
import { factList, h, render, tableHead } from "./dom.js";
import { history } from "./history.js";
import { Inspector, observedShare, promised } from "./inspector.js";
import { model, watch } from "./model.js";
import { gpuStrip, swatch } from "./strip.js";
import { age, count, counted, figure, milliseconds, percent, rate, time, words } from "./text.js";
import { unitsOf } from "./units.js";
import { badge, capacityBar } from "./workloads.js";

export function workloadView(root, id) {
  let resource = null;
  let endpoints = null;
  let failure = null;
  let isReading = false;
  let isWanted = false;
  const cells = new Map();

  const stop = watch((topics) => {
    if (topics.has("workloads") || topics.has("plan") || topics.has("nodes")) read();
    if (topics.has("history") || topics.has("plans") || topics.has("nodes") || topics.has("plan")) update();
  });
  const inspector = new Inspector(root, (at) => cells.get(at));
  const observer = new ResizeObserver(() => update());
  observer.observe(root);
  const timer = setInterval(() => { if (!document.hidden) read(); }, 10_000);

  async function read() {
    if (isReading) {
      isWanted = true;
      return;
    }
    isReading = true;
    try {
      resource = (await ask(`/v1/workloads/${encoded(id)}`)).body;
      failure = null;
      endpoints = (await ask(`/v1/workloads/${encoded(id)}/endpoints`)).body.endpoints;
    } catch (problem) {
      // Right after a start nobody knows the servers yet; the workload itself is known.
      if (resource === null || problem.status === 404) failure = problem;
    }
    isReading = false;
    if (isWanted) {
      isWanted = false;
      read();
    }
    update();
  }

  function update() {
    if (failure) return render(root, h("section", { class: "empty" }, h("h2", {}, "There is no such workload"), h("p", {}, failure.message), h("a", { href: "#/workloads" }, "All workloads")));
    if (!resource) return render(root, h("p", { class: "quiet" }, "Reading …"));
    render(root, head(), h("div", { class: "columns" }, promise(), asked()), where(), servers(), conditions(), past());
  }

  function head() {
    const { status } = resource;
    return h("section", { class: "workload-head" },
      h("p", {}, swatch(id), " ", badge(status.state), status.code && h("span", {}, ` · ${words(status.code)}`),
        status.message && h("span", { class: "quiet" }, ` · ${status.message}`)),
      h("a", { class: "button", href: `#/try?change=${encoded(id)}` }, "Try another rate"));
  }

  function promise() {
    const { status, rate: constant, slo } = resource;
    const { observed, rate: wanted = constant } = status;
    const bar = (name, capacity) => [h("dt", {}, name), h("dd", {}, capacity === null ? "not known yet" : [capacityBar({ rate: wanted, up: capacity }), h("span", { class: "quiet" }, rate(capacity))])];
    const isMissed = observed && observed.withinSloAtMost != null && observed.withinSloAtMost < (slo.percentile ?? 0.99);
    return h("section", { class: "panel", "aria-labelledby": "promised" }, h("h2", { id: "promised" }, "Promised and seen"),
      h("dl", { class: "facts-list" },
        bar("planned capacity", status.capacityPlanned), bar("capacity that runs", status.capacityUp),
        h("dt", {}, "promised in time"), h("dd", {}, promised(id)),
        h("dt", {}, "seen in time"), h("dd", { class: isMissed ? "is-bad" : "" }, observedShare(observed)),
        observed && [
          h("dt", {}, "seen rate"), h("dd", {}, `${rate(observed.rate)}, ${count(observed.requests)} requests in ${figure(observed.seconds)} s, ${count(observed.failed)} failed`),
          h("dt", {}, "seen latency"), h("dd", {}, `half within ${milliseconds(observed.p50Ms)}, 99 of 100 within ${milliseconds(observed.p99Ms)}`),
        ]),
      !observed && h("p", { class: "quiet" }, "What is seen comes from proxies: ", h("code", {}, "parva serve --observe URL"), " names their statistics."));
  }

  function asked() {
    const { model: name, rate: wanted, schedule, slo, arrivals, priority, queue, status, labels, placement, revision, updatedAt } = resource;
    const rows = [
      ["model", name], ["rate", schedule ? `${rate(status.rate)} now, ${rate(wanted)} outside its schedule` : rate(wanted)],
      status.nextRate && ["next rate", `${rate(status.nextRate.rate)} from ${time(status.nextRate.at)}`],
      ["objective", `${percent(slo.percentile ?? 0.99)} of requests within ${milliseconds(slo.latencyMs)}`],
      ["arrivals", arrivals ? `${arrivals.process}${arrivals.cv2 ? `, cv² ${figure(arrivals.cv2)}` : ""}${arrivals.trace ? ` ${arrivals.trace}` : ""}` : "poisson"],
      ["queue", words(queue ?? status.queue)], priority ? ["priority", String(priority)] : null,
      placement && ["placement", JSON.stringify(placement)],
      ["last change", `revision ${revision}, ${time(updatedAt)}`],
    ].filter(Boolean);
    return h("section", { class: "panel", "aria-labelledby": "asked" }, h("h2", { id: "asked" }, "Asked for"),
      factList(rows),
      schedule && h("table", {}, h("caption", {}, "Schedule: the first row whose time it is counts, else the row of a cron whose time came last"), tableHead(["Days", "From", "To", "Time zone", "Rate"]),
        h("tbody", {}, schedule.map((row, number) => h("tr", { key: String(number) },
          ...(row.cron ? [h("td", { colspan: "3" }, h("code", {}, row.cron))]
            : [h("td", {}, row.days.length === 7 ? "all" : row.days.map((day) => day.slice(0, 3)).join(" ")), h("td", {}, row.from), h("td", {}, row.to)]),
          h("td", {}, row.timeZone), h("td", {}, rate(row.rate)))))),
      labels && Object.keys(labels).length > 0 && h("ul", { class: "legend" }, Object.entries(labels).map(([key, value]) => h("li", { class: "tag" }, `${key}=${value}`))));
  }

  function where() {
    const own = model.segments.get(id) ?? [];
    const units = unitsOf(model, id);
    cells.clear();
    return h("section", { class: "panel", "aria-labelledby": "where" },
      h("h2", { id: "where" }, own.length ? counted(own.length, "segment") : "Segments"),
      own.length === 0 ? h("p", { class: "quiet" }, "The plan gives it none.") : [
        h("div", { class: "gpus tiles", style: { "--height": "78px" } }, units.slice(0, 24).map((unit, number) => h("div", { key: unit.key },
          h("p", { class: "quiet tile-name" }, unit.node?.name ?? "not bound"),
          (unit.cells.forEach((cell, order) => cells.set(`${number}.${order}`, { cell, unit })),
          gpuStrip(unit, { size: "large", isLit: (cell) => cell.workload === id, at: String(number) }))))),
        h("table", {}, h("caption", { class: "unseen" }, "Segments"),
          tableHead(["Segment", "Instance", "Batch × processes", "Load of capacity", "Where"]),
          h("tbody", {}, own.slice(0, 100).map(({ segment, gpu }) => h("tr", { key: segment.id },
            h("th", { scope: "row" }, segment.id), h("td", {}, segment.profile), h("td", {}, `${segment.batch} × ${segment.processes}`),
            h("td", {}, `${figure(segment.load)} of ${rate(segment.capacity)}`), h("td", {}, gpu.node ? `${gpu.node}, ${gpu.uuid}` : `GPU ${gpu.index} of ${gpu.pool}`))))),
      ]);
  }

  function servers() {
    if (!endpoints?.length) return null;
    return h("section", { class: "panel", "aria-labelledby": "servers" }, h("h2", { id: "servers" }, "Endpoints"),
      h("table", {}, tableHead(["Address", "State", "Weight", "Segment", "Since"]),
        h("tbody", {}, endpoints.slice(0, 100).map((endpoint) => h("tr", { key: `${endpoint.uuid} ${endpoint.ordinal}` },
          h("th", { scope: "row" }, `${endpoint.address}${endpoint.port ? `:${endpoint.port}` : ""}`),
          h("td", {}, h("span", { class: `is-${endpoint.state === "gone" ? "failed" : endpoint.state}` }, endpoint.state), endpoint.reason && ` · ${words(endpoint.reason)}`),
          h("td", {}, count(endpoint.weight)), h("td", {}, endpoint.segment ?? "–"), h("td", {}, age(endpoint.since)))))));
  }

  function conditions() {
    const list = resource.status.conditions ?? [];
    return list.length > 0 && h("section", { class: "panel", "aria-labelledby": "conditions" }, h("h2", { id: "conditions" }, "Conditions"),
      h("table", {}, tableHead(["Condition", "Holds", "Why", "Since"]),
        h("tbody", {}, list.map(({ type, status, message, since }) => h("tr", { key: type },
          h("th", { scope: "row" }, type), h("td", {}, h("span", { class: `is-${status}` }, status === "True" ? "yes" : status === "False" ? "no" : "not known")),
          h("td", {}, message), h("td", {}, age(since)))))));
  }

  function past() {
    const points = history().filter((record) => record.extract).map((record) => {
      const own = record.extract.workloads.get(id);
      return { ...record, values: [own?.capacity ?? 0, own?.load ?? 0] };
    });
    return points.length > 0 && h("section", { class: "panel", "aria-labelledby": "past" }, h("h2", { id: "past" }, "History"),
      stepChart({
        points, width: Math.max(280, root.clientWidth - 40), unit: "/s", label: "Planned capacity and load of each revision",
        series: [{ name: "capacity planned", tone: "one", isFilled: true }, { name: "rate planned for", tone: "two" }],
      }));
  }

  read();
  update();
  return () => {
    stop();
    inspector.close();
    observer.disconnect();
    clearInterval(timer);
  };
}
