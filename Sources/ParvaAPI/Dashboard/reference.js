// The HTTP interface as pages of text, drawn from the controller's own description.
import { h, render, tableHead } from "./dom.js";

const METHODS = ["get", "put", "post", "patch", "delete"];
/// Levels of a schema that are drawn; deeper ones are named.
const DEPTH = 6;

const answer = await fetch("/openapi.json", { headers: { Accept: "application/json" } });
const main = document.getElementById("main");
if (answer.ok) {
  draw(await answer.json(), "");
  // What the address names was not there yet when the page came.
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
} else render(main, h("p", { class: "note bad" }, `The description cannot be read: the controller answered ${answer.status}.`));

function draw(api, sought) {
  const groups = grouped(api, sought.trim().toLowerCase());
  render(
    main,
    h("div", { class: "contents", role: "navigation", "aria-label": "Operations", key: "contents" },
      h("label", { for: "sought" }, "Find"),
      h("input", {
        id: "sought", type: "search", placeholder: "path, word or code", "data-free": true,
        oninput: (event) => draw(api, event.target.value),
      }),
      groups.map(({ tag, operations }) =>
        h("section", { key: `contents-${tag.name}` }, h("h2", {}, tag.name),
          operations.map((one) => h("a", { href: `#${one.operation.operationId}` }, method(one), h("span", {}, one.path)))))),
    h("div", { class: "operations", key: "operations" },
      h("div", { class: "prose" }, h("h1", {}, api.info.title), prose(api.info.description),
        h("p", { class: "sub" }, "The same for programs: ", h("a", { href: "/openapi.yaml" }, "openapi.yaml"), ", ",
          h("a", { href: "/openapi.json" }, "openapi.json"), ".")),
      groups.length === 0 ? h("p", { class: "empty" }, "Nothing here has these words.") : undefined,
      groups.map(({ tag, operations }) => [
        h("h2", { key: `title-${tag.name}` }, tag.name),
        tag.description ? h("div", { class: "prose", key: `about-${tag.name}` }, prose(tag.description)) : undefined,
        operations.map((one) => panel(api, one)),
      ])),
  );
}

/// Operations by tag, in the order of the document; those that have the words.
function grouped(api, sought) {
  const all = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      path, method, operation: item[method], parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])],
    })));
  const found = all.filter(({ path, method, operation }) =>
    `${method} ${path} ${operation.summary} ${operation.description ?? ""}`.toLowerCase().includes(sought));
  return (api.tags ?? []).map((tag) => ({ tag, operations: found.filter((one) => one.operation.tags?.[0] === tag.name) }))
    .filter((group) => group.operations.length > 0);
}

function method(one) {
  return h("span", { class: ["method", one.method] }, one.method.toUpperCase());
}

function panel(api, one) {
  const { operation } = one;
  const parameters = one.parameters.map((parameter) => resolved(api, parameter));
  const body = operation.requestBody && resolved(api, operation.requestBody);
  return h("article", { class: ["panel", "operation"], id: operation.operationId, key: operation.operationId },
    h("header", {}, method(one), h("code", { class: "path" }, one.path)),
    h("p", {}, h("strong", {}, operation.summary)),
    h("div", { class: "prose" }, prose(operation.description)),
    parameters.length > 0 ? table("Parameters", ["name", "where", "what"], parameters.map((parameter) => [
      h("code", {}, parameter.name), parameter.in + (parameter.required ? ", needed" : ""),
      [inline(parameter.description), " ", h("span", { class: "sub" }, kind(api, parameter.schema))],
    ])) : undefined,
    body ? h("details", { key: `${operation.operationId}-body` },
      h("summary", {}, `Body: ${Object.keys(body.content).join(", ")}`), prose(body.description),
      Object.entries(body.content).map(([type, content]) => content_(api, type, content))) : undefined,
    h("details", { key: `${operation.operationId}-answers` }, h("summary", {}, `Answers: ${Object.keys(operation.responses).join(", ")}`),
      Object.entries(operation.responses).map(([status, response]) => {
        const told = resolved(api, response);
        return h("div", { class: "member" },
          h("div", { class: "head" }, h("strong", {}, status), h("span", {}, inline(told.description))),
          Object.entries(told.content ?? {}).filter(([type]) => !type.includes("problem"))
            .map(([type, content]) => content_(api, type, content)));
      })),
    h("pre", { tabindex: "0", role: "region", "aria-label": "The same with curl" }, curl(api, one, body)));
}

function content_(api, type, content) {
  const example = content.example ?? Object.values(content.examples ?? {})[0]?.value;
  return h("div", {}, h("p", { class: "sub" }, type),
    example === undefined ? undefined
      : h("pre", { tabindex: "0", role: "region", "aria-label": "An example" }, typeof example === "string" ? example : JSON.stringify(example, null, 2)),
    content.schema ? schema(api, content.schema, DEPTH) : undefined);
}

/// What a schema names, whole.
function resolved(api, value) {
  if (!value?.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((place, step) => place?.[step.replaceAll("~1", "/").replaceAll("~0", "~")], api) ?? {};
}

function schema(api, given, depth) {
  const one = resolved(api, given);
  if (!one) return undefined;
  const parts = [...(one.allOf ?? []), ...(one.oneOf ?? []), ...(one.anyOf ?? [])];
  const properties = Object.entries(one.properties ?? {});
  if (depth === 0 || (properties.length === 0 && parts.length === 0 && !one.items)) return undefined;
  return h("div", { class: "schema" },
    parts.map((part) => schema(api, part, depth)),
    one.items ? schema(api, one.items, depth) : undefined,
    properties.map(([name, value]) => {
      const member = resolved(api, value);
      const inner = member.type === "array" ? member.items : value;
      const isDeep = depth > 1 && hasMembers(api, inner);
      return h("div", { class: "member" },
        h("div", { class: "head" }, h("code", {}, name), h("span", { class: "sub" }, kind(api, value)),
          one.required?.includes(name) ? h("span", { class: "needed" }, "needed") : undefined),
        value.description ?? member.description ? h("div", {}, inline(value.description ?? member.description)) : undefined,
        isDeep ? h("details", {}, h("summary", {}, `members of ${name}`), schema(api, inner, depth - 1)) : undefined);
    }));
}

function hasMembers(api, given) {
  const one = resolved(api, given);
  return Boolean(one?.properties || one?.allOf || one?.oneOf || one?.anyOf);
}

/// Type and limits in words.
function kind(api, given) {
  const one = resolved(api, given) ?? {};
  const type = [one.type ?? (one.enum ? "text" : one.const !== undefined ? "" : "")].flat().join(" or ");
  const parts = [one.type === "array" ? `list of ${kind(api, one.items) || "values"}` : type];
  if (one.enum) parts.push(one.enum.map(String).join(" | "));
  if (one.const !== undefined) parts.push(String(one.const));
  if (one.minimum !== undefined || one.maximum !== undefined) parts.push(`${one.minimum ?? "…"} to ${one.maximum ?? "…"}`);
  if (one.exclusiveMinimum !== undefined) parts.push(`above ${one.exclusiveMinimum}`);
  if (one.maxLength !== undefined) parts.push(`at most ${one.maxLength} characters`);
  if (one.maxItems !== undefined) parts.push(`at most ${one.maxItems}`);
  if (one.format) parts.push(one.format);
  if (one.default !== undefined) parts.push(`default ${JSON.stringify(one.default)}`);
  return parts.filter(Boolean).join(", ");
}

function table(caption, heads, rows) {
  return h("table", {}, h("caption", {}, caption), tableHead(heads),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, column) => h("td", { class: column < row.length - 1 && "short" }, cell))))));
}

/// Paragraphs; what stands between backticks is code, and lines that begin with four spaces are a block of it.
function prose(text) {
  return (text ?? "").trim().split(/\n\s*\n/).filter(Boolean).map((part) =>
    part.startsWith("    ") ? h("pre", {}, part.replaceAll(/^ {4}/gm, "")) : h("p", {}, inline(part)));
}

function inline(text) {
  return (text ?? "").split(/`([^`]*)`/).map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

function curl(api, one, body) {
  const path = one.path.replaceAll(/\{(\w+)\}/g, (whole, name) => {
    const parameter = one.parameters.map((given) => resolved(api, given)).find((given) => given.name === name && given.in === "path");
    return parameter?.example ?? parameter?.schema?.example ?? name.toUpperCase();
  });
  const lines = [`curl ${one.method === "get" ? "" : `-X ${one.method.toUpperCase()} `}${location.origin}${path}`];
  const content = body?.content["application/json"];
  const example = content?.example ?? Object.values(content?.examples ?? {})[0]?.value;
  if (content) lines.push(`  -H 'Content-Type: application/json' -d '${example === undefined ? "{}" : JSON.stringify(example).replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n");
}
