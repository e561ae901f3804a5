// The plan over time, what its last revision changed, any two revisions beside each other, and the way to it.

import { ask, encoded } from "./api.js";
import { stepChart } from "./chart.js";
import { act, confirmed, toast } from "./dialogs.js";
import { compare, drawn, told } from "./diff.js";
import { factList, h, render } from "./dom.js";
import { isLarge, records } from "./history.js";
import { refresh } from "./live.js";
import { model, watch } from "./model.js";
import { rolloutPanel } from "./rollout.js";
import { setQuery } from "./route.js";
import { swatch } from "./strip.js";
import { count, figure, percent, time, words } from "./text.js";

export function planView(root, query) {
  let compared = null;
  let wanted = "";
  let failure = null;
  /// Two plans of a large fleet are compared for who asks for it.
  let isAsked = query.has("from") || query.has("to");
  const stop = watch((topics) => {
    if (["plan", "plans", "operations", "nodes", "rights", "rollout", "workloads", "health"].some((one) => topics.has(one))) update();
  });
  const observer = new ResizeObserver(() => update());
  observer.observe(root);

  function update() {
    const known = records();
    compareAsked(known);
    render(root, facts(), known.length ? chart(known) : null, rolloutPanel(), known.length ? difference(known) : null);
  }

  function facts() {
    const { plan } = model;
    if (!plan) return h("section", { class: "empty" }, h("h2", {}, "No plan yet"), h("p", {}, "The first one is made as soon as the controller has begun."));
    const { summary } = plan;
    const rows = [
      ["revision", `${plan.revision}, for demand revision ${plan.demandRevision}`],
      ["result", `${plan.status}; planner ${plan.planner}`],
      ["capacity", `${words(plan.admission)}${plan.margin ? `, ${percent(plan.margin)} in reserve` : ""}; profiles ${summary.profileSource}`],
      ["slices", `${count(summary.allocatedSlices)} compute slices in use, ${percent(summary.externalFragmentation, 1)} idle`],
      summary.cost != null && ["cost", figure(summary.cost)], summary.watts != null && ["power", `${figure(summary.watts)} W`],
      plan.unplaced.length > 0 && ["left out", h("a", { href: "#/workloads?state=unserved" }, `${count(plan.unplaced.length)} workloads`)],
    ].filter(Boolean);
    return h("section", { class: "panel", "aria-labelledby": "plan-now", key: "now" },
      h("header", {}, h("h2", { id: "plan-now" }, "The plan now"),
        h("p", { class: "headline" }, h("strong", {}, count(summary.gpuCount)), summary.gpuCount === 1 ? " GPU" : " GPUs",
          summary.lowerBound != null && h("span", { class: "quiet" }, ` · at least ${figure(summary.lowerBound)} are needed`
            + (summary.gap === 0 || Math.ceil(summary.lowerBound - 1e-6) >= summary.gpuCount ? ", proven: fewer do not suffice" : "")))),
      factList(rows), pinned());
  }

  /// A plan that stays until somebody releases it: who wonders why nothing follows is told.
  function pinned() {
    const pin = model.fleet?.pin;
    return [
      pin && h("p", { class: "note warn", key: "pin" }, `Revision ${pin.revision} is pinned since ${time(pin.since)}: ${pin.reason}. Nothing is planned until it is released.`),
      model.rights.mayChange && h("div", { class: "actions", key: "pin-actions" },
        pin ? button("Release", () => ask("/v1/plan/pin", { method: "DELETE" }), "Plans follow the demand again.")
        : button("Pin this plan", (reason) => ask("/v1/plan/pin", { method: "POST", body: { reason } }), "Nothing is planned until it is released.",
          ["Pin this plan?", "Changes of workloads and nodes are taken, and wait until it is released."])),
    ];
  }

  const button = (text, action, news, question) => h("button", {
    type: "button", key: text,
    onclick: (event) => act(event.currentTarget, async () => {
      const reason = !question || await confirmed(...question, text, { reason: "Why, for whoever sees it" });
      if (!reason) return;
      await action(reason);
      for (const reading of [refresh.plan, refresh.plans, refresh.health]) reading.want();
      toast(news);
    }),
  }, text);

  function chart(known) {
    return h("section", { class: "panel", "aria-labelledby": "over-time", key: "chart" },
      h("h2", { id: "over-time" }, "GPUs over the revisions"),
      stepChart({
        width: Math.max(280, root.clientWidth - 40), label: "GPUs of each revision and the least that are needed",
        series: [{ name: "GPUs planned", tone: "one", isFilled: true }, { name: "proven lower bound", tone: "two" }],
        points: known.map((record) => ({ ...record, values: [record.gpuCount, record.lowerBound] })),
      }));
  }

  /// Asks for the two revisions of the address; without any, the newest and the one before.
  function compareAsked(known) {
    const newest = known.at(-1)?.revision;
    const to = Number(query.get("to")) || newest;
    const from = Number(query.get("from")) || [...known].reverse().find((one) => one.revision < to)?.revision;
    const now = `${from} ${to}`;
    if (!from || !to || now === wanted || (isLarge() && !isAsked)) return;
    wanted = now;
    compare(from, to, known.find((one) => one.revision === to)?.cause).then(
      (result) => { if (wanted === now) { compared = result; failure = null; update(); } },
      (problem) => {
        if (wanted !== now) return;
        failure = problem;
        update();
        // Nobody answered: with the next news it is asked for again.
        if (problem.status === undefined) wanted = "";
      });
  }

  function difference(known) {
    const choose = (name, chosen) => h("label", { class: "pick" }, h("span", {}, name === "from" ? "From " : "to "),
      h("select", { name, onchange: (event) => { setQuery({ [name]: event.target.value }); isAsked = true; update(); } },
        known.slice().reverse().map(({ revision, createdAt }) => h("option", {
          value: String(revision), selected: revision === chosen,
        }, `revision ${revision} · ${time(createdAt)}`))));
    const isLast = !query.get("from") && !query.get("to");
    return h("section", { class: "panel", "aria-labelledby": "changes", key: "diff" },
      h("header", {}, h("h2", { id: "changes" }, isLast ? "What the last revision changed" : "What differs"),
        h("div", { class: "actions" }, choose("from", compared?.from), choose("to", compared?.to),
          model.rights.mayChange && compared && compared.from < known.at(-1).revision && bringBack(compared.from),
          !isLast && h("button", { type: "button", class: "small", onclick: () => { setQuery({ from: null, to: null }); update(); } }, "The last change"))),
      failure ? h("p", { class: "note bad" }, failure.message)
      : !compared && isLarge() && !isAsked ? [
        why(told(known.at(-1).cause ?? { triggers: [] })),
        h("button", { type: "button", onclick: () => { isAsked = true; update(); } }, "Compare GPU by GPU"),
      ]
      : !compared ? h("p", { class: "quiet" }, known.length < 2 ? "This is the first plan: there is none to compare it with." : "Reading both …")
      : [why(compared.why), drawn(compared)]);
  }

  const why = (lines) => lines.length > 0 && h("div", { class: "note" }, h("h3", {}, "Why"), h("ul", {}, lines.map(({ id, text }) =>
    h("li", {}, id && [swatch(id), " ", h("a", { href: `#/workloads/${encoded(id)}` }, id), " "], text))));

  const bringBack = (revision) => button(`Bring back revision ${revision}`,
    (reason) => ask(`/v1/plans/${revision}/rollback`, { method: "POST", body: { reason } }), `Revision ${revision} is the plan again, and pinned.`,
    [`Bring back revision ${revision}?`, "It is published as a new revision and pinned; nodes get it when it is applied."]);

  update();
  return () => {
    stop();
    observer.disconnect();
  };
}
