// Where one is stands after the #, with what was searched, filtered and sorted: a link to a view is a link to what it shows.

/// The path's parts and the query of the present address.
export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query ?? "") };
}

/// An address that is written wrongly names what it says.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

let current = here().query;

/// The query that views read; it stays the same object while one stays in a view.
export function enter() {
  const { parts, query } = here();
  current = query;
  return { parts, query };
}

/// Changes members of the query, null and empty ones away, without another entry in the history.
export function setQuery(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === undefined) current.delete(name);
    else current.set(name, value);
  }
  const path = location.hash.replace(/^#/, "").split("?")[0] || "/fleet";
  const text = current.toString();
  history.replaceState(history.state, "", `#${path}${text ? `?${text}` : ""}`);
}

/// How far each entry of the browser's history was scrolled, by a number that the entry carries.
const scrolled = new Map();
let entry = null;

/// Notes how far the view was scrolled that is left, and answers how far the one was that is come to: back and forward
/// find the place again, a new view begins at its top.
export function turn(position) {
  if (entry !== null) scrolled.set(entry, position);
  entry = history.state?.entry ?? null;
  if (entry === null) {
    entry = crypto.getRandomValues(new Uint32Array(2)).join("-");
    history.replaceState({ entry }, "");
  }
  return scrolled.get(entry) ?? 0;
}
