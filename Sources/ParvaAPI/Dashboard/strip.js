// One GPU drawn to scale: every memory slice has the same width, a segment as many as it takes.

import { colour } from "./colours.js";
import { h } from "./dom.js";
import { figure, percent, words } from "./text.js";
import { STATES } from "./units.js";

/// - Parameters: `size` large, medium or small; `isLit` tells which cells stand out where some do.
export function gpuStrip(unit, { size = "medium", isLit, at } = {}) {
  return h("div", {
    class: ["gpu", size, unit.reason && "out", unit.isTwofold && "twofold"], role: "group", key: unit.key,
    "aria-label": `${unit.name}, ${unit.product}${unit.reason ? `, left out: ${words(unit.reason)}` : ""}, ${free(unit)}`,
  },
  size !== "small" && h("div", { class: "gpu-name", "aria-hidden": "true" },
    h("span", {}, unit.name),
    unit.reason ? h("span", { class: "why", title: unit.message }, words(unit.reason)) : h("span", { class: "load" }, loadOf(unit))),
  h("div", { class: "lane", style: { "--slices": String(unit.slices) } },
    unit.cells.map((cell, index) => segmentBox(cell, unit, { size, isLit, at: at && `${at}.${index}` }))));
}

function loadOf(unit) {
  const sum = unit.cells.reduce((all, { segment }) => segment ? [all[0] + segment.load, all[1] + segment.capacity] : all, [0, 0]);
  return sum[1] ? percent(sum[0] / sum[1]) : "free";
}

function free(unit) {
  const used = unit.cells.reduce((sum, cell) => sum + (cell.state === "leaving" ? 0 : cell.size), 0);
  return used ? `${Math.max(0, unit.slices - used)} of ${unit.slices} memory slices free` : "free";
}

export function segmentBox(cell, unit, { size = "medium", isLit, at, mark } = {}) {
  const { segment, state } = cell;
  const name = cell.workload ?? (state === "foreign" ? "foreign" : "no longer planned");
  return h(at ? "button" : "div", {
    class: ["seg", state, cell.workload ? "of" : "bare", isLit && (isLit(cell, unit) ? "lit" : "dim"), mark && `mark-${mark}`],
    style: { "grid-column": `${cell.start + 1} / span ${cell.size}`, ...(cell.workload ? colour(cell.workload) : {}) },
    type: at && "button", tabindex: at && "-1", "data-at": at, key: `${cell.start}-${cell.size}-${segment ? "p" : "i"}`,
    "aria-label": at && describe(cell, unit),
  },
  size !== "small" && h("span", { class: "seg-name" }, name),
  size === "large" && h("span", { class: "seg-what" },
    segment ? `${cell.profile} · b${segment.batch}×${segment.processes}` : cell.profile),
  mark && h("span", { class: "seg-mark" }, mark));
}

/// All that the drawing says, as a sentence.
export function describe({ segment, state, workload, profile }, unit) {
  const place = `${unit.name}${unit.node ? ` of ${unit.node.name}` : ""}${unit.node?.simulated ? ", simulated" : ""}`;
  if (!segment) return `${workload ?? profile}, ${profile}, ${STATES[state]}, ${place}`;
  return `${segment.id}, ${profile}, ${STATES[state]}, load ${figure(segment.load)} of ${figure(segment.capacity)} requests per second, ${place}`;
}

/// A small square in the colour of a workload.
export const swatch = (id) => h("span", { class: "swatch", style: colour(id), "aria-hidden": "true" });
