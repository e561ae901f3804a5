"""Modules of the page by themselves, in the browser: random documents, random cuts, random ways, from a seed."""

from controller import SEED, check, equal

#: Numbers from a seed (mulberry32), so that a run can be repeated.
RANDOM = """
let state = %d;
const random = () => { state = (state + 0x6d2b79f5) | 0; let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return ((t ^ (t >>> 14)) >>> 0) / 4294967296; };
const below = (most) => Math.floor(random() * most);
const one = (list) => list[below(list.length)];
"""

RENDER = """
const { h, render } = await import('/dashboard/any/dom.js');
const tree = (depth) => {
  const keys = new Set();
  return Array.from({ length: below(5) }, () => {
    if (depth === 0 || random() < 0.3) return one(['text', '<b>', '', 0, null, false]);
    const key = random() < 0.6 ? `k${below(6)}` : undefined;
    if (keys.has(key) && key) return null;
    keys.add(key);
    const props = { key, class: random() < 0.5 && one(['a', ['b', false, 'c']]), title: random() < 0.3 && one(['x', '"><i>']),
      style: random() < 0.3 ? { '--hue': String(below(3)), width: `${below(3)}%` } : undefined, hidden: random() < 0.2 };
    return [one(['div', 'p', 'span']), props, tree(depth - 1)];
  });
};
const made = (list) => list.map((one) => (Array.isArray(one) ? h(one[0], one[1], made(one[2])) : one));
const faults = [];
const place = document.createElement('div');
for (let round = 0; round < 300; round++) {
  const wanted = tree(3);
  const fresh = document.createElement('div');
  render(fresh, made(wanted));
  render(place, made(wanted));
  if (!place.isEqualNode(fresh)) faults.push(`round ${round}: ${place.innerHTML} in place of ${fresh.innerHTML}`);
}
return faults.slice(0, 1);
"""

STREAM = """
const { follow } = await import('/dashboard/any/stream.js');
const faults = [];
const given = window.fetch;
try {
  for (let round = 0; round < 40; round++) {
    // What is sent, as lines of the standard, and what is to be heard of it.
    const sent = Array.from({ length: 1 + below(6) }, (_, index) => ({
      id: String(index + 1), event: one(['plan', 'node', 'workload']), data: Array.from({ length: 1 + below(3) }, () => one(['{"a": 1}', '', 'ä€😀 : x', ':'])).join('\\n') }));
    const end = one(['\\n', '\\r\\n']);
    const lines = (one) => [random() < 0.3 ? ': still here' : null, `id: ${one.id}`, `event:${random() < 0.5 ? ' ' : ''}${one.event}`,
      ...one.data.split('\\n').map((line) => `data: ${line}`), 'other: x', ''].filter((line) => line !== null);
    const cut = below(sent.length + 1);
    const asked = [];
    const body = (list, isCutOff) => {
      const bytes = new TextEncoder().encode(list.flatMap(lines).map((line) => line + end).join('') + (isCutOff ? `id: 99${end}data: lost` : ''));
      return new ReadableStream({ start(controller) {
        for (let at = 0; at < bytes.length;) { const size = 1 + below(40); controller.enqueue(bytes.slice(at, at + size)); at += size; }
        controller.close();
      } });
    };
    window.fetch = async (path, { headers }) => {
      asked.push(headers['Last-Event-ID'] ?? null);
      const from = Number(headers['Last-Event-ID'] ?? 0);
      return new Response(asked.length === 1 ? body(sent.slice(0, cut), true) : body(sent.slice(from), false), { status: 200 });
    };
    const heard = [];
    await new Promise((done) => {
      const stream = follow('/v1/events', { onEvent: (event) => heard.push(event), onState: ({ kind }) => {
        if (kind !== 'waiting') return;
        if (asked.length === 1) queueMicrotask(() => stream.retry());
        else { stream.close(); done(); }
      } });
    });
    const [got, wanted] = [heard, sent].map((list) => JSON.stringify(list.map(({ id, event, data }) => [id, event, data])));
    const after = JSON.stringify(asked) === JSON.stringify([null, cut ? String(cut) : null]);
    if (got !== wanted || !after) faults.push(`round ${round}: ${got} in place of ${wanted}, asked after ${JSON.stringify(asked)} and not ${cut}`);
  }
} finally {
  window.fetch = given;
}
return faults.slice(0, 1);
"""

WAVES = """
const { progressOf } = await import('/dashboard/any/rollout.js');
const faults = [];
for (let round = 0; round < 300; round++) {
  const standing = new Set();
  let place = 0;
  const waves = Array.from({ length: 1 + below(6) }, () => ({ steps: Array.from({ length: 1 + below(4) }, () => {
    const step = { action: one(['create', 'destroy']), gpu: `GPU-${place % 3}`, start: place++, profileId: below(20) };
    if (step.action === 'destroy') standing.add(step);
    return step;
  }) }));
  const over = below(waves.length + 1);
  const begun = over < waves.length ? below(waves[over].steps.length) : 0;
  waves.forEach(({ steps }, index) => steps.forEach((step, order) => {
    if (index > over || (index === over && order >= begun)) return;
    if (step.action === 'create') standing.add(step);
    else standing.delete(step);
  }));
  const nodes = ['GPU-0', 'GPU-1', 'GPU-2'].map((uuid) => ({ gpus: [{ uuid, instances: [...standing].filter((one) => one.gpu === uuid) }] }));
  const got = progressOf(waves, nodes).join();
  const wanted = waves.map((_, index) => (index < over ? 'done' : index === over ? 'now' : 'ahead')).join();
  if (got !== wanted) faults.push(`round ${round}: ${got} in place of ${wanted}`);
}
return faults.slice(0, 1);
"""

REFUSALS = """
const { problemOf } = await import('/dashboard/any/api.js');
const faults = [];
const bodies = ['', 'null', '[]', '7', '"x"', '{"detail": 7}', '{"detail": null, "code": {}}', '<h1>502</h1>', '{', '\\u0000', JSON.stringify({ detail: 'x'.repeat(1e5) }),
  JSON.stringify({ detail: 'known', code: 'not_found' }), '[' .repeat(1e5)];
for (const text of bodies) {
  for (const isEndless of [false, true]) {
    let sent = 0;
    // A body that does not end is not read to its end.
    const body = new ReadableStream({ pull(controller) {
      controller.enqueue(new TextEncoder().encode(sent++ === 0 ? text : ' '.repeat(8192)));
      if (!isEndless || sent > 1000) controller.close();
    } });
    const problem = await problemOf(new Response(body, { status: 502 }));
    if (problem.message.length > 700 || !problem.message || problem.status !== 502 || sent > 50) faults.push(`${text.slice(0, 40)}: ${problem.message.slice(0, 80)} after ${sent}`);
    if (!isEndless && text.includes('known') && problem.message !== 'known') faults.push(problem.message);
  }
}
return faults.slice(0, 1);
"""

FIGURES = """
const { figure, percent, rate, seconds, age, time } = await import('/dashboard/any/text.js');
const { claim, colour } = await import('/dashboard/any/colours.js');
const faults = [];
for (let round = 0; round < 2000; round++) {
  const value = 10 ** (random() * 24 - 6);
  const read = Number(figure(value).replaceAll(',', ''));
  if (Math.abs(read - value) > Math.max(0.05 * value, 1e-9)) faults.push(`${value} reads ${figure(value)}`);
  if (!/^[0-9.,e+-]+\\/s$/.test(rate(value))) faults.push(`${value} reads ${rate(value)}`);
  const share = random() < 0.5 ? random() : 1 - 10 ** (-8 * random());
  const shown = parseFloat(percent(share));
  // What is promised is never said to be more than it is: above 99 % it is rounded down.
  if (share >= 0.99 ? shown / 100 > share + 1e-9 || shown >= 100 : Math.abs(shown / 100 - share) > 0.00501) faults.push(`${share} reads ${percent(share)}`);
}
const ids = Array.from({ length: 24 }, (_, index) => `w${index}-${below(1e6)}`);
claim(ids);
if (new Set(ids.map((id) => JSON.stringify(colour(id)))).size !== 24) faults.push('two of 24 workloads have one colour');
return faults.slice(0, 1);
"""


def scripts(room):
    for name, script in (
            ("what is drawn over something else is what would be drawn anew, for random trees", RENDER),
            ("a stream is read alike however its bytes are cut, and taken up after the last whole event", STREAM),
            ("the waves of a roll-out are told by what stands on the nodes", WAVES),
            ("a refusal is told by whatever it has, and read no further than that takes", REFUSALS),
            ("figures read as what they are, and no two workloads of a few have one colour", FIGURES)):
        with check(name):
            equal(room.page.run(f"(async () => {{ {RANDOM % SEED} {script} }})()"), [], f"faults with seed {SEED}")
