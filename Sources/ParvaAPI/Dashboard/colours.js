// A workload has one colour everywhere. Twelve hues in two depths; who comes to a taken one gets the next that is free.

const HUES = 12;
const SLOTS = HUES * 2;
const taken = new Set();
const slots = new Map();

/// FNV-1a, 32 bits.
function hash(text) {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value;
}

/// Gives colours to all workloads there are, in order of name: the same everywhere, whichever view comes first. Who has one keeps it.
/// The answer is whether somebody got one.
export function claim(ids) {
  const before = slots.size;
  for (const id of [...ids].sort()) {
    if (slots.has(id)) continue;
    const wanted = hash(id) % SLOTS;
    let slot = wanted;
    // Hues far from each other first: five steps are 150 degrees.
    for (let tries = 0; tries < SLOTS && taken.has(slot); tries++) slot = (slot + 5) % SLOTS;
    if (taken.size >= SLOTS) slot = wanted;
    taken.add(slot);
    slots.set(id, slot);
  }
  return slots.size > before;
}

/// Custom properties of an element that shows the workload.
export function colour(id) {
  const slot = slots.get(id) ?? hash(id) % SLOTS;
  return { "--hue": String((slot % HUES) * 30 + 20), "--deep": slot < HUES ? "0" : "1" };
}
