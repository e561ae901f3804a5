// Lines in steps over revisions, with the same figures as a table beside for those who do not see them.

import { h, svg, tableHead } from "./dom.js";
import { figure, time } from "./text.js";

const HEIGHT = 190;
const PAD = { left: 44, right: 12, top: 14, bottom: 26 };

/// - Parameters:
///   - points: `{ revision, createdAt, values }`, oldest first; a value may be null.
///   - series: name and class of each value.
export function stepChart({ points, series, width, label, unit = "" }) {
  const most = niceTop(Math.max(1e-9, ...points.flatMap((point) => point.values.filter((value) => value != null))));
  const inner = Math.max(40, width - PAD.left - PAD.right);
  const step = inner / Math.max(1, points.length);
  const x = (index) => PAD.left + index * step;
  const y = (value) => PAD.top + (HEIGHT - PAD.top - PAD.bottom) * (1 - value / most);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * most).filter((tick) => most > 4 || Number.isInteger(tick) || unit);
  const every = Math.max(1, Math.ceil(74 / step));
  return h("figure", { class: "chart" },
    h("ul", { class: "keys" }, series.map(({ name, tone }) => h("li", {}, h("span", { class: ["line-key", tone], "aria-hidden": "true" }), name))),
    svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label },
      ticks.map((tick) => [
        svg("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "tick", x: PAD.left - 8, y: y(tick) + 4, "text-anchor": "end" }, figure(tick)),
      ]),
      series.map(({ tone, isFilled }, number) => {
        const line = path(points.map((point) => point.values[number]), x, y, step);
        return [
          isFilled && line && svg("path", { class: `area ${tone}`, d: `${line.d} L ${line.end} ${y(0)} L ${line.begin} ${y(0)} Z` }),
          line && svg("path", { class: `line ${tone}`, d: line.d }),
        ];
      }),
      points.map((point, index) => svg("g", { class: "column" },
        svg("rect", { x: x(index), y: PAD.top, width: step, height: HEIGHT - PAD.top - PAD.bottom },
          svg("title", {}, `revision ${point.revision}, ${time(point.createdAt)}: ${series.map(({ name }, number) => `${name} ${figure(point.values[number])}${unit}`).join(", ")}`)),
        (points.length - 1 - index) % every === 0 && svg("text", { class: "tick", x: x(index) + step / 2, y: HEIGHT - 8, "text-anchor": "middle" }, `r${point.revision}`)))),
    h("details", { class: "as-table" }, h("summary", {}, "The same as a table"),
      h("table", {},
        tableHead(["revision", "since", ...series.map(({ name }) => [name, "n"])]),
        h("tbody", {}, points.slice().reverse().map((point) => h("tr", {},
          h("td", {}, point.revision), h("td", {}, time(point.createdAt)), point.values.map((value) => h("td", { class: "n" }, `${figure(value)}${value == null ? "" : unit}`))))))));
}

function niceTop(value) {
  const scale = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 4, 5, 8, 10]) if (factor * scale >= value) return factor * scale;
  return 10 * scale;
}

function path(values, x, y, step) {
  let d = "";
  let [begin, end] = [null, null];
  values.forEach((value, index) => {
    if (value == null) return;
    d += `${d ? "L" : "M"} ${x(index)} ${y(value)} L ${x(index) + step} ${y(value)} `;
    begin ??= x(index);
    end = x(index) + step;
  });
  return d ? { d, begin, end } : null;
}
