// Elements are made here and nowhere else. What comes from the server enters as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = [
  "onclick", "onchange", "oninput", "onsubmit", "onkeydown", "onpointerenter", "onpointerleave", "onfocus", "onblur",
  "ontoggle", "onclose",
];

/// An element. `props`: attributes; `class` a text or a list; `style` custom properties and styles by name; `on*` handlers.
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/// The same in SVG.
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.setAttribute("class", [value].flat().filter(Boolean).join(" "));
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name.startsWith("on")) element[name] = value;
    else if (name === "key") element.dataset.key = value;
    else if (name === "value") { element.setAttribute("value", value); element.value = value; }
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(element, child);
    else if (child !== undefined && child !== null && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
}

/// The head of a table. Titles: texts, or each with a class.
export const tableHead = (titles) => h("thead", {}, h("tr", {}, titles.map((given) => {
  const [title, kind] = [given].flat();
  return h("th", { scope: "col", class: kind }, title);
})));

/// Names, each beside what it is.
export const factList = (rows) => h("dl", { class: "facts-list" }, rows.map(([name, what]) => [h("dt", {}, name), h("dd", {}, what)]));

/// Makes the children of `element` what `wanted` says and keeps what is there already, with its focus, selection and scrolling.
/// Children with a key are known again by it. What carries `data-keep` looks after its own inside.
export function render(element, ...wanted) {
  const next = document.createDocumentFragment();
  add(next, wanted);
  match(element, next);
}

function match(element, next) {
  const keyed = new Map();
  for (const child of element.childNodes) if (child.dataset?.key !== undefined) keyed.set(child.dataset.key, child);
  let cursor = element.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = wanted.dataset?.key;
    let found = key !== undefined ? keyed.get(key) : cursor;
    if (found && (found.nodeName !== wanted.nodeName || found.dataset?.key !== key)) found = undefined;
    if (!found) {
      element.insertBefore(wanted, cursor);
      continue;
    }
    if (found === cursor) cursor = cursor.nextSibling;
    else element.insertBefore(found, cursor);
    become(found, wanted);
  }
  while (cursor) {
    const after = cursor.nextSibling;
    cursor.remove();
    cursor = after;
  }
}

function become(node, wanted) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== wanted.data) node.data = wanted.data;
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE || node.dataset.keep !== undefined) return;
  for (const { name } of [...node.attributes]) {
    // What the reader has opened stays open.
    if (name === "style" || (name === "open" && node.nodeName === "DETAILS")) continue;
    if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of [...wanted.attributes]) {
    if (name !== "style" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (!wanted.hasAttribute("style")) node.removeAttribute("style");
  else if (node.style.cssText !== wanted.style.cssText) node.style.cssText = wanted.style.cssText;
  for (const name of HANDLERS) if (node[name] !== wanted[name]) node[name] = wanted[name];
  if (node.nodeName === "SELECT") {
    match(node, wanted);
    if (document.activeElement !== node && node.value !== wanted.value) node.value = wanted.value;
    return;
  }
  if (node.nodeName === "INPUT" || node.nodeName === "TEXTAREA") {
    // What is typed where nobody else sets a value is the reader's.
    const isSet = wanted.hasAttribute("value") && wanted.dataset.free === undefined;
    if (isSet && document.activeElement !== node && node.value !== wanted.value) node.value = wanted.value;
    if (node.checked !== wanted.checked) node.checked = wanted.checked;
    return;
  }
  match(node, wanted);
}

/// An element with a key that looks after its own inside, for `render`: itself at first, then what stands for it.
export function kept(element) {
  element.dataset.keep = "";
  return element.isConnected ? element.cloneNode(false) : element;
}

/// Said to a screen reader, without moving the focus.
export function say(text) {
  const place = document.getElementById("said");
  if (place.textContent !== text) place.textContent = text;
}
