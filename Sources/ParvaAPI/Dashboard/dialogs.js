// What stands before the page: asking for a token, asking whether one means it, and short news.

import { h, say } from "./dom.js";

function open(content, className) {
  const dialog = h("dialog", { class: className }, content);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/// The token that somebody typed, or null.
export function askForToken(why) {
  if (document.querySelector("dialog.sign-in")) return Promise.resolve(null);
  return new Promise((resolve) => {
    let answer = null;
    const field = h("input", {
      id: "token", type: "password", autocomplete: "off", required: true, minlength: "8", spellcheck: "false",
      // What no field of a request can carry would look like a controller that is gone.
      pattern: "\\s*[!-~]+\\s*", title: "letters, digits and signs without accents or spaces",
    });
    const dialog = open(h("form", {
      method: "dialog",
      onsubmit: () => { answer = field.value.trim(); },
    },
    h("h2", { id: "sign-in-title" }, "This controller asks who you are"),
    why && h("p", { class: "quiet" }, why),
    h("label", { for: "token" }, "Token"), field,
    h("p", { class: "quiet" }, "It is kept for this tab only, and gone when you close it."),
    h("div", { class: "actions" },
      h("button", { type: "submit", class: "primary" }, "Sign in"),
      h("button", { type: "button", onclick: () => dialog.close() }, "Not now"))), "sign-in");
    dialog.setAttribute("aria-labelledby", "sign-in-title");
    dialog.addEventListener("close", () => resolve(answer));
    field.focus();
  });
}

/// Whether somebody meant it; where a reason is asked for, that, or false.
export function confirmed(title, text, action, { reason } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    const field = reason && h("input", { id: "reason", required: true, maxlength: "200", autocomplete: "off", autofocus: true });
    const dialog = open(h("form", { method: "dialog", onsubmit: () => { answer = field?.value.trim() ?? true; } },
      h("h2", { id: "confirm-title" }, title), h("p", {}, text),
      field && [h("label", { for: "reason" }, reason), field],
      h("div", { class: "actions" },
        h("button", { type: "submit", class: "danger" }, action),
        h("button", { type: "button", autofocus: !field, onclick: () => dialog.close() }, "Leave it"))), "confirm");
    dialog.setAttribute("aria-labelledby", "confirm-title");
    dialog.addEventListener("close", () => resolve(answer));
  });
}

/// Short news that goes away by itself; a screen reader says it.
export function toast(text, tone = "") {
  say(text);
  document.querySelectorAll(".toast").forEach((one) => one.remove());
  const box = h("div", { class: ["toast", tone] }, h("p", {}, text),
    h("button", { type: "button", class: "small", "aria-label": "Close", onclick: () => box.remove() }, "✕"));
  document.body.append(box);
  setTimeout(() => box.remove(), 12_000);
}

/// Runs what a button does: while it runs the button waits, and a refusal is told.
export async function act(button, action) {
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    return await action();
  } catch (problem) {
    if (problem.status !== 401 && problem.status !== 403) toast(problem.message ?? "The controller does not answer.", "bad");
    return undefined;
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}
