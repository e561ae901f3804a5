// The frame: where one is, what the link to the controller is worth, and who is signed in.

import { activityView } from "./activity.js";
import { onRefusal, setToken, token } from "./api.js";
import { askForToken, toast } from "./dialogs.js";
import { h, render, say } from "./dom.js";
import { fleetView } from "./fleet.js";
import { healthView } from "./health.js";
import { begin, retry } from "./live.js";
import { changed, model, watch } from "./model.js";
import { planView } from "./plan.js";
import { enter, here } from "./route.js";
import { seconds } from "./text.js";
import { tryView } from "./try.js";
import { workloadView } from "./workload.js";
import { workloadsView } from "./workloads.js";

/// Every view there is, in the order of the menu.
const VIEWS = {
  fleet: ["Fleet", fleetView], workloads: ["Workloads", workloadsView], plan: ["Plan", planView], try: ["Try", tryView],
  activity: ["Activity", activityView], health: ["Health", healthView],
};

const main = document.getElementById("main");
const top = document.getElementById("top");
let leave = () => {};
let shown = null;

function show() {
  const { parts, query } = enter();
  const name = VIEWS[parts[0]] ? parts[0] : "fleet";
  const [title, view] = VIEWS[name];
  const item = parts.slice(1).join("/");
  leave();
  render(main);
  const root = h("div", { class: ["view", `view-${name}`] });
  main.append(root);
  root.append(h("h1", { class: item ? "" : "unseen", key: "title" }, item || title));
  const place = h("div", {});
  root.append(place);
  document.title = `${item || title} · Parva`;
  leave = (name === "workloads" && item ? workloadView(place, item) : view(place, query, item)) ?? (() => {});
  scrollTo(0, 0);
  // The reader of a screen is told of the new place; at the very first the page itself is the news.
  if (shown !== null) main.focus({ preventScroll: true });
  shown = name;
  frame();
}

function frame() {
  const name = VIEWS[here().parts[0]] ? here().parts[0] : "fleet";
  render(top,
    h("a", { class: "brand", href: "#/fleet" }, h("span", { class: "mark", "aria-hidden": "true" }, h("i"), h("i"), h("i")), "Parva"),
    h("nav", { "aria-label": "Views" }, Object.entries(VIEWS).map(([key, [title]]) =>
      h("a", { href: `#/${key}`, "aria-current": key === name && "page" }, title))),
    h("div", { class: "status" }, link(), rights(), theme()));
}

const LINKS = {
  live: ["live", "Live"], connecting: ["busy", "Connecting"], waiting: ["bad", "Disconnected"], paused: ["quiet", "Paused"],
  refused: ["bad", "Not signed in"],
};

function link() {
  const { kind, since, until, why } = model.link;
  const isLost = kind === "waiting" || (kind === "connecting" && since);
  const [tone, text] = isLost ? LINKS.waiting : LINKS[kind] ?? LINKS.connecting;
  const rest = isLost && until > Date.now() ? `, again in ${Math.ceil((until - Date.now()) / 1000)} s` : "";
  return h("div", { class: ["link", tone], title: isLost ? why : undefined },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", {}, text, isLost && h("span", { class: "more" }, ` for ${seconds((Date.now() - since) / 1000)}: what is shown is old${rest}`)),
    isLost && h("button", { type: "button", class: "small", onclick: retry }, "Now"));
}

function rights() {
  if (model.rights.isRefused) return h("button", { type: "button", class: "small", onclick: signIn }, "Sign in");
  if (!token()) return null;
  return [
    model.rights.caller && h("span", { class: "caller quiet" }, `${model.rights.caller.name}, ${model.rights.caller.role}`),
    !model.rights.mayChange && h("span", { class: "tag", title: model.rights.said }, "reads only"),
    h("button", { type: "button", class: "small", onclick: signOut }, "Sign out"),
  ];
}

function theme() {
  const now = localStorage.getItem("parva-theme") ?? "auto";
  const next = { auto: "light", light: "dark", dark: "auto" }[now];
  return h("button", {
    type: "button", class: "small theme", "aria-label": `Colours: ${now}. Change to ${next}`, title: `Colours: ${now}`,
    onclick: () => {
      localStorage.setItem("parva-theme", next);
      dress();
      frame();
    },
  }, { auto: "◐", light: "☀", dark: "☾" }[now]);
}

function dress() {
  const now = localStorage.getItem("parva-theme") ?? "auto";
  document.documentElement.dataset.theme = now;
}

async function signIn() {
  const given = await askForToken(model.rights.said);
  if (!given) return;
  setToken(given);
  begin();
  show();
}

function signOut() {
  setToken(null);
  location.reload();
}

onRefusal(
  (problem) => {
    if (model.rights.isRefused) return;
    Object.assign(model.rights, { isRefused: true, said: problem.message });
    changed("rights");
    signIn();
  },
  (problem, wasChange) => {
    // A list that may not be read is asked for again and again, and said once.
    if (!wasChange && model.rights.said === problem.message) return;
    model.rights.said = problem.message;
    if (wasChange) model.rights.mayChange = false;
    changed("rights");
    toast(`${problem.message}${wasChange ? " What would change something is hidden from now on." : ""}`, "bad");
  });

watch((topics) => {
  if (topics.has("link") || topics.has("rights")) frame();
});

// How long the link has been lost is news every second; while it is live nothing is drawn.
let said = "";
setInterval(() => {
  const isLost = model.link.since !== undefined;
  document.body.classList.toggle("stale", isLost);
  if (isLost) frame();
  const now = isLost ? "Disconnected from the controller. What is shown is old." : model.link.kind === "live" ? "Live." : "";
  if (now && now !== said && !(said === "" && now === "Live.")) say(now);
  said = now || said;
}, 1000);

dress();
addEventListener("hashchange", show);
begin();
show();
