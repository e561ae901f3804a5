// Figures and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/// A count.
export const count = (value) => whole.format(value);

/// `1 node`, `3 nodes`.
export const counted = (value, single, many = single + "s") => `${count(value)} ${value === 1 ? single : many}`;

/// Three digits that matter, thousands as they are; below one, two.
export function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return whole.format(value);
  if (size >= 10) return one.format(value);
  return size >= 1 ? two.format(value) : String(Number(value.toPrecision(2)));
}

export const rate = (value) => (value === null || value === undefined ? "–" : `${figure(value)}/s`);

/// A share as percent; 99 and above with what makes the difference there, and never rounded up to a whole.
export function percent(share, digits = 0) {
  if (share === null || share === undefined) return "–";
  if (share >= 0.99 && share < 1) {
    const shown = Math.floor(share * 100000 + 1e-6) / 1000;
    return `${shown}\u202f%`;
  }
  return `${(share * 100).toFixed(digits)}\u202f%`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value >= 10000 ? `${figure(value / 1000)}\u202fs` : `${figure(value)}\u202fms`;
}

export function seconds(value) {
  if (value < 60) return `${figure(value)}\u202fs`;
  const minutes = Math.round(value / 60);
  return minutes < 120 ? `${minutes}\u202fmin` : `${figure(value / 3600)}\u202fh`;
}

/// Time of day; with the date where it was another day.
export function time(text) {
  const at = new Date(text);
  const hour = at.toLocaleTimeString("en-GB");
  return at.toDateString() === new Date(now()).toDateString() ? hour : `${at.toLocaleDateString("en-CA")} ${hour}`;
}

/// How far the controller's clock is ahead of this machine's, in milliseconds: ages are told by the clock that set the times.
export const clock = {
  ahead: 0,
  /// - Parameter date: the field of an answer; it tells whole seconds, and the way takes a while.
  compare(date) {
    const ahead = Date.parse(date) - Date.now();
    if (!Number.isNaN(ahead)) clock.ahead = Math.abs(ahead) < 3000 ? 0 : ahead;
  },
};

const now = () => Date.now() + clock.ahead;

export const age = (text) => `${seconds(Math.max(0, (now() - new Date(text)) / 1000))} ago`;

/// `slo_unreachable` → `slo unreachable`.
export const words = (code) => String(code).replaceAll("_", " ");

/// GPU-a3a9d226-e544-… as far as one tells it from others.
export const shortUUID = (uuid) => (uuid && uuid.length > 16 ? uuid.slice(0, 12) + "…" : uuid ?? "not bound");
