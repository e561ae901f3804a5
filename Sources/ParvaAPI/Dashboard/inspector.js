// What a segment is, beside it: by pointer and by focus. It can be pointed at itself, and Escape takes it away (WCAG 1.4.13).

import { ask, encoded } from "./api.js";
import { h, render } from "./dom.js";
import { model } from "./model.js";
import { swatch } from "./strip.js";
import { figure, milliseconds, percent, rate, words } from "./text.js";
import { STATES } from "./units.js";

const observations = new Map();
const FRESH = 10_000;

/// What proxies counted of a workload, asked for at most every ten seconds; null where nothing is observed.
export async function observedOf(id) {
  const known = observations.get(id);
  if (known && performance.now() - known.at < FRESH) return known.value;
  try {
    const { body } = await ask(`/v1/workloads/${encoded(id)}`);
    observations.set(id, { at: performance.now(), value: body.status.observed ?? null });
  } catch {
    observations.set(id, { at: performance.now(), value: null });
  }
  if (observations.size > 500) observations.delete(observations.keys().next().value);
  return observations.get(id).value;
}

/// The share of requests that finish in time, as the plan promises it.
export function promised(id) {
  const workload = model.workloads.get(id);
  const share = workload?.percentile ?? 0.99;
  const within = workload ? ` within ${milliseconds(workload.latencyMs)}` : "";
  const plan = model.plan;
  if (plan?.admission !== "certified") return `${percent(share)} asked${within}; ${plan?.admission ?? "the rule"} certifies none`;
  return `≥ ${percent(share)}${within}${plan.margin ? `, ${percent(plan.margin)} in reserve` : ""}`;
}

export function observedShare(observed) {
  if (!observed) return "not observed";
  if (observed.withinSloAtLeast === null || observed.withinSloAtLeast === undefined) return "no requests";
  const [least, most] = [percent(observed.withinSloAtLeast, 1), percent(observed.withinSloAtMost, 1)];
  return least === most ? least : `${least} to ${most}`;
}

export class Inspector {
  /// - Parameter find: the cell and its GPU that an element with `data-at` draws.
  constructor(root, find) {
    this.find = find;
    this.box = h("div", { class: "tip", role: "dialog", "aria-label": "Segment", hidden: true });
    document.body.append(this.box);
    this.end = new AbortController();
    const { signal } = this.end;
    const cellOf = (event) => event.target.closest?.("[data-at]");
    root.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch") return;
      const cell = cellOf(event);
      if (cell) this.soon(() => this.show(cell), 60);
    }, { signal });
    root.addEventListener("pointerout", (event) => {
      if (cellOf(event)) this.soon(() => this.isPinned || this.hide(), 250);
    }, { signal });
    this.box.addEventListener("pointerenter", () => clearTimeout(this.timer), { signal });
    this.box.addEventListener("pointerleave", () => this.soon(() => this.isPinned || this.hide(), 250), { signal });
    root.addEventListener("focusin", (event) => {
      const cell = cellOf(event);
      if (cell?.matches(":focus-visible")) this.show(cell);
    }, { signal });
    root.addEventListener("focusout", (event) => {
      if (cellOf(event) && !this.isPinned) this.hide();
    }, { signal });
    root.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) this.show(cell, true);
    }, { signal });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.box.hidden) {
        const back = this.isPinned && this.box.contains(document.activeElement) ? this.cell : null;
        this.hide();
        back?.focus();
      }
    }, { signal });
    addEventListener("scroll", () => {
      if (!this.box.hidden && this.cell.isConnected && this.cell === document.activeElement) this.put(this.cell);
      else this.hide();
    }, { signal, passive: true });
    addEventListener("pointerdown", (event) => {
      if (this.isPinned && !this.box.contains(event.target) && !cellOf(event)) this.hide();
    }, { signal });
  }

  close() {
    this.end.abort();
    clearTimeout(this.timer);
    this.box.remove();
  }

  soon(action, wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(action, wait);
  }

  hide() {
    clearTimeout(this.timer);
    this.isPinned = false;
    this.box.hidden = true;
  }

  show(element, isPinned = false) {
    clearTimeout(this.timer);
    const found = this.find(element.dataset.at);
    if (!found) return this.hide();
    Object.assign(this, { cell: element, isPinned });
    this.fill(found, undefined);
    this.box.hidden = false;
    this.put(element);
    if (isPinned && found.cell.workload) this.box.querySelector("a")?.focus({ preventScroll: true });
    if (found.cell.workload) {
      const at = element.dataset.at;
      observedOf(found.cell.workload).then((observed) => {
        if (this.box.hidden || this.cell.dataset.at !== at) return;
        this.fill(found, observed);
        this.put(element);
      });
    }
  }

  fill({ cell, unit }, observed) {
    const { segment, workload } = cell;
    const seen = observed?.segments?.find((one) => one.id === segment?.id);
    const rows = [
      ["state", STATES[cell.state]],
      ["instance", `${cell.profile} at ${cell.start}${segment ? ` · batch ${segment.batch} × ${segment.processes} MPS` : ""}`],
      segment && ["load", `${figure(segment.load)} of ${rate(segment.capacity)} (${percent(segment.load / segment.capacity)})`],
      segment && ["certified", promised(workload)],
      segment && ["observed", observed === undefined ? "…" : observedShare(observed) + (seen ? ` at ${rate(seen.rate)}` : "")],
      ["GPU", `${unit.name}, ${unit.product}`],
      ["UUID", unit.uuid ?? "not bound to a GPU yet"],
      unit.node && ["node", `${unit.node.name}${unit.node.zone ? ` in ${unit.node.zone}` : ""} · ${unit.node.state}${unit.node.simulated ? " · simulated" : ""}`],
      unit.reason && ["left out", `${words(unit.reason)}${unit.message ? `: ${unit.message}` : ""}`],
    ].filter(Boolean);
    render(this.box,
      h("p", { class: "tip-title" }, workload && swatch(workload),
        workload ? h("a", { href: `#/workloads/${encoded(workload)}` }, segment?.id ?? workload) : STATES[cell.state]),
      h("dl", {}, rows.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])));
  }

  put(element) {
    const at = element.getBoundingClientRect();
    const own = this.box.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - own.width - 8));
    const below = at.bottom + 6 + own.height < innerHeight - 8;
    const top = below ? at.bottom + 6 : Math.max(8, at.top - own.height - 6);
    this.box.style.left = `${left}px`;
    this.box.style.top = `${top}px`;
  }
}
