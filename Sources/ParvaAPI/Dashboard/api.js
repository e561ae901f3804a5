// Requests to the controller. The token lives in sessionStorage: it is this tab's, and gone with it.

import { clock } from "./text.js";

const KEY = "parva-token";
/// Head and body of an answer have to be there within so many milliseconds; the plan of a large fleet is tens of megabytes.
const PATIENCE = 120_000;
/// Bytes that are read of a refusal, and characters of it that are shown: who refuses may be a proxy with a page of its own.
const MOST_READ = 65_536;
const MOST_SHOWN = 600;

/// What the controller refused, as it said it (RFC 9457). `retryAfter`: seconds, where it named some.
export class Problem extends Error {
  constructor(status, document, retryAfter) {
    const { detail, code, requestId } = document ?? {};
    super(typeof detail === "string" && detail ? shortened(detail) : `The controller answered ${status}.`);
    Object.assign(this, { status, code: code ?? "unknown", requestId, retryAfter });
  }
}

const shortened = (text) => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)} …` : text);

const listeners = { refused: () => {}, forbidden: () => {} };

/// Who is told of a 401 and of a 403.
export function onRefusal(refused, forbidden) {
  Object.assign(listeners, { refused, forbidden });
}

/// Where the browser keeps nothing for pages, a token is known for as long as the page stands.
let unkept = null;

export function token() {
  try {
    return sessionStorage.getItem(KEY) ?? unkept;
  } catch {
    return unkept;
  }
}

export function setToken(text) {
  unkept = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch { /* it is known to this page alone */ }
}

export function headersWith(more = {}) {
  const own = token();
  return own ? { ...more, Authorization: `Bearer ${own}` } : more;
}

/// The answer: `status`, `headers`, `body` (JSON read). A 304 and a 204 have none.
/// - Parameters:
///   - isQuiet: whether the caller alone says what was refused.
///   - isText: whether the body is text.
/// - Throws: Problem; an error without a status where nobody answers in time, or no controller does.
export async function ask(path, { method = "GET", body, headers = {}, signal, tag, isQuiet, isText } = {}) {
  const used = token();
  const fields = headersWith({ Accept: isText ? "text/plain" : "application/json", ...headers });
  if (tag) fields["If-None-Match"] = tag;
  if (body !== undefined) fields["Content-Type"] ??= "application/json";
  const patience = AbortSignal.timeout(PATIENCE);
  const response = await fetch(path, {
    method, headers: fields, signal: signal ? AbortSignal.any([signal, patience]) : patience, cache: "no-store",
    credentials: "omit", redirect: "error", body: body === undefined ? undefined : JSON.stringify(body),
  });
  clock.compare(response.headers.get("Date"));
  if (!response.ok && response.status !== 304) {
    const problem = await problemOf(response);
    if (!isQuiet) refused(problem, method !== "GET", used);
    throw problem;
  }
  const answer = { status: response.status, headers: response.headers, body: null };
  if (response.status === 304 || response.status === 204) return answer;
  const type = response.headers.get("Content-Type") ?? "nothing";
  if (!isText && !type.includes("json")) throw new TypeError(`No controller answers here: ${shortened(type)} came for ${path}.`);
  answer.body = await (isText ? response.text() : response.json());
  return answer;
}

/// What was refused, whoever refuses: of a body that is no JSON, or does not end, the status alone counts.
export async function problemOf(response) {
  let document = null;
  try {
    document = JSON.parse(await beginning(response));
  } catch { /* it says no more than its status */ }
  return new Problem(response.status, document, Number(response.headers.get("Retry-After")) || undefined);
}

async function beginning(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
    if (text.length > MOST_READ) {
      reader.cancel().catch(() => {});
      return text;
    }
  }
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

/// All items of a list with pages, one by one; `onPage()` after each page may answer false to end it.
export async function pages(path, member, onItem, onPage = () => {}) {
  let cursor = null;
  do {
    const query = new URLSearchParams({ limit: cursor ? PAGE : FIRST });
    if (cursor) query.set("cursor", cursor);
    const { body } = await ask(`${path}?${query}`);
    cursor = body.nextCursor ?? null;
    body[member].forEach(onItem);
    if (onPage() === false) return;
  } while (cursor);
}

/// An id as a part of a path.
export const encoded = (id) => encodeURIComponent(id);
