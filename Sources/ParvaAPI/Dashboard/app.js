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
import { enter, here, turn } from "./route.js";
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

/// The view of an address; one that names none is the fleet.
const nameOf = (parts) => (Object.hasOwn(VIEWS, parts[0] ?? "") ? parts[0] : "fleet");

function show() {
  const { parts, query } = enter();
  const position = turn(scrollY);
  const name = nameOf(parts);
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
  scrollTo(0, position);
  // The reader of a screen is told of the new place; at the very first the page itself is the news.
  if (shown !== null) main.focus({ preventScroll: true });
  shown = name;
  frame();
}

function frame() {
  const name = nameOf(here().parts);
  render(top,
    h("a", { class: "brand", href: "#/fleet" }, h("span", { class: "mark", "aria-hidden": "true" }, h("i"), h("i"), h("i")), "Parva"),
    h("nav", { "aria-label": "Views" }, Object.entries(VIEWS).map(([key, [title]]) =>
      h("a", { href: `#/${key}`, "aria-current": key === name && "page" }, title))),
    h("div", { class: "status" }, link(), rights(), theme()));
}

const LINKS = {
  live: ["live", "Live"], connecting: ["busy", "Connecting"], waiting: ["bad", "Disconnected"], paused: ["quiet", "Paused"],
  refused: ["bad", "Not signed in"], forbidden: ["bad", "No right to read"], unread: ["bad", "Live in part"],
};

function link() {
  const { kind, since, until, why, unread } = model.link;
  const isLost = kind === "waiting" || (kind === "connecting" && since);
  const [tone, text] = LINKS[isLost ? "waiting" : kind === "live" && unread ? "unread" : kind === "refused" && token() ? "forbidden" : kind];
  const now = performance.now();
  const rest = isLost && until > now ? `, again in ${Math.ceil((until - now) / 1000)} s` : "";
  const more = isLost ? ` for ${seconds((now - since) / 1000)}: what is shown is old${rest}` : text === LINKS.unread[1] ? `: ${unread}` : "";
  return h("div", { class: ["link", tone], title: isLost ? why : undefined },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", {}, text, more && h("span", { class: "more" }, more)),
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

/// Each choice of colours with its sign, in the order in which the button goes through them.
const THEMES = { auto: "◐", light: "☀", dark: "☾" };
const THEME_KEY = "parva-theme";
let colours = "auto";

function theme() {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(colours) + 1) % names.length];
  return h("button", {
    type: "button", class: "small theme", "aria-label": `Colours: ${colours}. Change to ${next}`, title: `Colours: ${colours}`,
    onclick: () => {
      dress(next);
      frame();
    },
  }, THEMES[colours]);
}

/// - Parameter wanted: nothing for what was chosen before, where the browser keeps that.
function dress(wanted) {
  try {
    if (wanted) localStorage.setItem(THEME_KEY, wanted);
    wanted ??= localStorage.getItem(THEME_KEY);
  } catch { /* it holds for this page alone */ }
  colours = Object.hasOwn(THEMES, wanted ?? "") ? wanted : "auto";
  document.documentElement.dataset.theme = colours;
}

async function signIn() {
  const given = await askForToken(model.rights.said);
  if (!given) return;
  setToken(given);
  // What was shown to another token is not for this one: nothing of it stays.
  if (model.hasNodes || model.plan) return location.reload();
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
// The address is where one is: this link must not write to it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
history.scrollRestoration = "manual";
addEventListener("hashchange", show);
begin();
show();
