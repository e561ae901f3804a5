// GPUs as they are drawn: what a node's driver shows beside what the plan wants there, grouped by zone and node.

/// What a segment's drawing says; the pattern of each is in views.css.
export const STATES = {
  up: "runs", stands: "stands, not applied as planned", planned: "planned, does not stand yet", leaving: "stands, not planned",
  foreign: "not made by Parva", silent: "node not heard",
};

const SILENT = new Set(["unreachable", "lost", "pending"]);

/// Zones with nodes with GPUs, in order of name; what the plan has on no known node comes last.
export function grouped(model) {
  const zones = new Map();
  const seen = new Set();
  const names = [...model.nodes.keys()].sort(byName);
  for (const name of names) {
    const node = model.nodes.get(name);
    const gpus = node.gpus.map((gpu) => {
      seen.add(gpu.uuid);
      return unit(node, gpu, model.planned.get(gpu.uuid), model.plan !== null);
    });
    zoneOf(zones, node.zone).nodes.push({ name, node, gpus });
  }
  const unbound = new Map();
  for (const planned of model.plan?.gpus ?? []) {
    if (planned.uuid && seen.has(planned.uuid)) continue;
    const name = planned.node ?? planned.pool;
    if (!unbound.has(name)) unbound.set(name, []);
    unbound.get(name).push(unit(null, null, planned, true));
  }
  const result = [...zones.values()].sort((a, b) => byName(a.zone, b.zone));
  if (unbound.size) {
    const nodes = [...unbound].map(([name, gpus]) => ({ name, node: null, gpus }));
    // While no node is registered these are all there is, and nothing is wrong with them.
    result.push({ zone: null, title: model.nodes.size ? "Planned on nodes that are gone" : "Planned, with no node yet", nodes });
  }
  for (const zone of result) total(zone);
  return result;
}

/// The GPUs on which a workload has something, or is to have it. O(GPUs), without drawing the others.
export function unitsOf(model, workload) {
  const units = [];
  const seen = new Set();
  const wants = (planned) => planned?.segments.some((one) => one.workload === workload);
  for (const node of model.nodes.values()) {
    for (const gpu of node.gpus) {
      seen.add(gpu.uuid);
      const planned = model.planned.get(gpu.uuid);
      if (wants(planned) || gpu.instances.some((one) => one.workload === workload)) units.push(unit(node, gpu, planned, model.plan !== null));
    }
  }
  for (const planned of model.plan?.gpus ?? []) {
    if (!seen.has(planned.uuid) && wants(planned)) units.push(unit(null, null, planned, true));
  }
  return units.sort((a, b) => byName(a.node?.name ?? "", b.node?.name ?? "") || a.index - b.index);
}

export const byName = (a, b) => a.localeCompare(b, "en", { numeric: true });

function zoneOf(zones, zone) {
  if (!zones.has(zone)) zones.set(zone, { zone, title: zone === "" ? "No zone" : zone, nodes: [] });
  return zones.get(zone);
}

function total(zone) {
  const sum = { nodes: zone.nodes.length, gpus: 0, used: 0, out: 0, silent: 0, simulated: 0 };
  for (const { node, gpus } of zone.nodes) {
    if (node && SILENT.has(node.state)) sum.silent++;
    if (node?.simulated) sum.simulated++;
    for (const gpu of gpus) {
      sum.gpus++;
      if (gpu.cells.length) sum.used++;
      if (gpu.reason) sum.out++;
    }
  }
  zone.sum = sum;
}

/// One GPU: `cells` are what stands and what is to stand, by place; `isTwofold` where these differ. Before the plan
/// has come, what stands simply stands.
function unit(node, gpu, planned, isPlanKnown) {
  const cells = [];
  const isSilent = node !== null && SILENT.has(node.state);
  const left = [...(gpu?.instances ?? [])];
  for (const segment of planned?.segments ?? []) {
    const at = left.findIndex((one) => one.owned && one.start === segment.start && one.profileId === segment.profileId);
    let state = "planned";
    if (at >= 0) {
      left.splice(at, 1);
      state = isSilent ? "silent" : node.matchesPlan === false ? "stands" : "up";
    }
    cells.push({ segment, state, start: segment.start, size: segment.size, profile: segment.profile, workload: segment.workload });
  }
  let isTwofold = false;
  for (const one of left) {
    const state = !one.owned ? "foreign" : isPlanKnown ? "leaving" : isSilent ? "silent" : "up";
    cells.push({
      segment: null, state, start: one.start, size: one.size, profile: one.profile, workload: one.workload ?? null, uuid: one.uuid,
    });
    isTwofold ||= cells.some((cell) => cell.segment && cell.start < one.start + one.size && one.start < cell.start + cell.size);
  }
  cells.sort((a, b) => a.start - b.start || (a.segment ? 1 : -1));
  const end = cells.reduce((most, cell) => Math.max(most, cell.start + cell.size), 0);
  return {
    uuid: gpu?.uuid ?? planned?.uuid ?? null, index: gpu?.index ?? planned?.index,
    key: gpu?.uuid ?? planned?.uuid ?? `plan-${planned?.index}`,
    name: gpu ? `GPU ${gpu.index}` : `GPU ${planned.index} of the plan`,
    product: gpu?.product ?? planned?.product, slices: Math.max(gpu?.memorySlices ?? 8, end, 1),
    reason: gpu && !gpu.usable ? gpu.reason : null, message: gpu?.message, node, cells, isTwofold,
  };
}
