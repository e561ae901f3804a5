// Server-sent events by fetch, since an EventSource cannot carry a token. Comes back with Last-Event-ID after a break.

import { headersWith, problemOf, refused, token } from "./api.js";

/// The controller sends a comment every 15 s; after this long without anything the connection is dead.
const SILENCE = 40_000;
/// Characters of one line: an event is a few hundred.
const LONGEST_LINE = 1 << 20;

/// Follows a stream until `close()`. `onState({ kind, until, why })` tells how it goes: connecting, live, waiting (until then of
/// `performance.now()`), paused, refused.
export function follow(path, { onEvent, onState }) {
  let last = null;
  let pause = 500;
  let isClosed = false;
  let isPaused = false;
  let isWaiting = false;
  let running = null;
  let timer = 0;

  async function run() {
    clearTimeout(timer);
    if (isClosed) return;
    isWaiting = false;
    running = new AbortController();
    let watch = 0;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => running.abort(new Error("nothing was heard for 40 s")), SILENCE);
    };
    let why = "the controller ended the stream";
    try {
      onState({ kind: "connecting" });
      heard();
      const headers = { Accept: "text/event-stream" };
      if (last !== null) headers["Last-Event-ID"] = last;
      const used = token();
      const response = await fetch(path, {
        headers: headersWith(headers), signal: running.signal, cache: "no-store", credentials: "omit",
      });
      if (!response.ok) {
        const problem = await problemOf(response);
        // An id of a stream that is gone: from the start, then.
        if (problem.status === 400) last = null;
        if (problem.status === 401 || problem.status === 403) {
          isClosed = true;
          onState({ kind: "refused", why: problem.message });
          refused(problem, false, used);
          return;
        }
        throw problem;
      }
      onState({ kind: "live" });
      await read(response.body.getReader(), heard, (event) => {
        pause = 500;
        if (event.id !== undefined) last = event.id;
        onEvent(event);
      });
    } catch (error) {
      why = running.signal.aborted ? running.signal.reason?.message ?? "stopped" : error.message;
    } finally {
      clearTimeout(watch);
    }
    if (isClosed) return;
    if (isPaused) return onState({ kind: "paused" });
    isWaiting = true;
    const wait = pause * (0.75 + Math.random() / 2);
    pause = Math.min(pause * 2, 15_000);
    timer = setTimeout(run, wait);
    onState({ kind: "waiting", until: performance.now() + wait, why });
  }

  run();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
      running?.abort(new Error("closed"));
    },
    /// Now instead of later.
    retry() {
      pause = 500;
      if (!isClosed && isWaiting) run();
    },
    /// Lets go of the connection, and takes up again where it was.
    pause() {
      if (isPaused || isClosed) return;
      isPaused = true;
      clearTimeout(timer);
      running?.abort(new Error("paused"));
      if (isWaiting) onState({ kind: "paused" });
    },
    resume() {
      if (!isPaused || isClosed) return;
      isPaused = false;
      pause = 500;
      run();
    },
  };
}

/// Cuts bytes into events by the rules of the HTML standard, "9.2.6 Interpreting an event stream".
async function read(reader, heard, onEvent) {
  const decoder = new TextDecoder();
  let rest = "";
  let event = {};
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    if (rest.length > LONGEST_LINE) throw new Error("what came is no stream of events");
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (event.data !== undefined) onEvent(event);
        event = {};
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") event.data = event.data === undefined ? text : `${event.data}\n${text}`;
      else if (field === "event" || field === "id") event[field] = text;
    }
  }
}
