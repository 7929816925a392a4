"use strict";
// Lists the operations of openapi.json and tries them. No text from the server is ever read as HTML.
const make = (tag, text, ...inner) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...inner);
  return element;
};

const resolve = (spec, schema) =>
  schema && schema.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema || {};

function example(spec, schema, depth = 0) {
  const found = resolve(spec, schema);
  if (depth > 4) return null;
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum[0];
  if (found.anyOf) return example(spec, found.anyOf[0], depth + 1);
  if (found.type === "object") {
    const names = Object.keys(found.properties || {});
    return Object.fromEntries(names.map((name) => [name, example(spec, found.properties[name], depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false, array: [] }[found.type] ?? null;
}

function field(parameter) {
  const input = make("input");
  input.placeholder = parameter.description || "";
  return { parameter, input, row: make("label", `${parameter.name} (${parameter.in})`, input) };
}

// A form has one file; its boundary is the browser's to write.
function upload(form) {
  const [name] = Object.keys(form.schema.properties);
  const input = make("input");
  input.type = "file";
  const read = () => {
    const data = new FormData();
    if (input.files.length) data.set(name, input.files[0]);
    return data;
  };
  return { row: make("label", name, input), headers: {}, read };
}

function payload(spec, content) {
  if (content["multipart/form-data"]) return upload(content["multipart/form-data"]);
  const input = make("textarea");
  input.value = JSON.stringify(example(spec, content["application/json"].schema), null, 2);
  return { row: make("label", "Body", input), headers: { "Content-Type": "application/json" }, read: () => input.value };
}

async function tryIt(method, path, fields, body, shown) {
  let url = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "" && parameter.in === "query") query.set(parameter.name, input.value);
    else if (input.value !== "") headers[parameter.name] = input.value;
  }
  const token = document.getElementById("token").value;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) Object.assign(headers, body.headers);
  const target = query.size ? `${url}?${query}` : url;
  shown.textContent = "…";
  try {
    const answer = await fetch(target, { method: method.toUpperCase(), headers, body: body ? body.read() : undefined });
    const text = await answer.text();
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    shown.textContent = `${answer.status} ${answer.statusText}\n${pretty}`;
  } catch (error) {
    shown.textContent = String(error);
  }
}

function operation(spec, path, method, one) {
  const fields = (one.parameters || []).map(field);
  const inner = make("div", "", make("p", one.description), ...fields.map((each) => each.row));
  inner.className = "inner";
  const body = one.requestBody ? payload(spec, one.requestBody.content) : null;
  if (body) inner.append(body.row);
  const shown = make("pre");
  const button = make("button", "Try it");
  const isStream = path.endsWith("/stream");
  button.disabled = isStream;
  button.addEventListener("click", () => tryIt(method, path, fields, body, shown));
  inner.append(button, shown);
  if (isStream) shown.textContent = `curl -N -H 'Authorization: Bearer …' ${location.origin}${path}`;
  const head = make("summary", "", make("b", method.toUpperCase()), make("code", path), make("span", one.summary));
  return make("details", "", head, inner);
}

async function show() {
  const spec = await (await fetch("/api/v1/openapi.json")).json();
  const pieces = spec.info.description.split("`");
  document.getElementById("about").append(...pieces.map((text, at) => make(at % 2 ? "code" : "span", text)));
  const groups = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const tag = one.tags[0];
      if (!groups.has(tag)) groups.set(tag, make("section", "", make("h2", tag)));
      groups.get(tag).append(operation(spec, path, method, one));
    }
  }
  document.getElementById("operations").replaceChildren(...groups.values());
}

show().catch((error) => {
  document.getElementById("operations").textContent = `The list of operations could not be shown: ${error}`;
});
