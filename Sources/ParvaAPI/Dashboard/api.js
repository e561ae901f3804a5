// Requests to the controller. The token lives in sessionStorage: it is this tab's, and gone with it.

const KEY = "parva-token";

/// What the controller refused, as it said it (RFC 9457).
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? `The controller answered ${status}.`);
    this.status = status;
    this.code = document.code ?? "unknown";
    this.requestId = document.requestId;
  }
}

const listeners = { refused: () => {}, forbidden: () => {} };

/// Who is told of a 401 and of a 403.
export function onRefusal(refused, forbidden) {
  Object.assign(listeners, { refused, forbidden });
}

export const token = () => sessionStorage.getItem(KEY);

export function setToken(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

export function headersWith(more = {}) {
  const own = token();
  return own ? { ...more, Authorization: `Bearer ${own}` } : more;
}

/// The answer: `status`, `headers`, `body` (JSON read). A 304 has none.
/// - Parameter isQuiet: whether the caller alone says what was refused.
/// - Throws: Problem; TypeError where nobody answers.
export async function ask(path, { method = "GET", body, headers = {}, signal, tag, isQuiet } = {}) {
  const used = token();
  const fields = headersWith({ Accept: "application/json", ...headers });
  if (tag) fields["If-None-Match"] = tag;
  if (body !== undefined) fields["Content-Type"] ??= "application/json";
  const response = await fetch(path, {
    method, headers: fields, signal, cache: "no-store", credentials: "omit", redirect: "error",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 304) return { status: 304, headers: response.headers, body: null };
  const isJSON = /json/.test(response.headers.get("Content-Type") ?? "");
  if (!response.ok) {
    const problem = await problemOf(response, isJSON);
    if (!isQuiet) refused(problem, method !== "GET", used);
    throw problem;
  }
  return {
    status: response.status, headers: response.headers,
    body: response.status === 204 ? null : isJSON ? await response.json() : await response.text(),
  };
}

export async function problemOf(response, isJSON = true) {
  let document = {};
  try {
    if (isJSON) document = await response.json();
  } catch { /* what is no JSON says no more than its status */ }
  return new Problem(response.status, document);
}

/// What came for a token that was meanwhile replaced is no news.
export function refused(problem, wasChange, used) {
  if (used !== token()) return;
  if (problem.status === 401) listeners.refused(problem);
  if (problem.status === 403) listeners.forbidden(problem, wasChange);
}

const PAGE = 1000;
/// The first page of a list is small, so that something is there at once.
const FIRST = 40;

/// All items of a list with pages, a page at a time: `onPage(items, body, headers)` may answer false to end it.
export async function pages(path, member, onPage) {
  let cursor = null;
  do {
    const query = new URLSearchParams({ limit: cursor ? PAGE : FIRST });
    if (cursor) query.set("cursor", cursor);
    const { body, headers } = await ask(`${path}?${query}`);
    cursor = body.nextCursor ?? null;
    if (onPage(body[member], body, headers) === false) return;
  } while (cursor);
}

export const one = (id) => encodeURIComponent(id);
