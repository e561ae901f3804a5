// Plans that were: read once each, since a revision never changes, and kept as what charts and workloads need of them.

import { changed, model, readPlan } from "./model.js";

const MOST = 24;
/// Beyond so many GPUs only the newest revision is read by itself: each is megabytes, and work for the controller.
const LARGE = 600;
const KEPT = 6;

const extracts = new Map();
const documents = new Map();
let isReading = false;

/// Whether a plan is so large that none is read unless somebody asks for it.
export const isLarge = () => (model.plan?.gpus.length ?? 0) > LARGE;

/// The plan of a revision, whole.
export async function planOf(revision) {
  if (model.plan?.revision === revision) return model.plan;
  const known = documents.get(revision);
  if (known) return known;
  const { body: plan } = await readPlan(`/v1/plans/${revision}`);
  documents.set(revision, plan);
  if (documents.size > (isLarge() ? 1 : KEPT)) documents.delete(documents.keys().next().value);
  extracts.set(revision, extract(plan));
  return plan;
}

export function extract(plan) {
  const workloads = new Map();
  for (const gpu of plan.gpus) {
    for (const segment of gpu.segments) {
      const own = workloads.get(segment.workload) ?? { load: 0, capacity: 0, segments: 0 };
      own.load += segment.load;
      own.capacity += segment.capacity;
      own.segments++;
      workloads.set(segment.workload, own);
    }
  }
  return {
    gpuCount: plan.summary.gpuCount, lowerBound: plan.summary.lowerBound, cost: plan.summary.cost, watts: plan.summary.watts,
    planner: plan.planner, unplaced: plan.unplaced, workloads,
    places: new Set(plan.gpus.map((gpu) => `${gpu.node ?? ""} ${gpu.uuid ?? gpu.pool}`)),
  };
}

/// What is known of a revision; null until it is read.
export const extractOf = (revision) => extracts.get(revision) ?? null;

/// The records of the newest plans, oldest first.
export const records = () => model.plans.slice(0, MOST).reverse();

/// The records, each with its extract as far as it is read; the rest is read now.
export function history() {
  const newest = records();
  readMissing(newest);
  return newest.map((record) => ({ ...record, extract: extractOf(record.revision) }));
}

async function readMissing(records) {
  if (isReading) return;
  isReading = true;
  try {
    const most = isLarge() ? 1 : MOST;
    for (const { revision } of records.slice(-most).reverse()) {
      if (extracts.has(revision)) continue;
      if (model.plan?.revision === revision) extracts.set(revision, extract(model.plan));
      else await planOf(revision);
      changed("history");
    }
  } catch (problem) {
    // A plan that is no longer kept is none; everything else is tried again with the next change.
    if (problem.status === 404) model.plans = model.plans.filter((one) => one.revision > records[0].revision);
  } finally {
    isReading = false;
  }
}
