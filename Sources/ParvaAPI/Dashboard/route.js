// Where one is stands after the #, with what was searched, filtered and sorted: a link to a view is a link to what it shows.

/// The path's parts and the query of the present address.
export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query ?? "") };
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
  history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
}
