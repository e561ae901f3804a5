// Of a long list only the rows that can be seen exist. The window scrolls; rows have heights that are known beforehand.

import { render } from "./dom.js";

const BEYOND = 600;

export class VirtualList {
  /// - Parameter draw: the element of a row, by index; it must carry a key.
  constructor(element, draw) {
    Object.assign(this, { element, draw, offsets: [0], shown: new Map() });
    element.dataset.keep = "";
    element.classList.add("virtual");
    this.onScroll = () => {
      this.queued ??= requestAnimationFrame(() => {
        this.queued = undefined;
        this.place(false);
      });
    };
    addEventListener("scroll", this.onScroll, { passive: true });
  }

  close() {
    removeEventListener("scroll", this.onScroll);
    cancelAnimationFrame(this.queued);
  }

  get count() { return this.offsets.length - 1; }

  /// - Parameter heights: of each row, in pixels.
  update(count, height) {
    const offsets = new Float64Array(count + 1);
    for (let index = 0; index < count; index++) offsets[index + 1] = offsets[index] + height(index);
    this.offsets = offsets;
    this.element.style.height = `${offsets[count]}px`;
    this.place(true);
  }

  /// The row at a distance from the top. O(log rows).
  rowAt(distance) {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.offsets[middle + 1] <= distance) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  place(isNew) {
    const top = -this.element.getBoundingClientRect().top;
    const first = this.rowAt(Math.max(0, top - BEYOND));
    const last = Math.min(this.count - 1, this.rowAt(top + innerHeight + BEYOND));
    if (!isNew && first === this.first && last === this.last) return;
    // A row with the focus stays, wherever it is: who works by keyboard must not lose the place.
    const held = this.element.contains(document.activeElement)
      ? Number(document.activeElement.closest("[data-row]")?.dataset.row) : NaN;
    const rows = [];
    for (let index = first; index <= last; index++) rows.push(index);
    if (held < first && held >= 0) rows.unshift(held);
    else if (held > last && held < this.count) rows.push(held);
    if (isNew) this.shown.clear();
    const drawn = new Map();
    for (const index of rows) {
      const row = this.shown.get(index) ?? this.draw(index);
      row.dataset.row = index;
      row.style.top = `${this.offsets[index]}px`;
      row.style.height = `${this.offsets[index + 1] - this.offsets[index]}px`;
      drawn.set(index, row);
    }
    if (isNew) {
      render(this.element, [...drawn.values()]);
      this.shown = new Map([...this.element.children].map((row) => [Number(row.dataset.row), row]));
    } else {
      for (const [index, row] of this.shown) if (!drawn.has(index)) row.remove();
      let after = null;
      for (const index of rows.slice().reverse()) {
        const row = drawn.get(index);
        if (row.parentNode !== this.element || row.nextSibling !== after) this.element.insertBefore(row, after);
        after = row;
      }
      this.shown = drawn;
    }
    Object.assign(this, { first, last });
  }

  /// Brings a row into view, so that it exists.
  reveal(index) {
    const box = this.element.getBoundingClientRect();
    const [top, bottom] = [box.top + this.offsets[index], box.top + this.offsets[index + 1]];
    const margin = 120;
    if (top < margin) scrollBy(0, top - margin);
    else if (bottom > innerHeight - margin) scrollBy(0, bottom - innerHeight + margin);
    this.place(false);
  }
}
