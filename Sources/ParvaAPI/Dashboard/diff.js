// Two revisions of the plan beside each other: every GPU that differs, as it was and as it is, and why.

import { ask, encoded } from "./api.js";
import { h } from "./dom.js";
import { extract, planOf } from "./history.js";
import { segmentBox, swatch } from "./strip.js";
import { count, counted, figure, rate, words } from "./text.js";

const SHOWN = 48;
const MARKS = { added: "new", removed: "gone", moved: "moved", retuned: "retuned", reloaded: "load" };

/// What made the controller plan anew, as a cause of `/v1/plans` names it.
const TRIGGERS = {
  demand: "workloads or profiles were registered, changed or removed", fleet: "nodes or GPUs came, went or were cordoned",
  rate: "a rate that had been held is followed now", schedule: "a rate goes by its schedule", start: "the controller had been started",
  rollback: "an earlier plan was brought back", release: "a plan that had been pinned was released",
};

/// Everything about the way from one revision to another; `cause` is why the later one was made, where that is known.
export async function compare(from, to, cause) {
  const [{ body: diff }, before, after] = await Promise.all([
    ask(`/v1/plans/${from}/diff/${to}`), planOf(from), planOf(to),
  ]);
  return { from, to, diff, before, after, why: reasons(extract(before), extract(after), before, after, cause) };
}

/// Why a plan is another one than before: what it is made for and on.
function reasons(old, now, before, after, cause) {
  const lines = cause && cause.after === before.revision ? told(cause) : [];
  if (before.demandRevision !== after.demandRevision) {
    lines.push({ text: `demand revision ${before.demandRevision} became ${after.demandRevision}` });
  }
  const [then, since] = [old.workloads, now.workloads];
  const rates = [];
  for (const id of new Set([...then.keys(), ...since.keys()])) {
    const [a, b] = [then.get(id), since.get(id)];
    if (!a) rates.push({ id, text: `comes, ${rate(b.load)}`, size: b.load });
    else if (!b) rates.push({ id, text: `goes, it had ${rate(a.load)}`, size: a.load });
    else if (Math.abs(a.load - b.load) > 1e-6 * Math.max(a.load, b.load)) {
      rates.push({ id, text: `${rate(a.load)} became ${rate(b.load)}`, size: Math.abs(a.load - b.load) });
    }
  }
  rates.sort((a, b) => b.size - a.size);
  lines.push(...rates.slice(0, 8));
  if (rates.length > 8) lines.push({ text: `and ${counted(rates.length - 8, "workload")} more` });
  if (before.planner !== after.planner) lines.push({ text: `planner ${before.planner} became ${after.planner}` });
  if (!lines.length) lines.push({ text: "the same demand: GPUs or nodes came, went or were bound in another way" });
  return lines;
}

/// A caller by name, and by id where that says more: two may have one name.
const asker = ({ id, name }) => (id === name ? name : `${name} (${id})`);

/// The cause that the controller keeps of a plan, in words.
export function told(cause) {
  const lines = cause.triggers.map((trigger) => ({
    text: trigger === "rollback" && cause.broughtBack ? `revision ${cause.broughtBack} was brought back` : TRIGGERS[trigger] ?? words(trigger),
  }));
  for (const [kind, text] of [["changed", "registered or changed"], ["removed", "removed"]]) {
    const names = cause[kind];
    if (names) lines.push({ text: `${counted(names.count, "workload")} ${text}: ${names.first.slice(0, 6).join(", ")}${names.count > 6 ? " and others" : ""}` });
  }
  if (cause.profiles) lines.push({ text: `${counted(cause.profiles, "model")} with new profiles` });
  if (cause.who?.length) lines.push({ text: `asked for by ${cause.who.map(asker).join(", ")}` });
  return lines;
}

/// The drawing of what `compare` found; also of a preview, which has a diff and two plans.
export function drawn({ diff, before, after }) {
  const { summary } = diff;
  const marks = { from: new Map(), to: new Map() };
  for (const { change, segment, from, to } of diff.changes) {
    if (from) marks.from.set(`${placeOf(from)} ${from.start}`, { change, segment });
    if (to) marks.to.set(`${placeOf(to)} ${to.start}`, { change, segment });
  }
  const places = new Map();
  for (const [side, plan] of [["before", before], ["after", after]]) {
    for (const gpu of plan.gpus) {
      const place = placeOf({ ...gpu, gpu: gpu.index });
      if (!places.has(place)) places.set(place, { place, gpu });
      places.get(place)[side] = gpu;
    }
  }
  const touched = [...places.values()].filter(({ place, before, after }) =>
    before?.segments.some((one) => heavy(marks.from.get(`${place} ${one.start}`)))
    || after?.segments.some((one) => heavy(marks.to.get(`${place} ${one.start}`))));
  const loads = diff.changes.filter(({ change }) => change === "reloaded").length;
  return [
    h("p", { class: "quiet" }, summary.changed === 0 ? "Nothing differs." : [
      `${counted(summary.gpusBefore, "GPU")} → ${count(summary.gpusAfter)}`, counted(summary.instancesCreated, "instance") + " made",
      `${count(summary.instancesDestroyed)} destroyed`, `${counted(summary.kept, "segment")} untouched`,
      loads && `${count(loads)} with another load only`,
    ].filter(Boolean).join(" · ")),
    unplaced("Not served any more", diff.newlyUnplaced), unplaced("Served again", diff.noLongerUnplaced),
    h("div", { class: "pairs" }, touched.slice(0, SHOWN).map(({ place, gpu, before, after }) =>
      h("div", { class: "pair", key: place },
        h("p", { class: "gpu-name" }, h("span", {}, gpu.node ? `${gpu.node} · ${gpu.uuid.slice(0, 12)}…` : `GPU ${gpu.index}`), h("span", {}, gpu.product)),
        lane("before", before, marks.from, place), lane("after", after, marks.to, place)))),
    touched.length > SHOWN && h("p", { class: "quiet" }, `and ${counted(touched.length - SHOWN, "GPU")} more that differ`),
  ];
}

const heavy = (mark) => mark && mark.change !== "reloaded";
const placeOf = ({ uuid, pool, gpu }) => uuid ?? `${pool} ${gpu}`;

function unplaced(title, list) {
  if (!list.length) return null;
  return h("div", { class: "note warn" }, h("h3", {}, title),
    h("ul", {}, list.slice(0, 20).map(({ workload, code, message }) => h("li", {}, swatch(workload), " ",
      h("a", { href: `#/workloads/${encoded(workload)}` }, workload), ` ${words(code)}: ${message}`))));
}

function lane(title, gpu, marks, place) {
  const slices = Math.max(8, ...(gpu?.segments ?? []).map((one) => one.start + one.size));
  return h("div", { class: "pair-line" }, h("span", { class: "pair-side" }, title),
    h("div", { class: ["lane", "small-lane", !gpu && "absent"], style: { "--slices": String(slices) } },
      (gpu?.segments ?? []).map((segment) => {
        const mark = marks.get(`${place} ${segment.start}`);
        const what = heavy(mark) ? MARKS[mark.change] : undefined;
        const state = title === "before" && what ? "leaving" : title === "after" && (mark?.change === "added" || mark?.change === "moved") ? "planned" : "up";
        const box = segmentBox({ segment, state, start: segment.start, size: segment.size, profile: segment.profile, workload: segment.workload }, {}, { mark: what });
        box.title = `${segment.id}: ${segment.profile}, batch ${segment.batch} × ${segment.processes}, load ${figure(segment.load)} of ${figure(segment.capacity)}/s${mark ? `, ${mark.change}` : ""}`;
        return box;
      })));
}
