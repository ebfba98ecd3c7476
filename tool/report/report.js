"use strict";
// The page of `stillframe-rdb report`.  All data comes from the element #data.  Names of keys are
// anybody's bytes: they reach the page as text nodes and attributes set by name, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const all = data.total;

// ---- texts ----

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name === "on") for (const [event, run] of Object.entries(value)) e.addEventListener(event, run);
    else if (name === "style") for (const [p, v] of Object.entries(value)) e.style.setProperty(p, v);
    else if (value !== false && value != null) e.setAttribute(name, value === true ? "" : value);
  e.append(...children.filter(c => c != null));
  return e;
}

function svg(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

const grouped = new Intl.NumberFormat("en");
const count = n => grouped.format(Math.round(n));
const plural = (n, one, many) => count(n) + " " + (n === 1 ? one : many || one + "s");

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let u = 0;
  for (; bytes >= 1023.95 && u < units.length - 1; u++) bytes /= 1024;
  return (u === 0 || Number.isInteger(bytes) ? String(Math.round(bytes)) : bytes.toFixed(bytes < 99.95 ? 1 : 0)) + " " + units[u];
}

function share(part, whole) {
  const p = whole > 0 ? 100 * part / whole : 0;
  return (p >= 99.95 || p === 0 ? p.toFixed(0) : p >= 0.95 ? p.toFixed(p < 9.95 ? 1 : 0) : p >= 0.05 ? p.toFixed(1) : "<0.1") + " %";
}

function duration(s) {
  for (const [n, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (s >= 2 * n) return Math.floor(s / n) + " " + unit;
  return s + " s";
}

const when = ms => new Date(ms).toISOString().slice(0, 16).replace("T", " ") + " UTC";

// shown: a name as it can be read: what is no character, or none to be seen, as \xNN or \u{N}.
const unseen = /[\\\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udfff]/gu;
function shown(name) {
  return name.replace(unseen, c => {
    const n = c.codePointAt(0);
    if (n === 0x5c) return "\\\\";
    if (n >= 0xdc80 && n <= 0xdcff) return "\\x" + (n - 0xdc00).toString(16);
    if (n < 0x100) return "\\x" + n.toString(16).padStart(2, "0");
    return "\\u{" + n.toString(16) + "}";
  });
}

function nameOf(name, whole) {
  const e = el("span", {class: "name"}, name === "" ? el("i", {}, "(empty name)") : shown(name));
  if (whole > 0) e.append(el("i", {}, " … " + size(whole)));
  return e;
}

// ---- the tree of prefixes ----

// A node: n name, k keys, m memory, r bytes in the file, e elements, x keys that expire, l memory
// of the largest, s sizes [[bytes, keys]], o memory missed at most, c children, and f: [prefixes,
// keys, memory] right below that have no node.
const colours = 8;
const tree = data.tree;
let longest = 1;

function prepare(node, parent) {
  node.parent = parent;
  node.c = node.c || [];
  // a prefix of which every key has a longer one in common is of no interest
  for (let i = 0; i < node.c.length; i++)
    while ((node.c[i].c || []).length === 1 && node.c[i].c[0].k === node.c[i].k) node.c[i] = node.c[i].c[0];
  node.depth = parent ? parent.depth + 1 : 0;
  longest = Math.max(longest, node.depth);
  node.c.forEach(c => prepare(c, node));
  node.parts = node.c.slice();
  if (node.f[0] > 0)
    node.parts.push({label: plural(node.f[0], "small prefix", "small prefixes"), k: node.f[1], m: node.f[2], parts: [], parent: node, c: []});
  const keys = node.k - node.parts.reduce((n, c) => n + c.k, 0), memory = node.m - node.parts.reduce((n, c) => n + c.m, 0);
  if (node.parts.length > 0 && keys > 0 && memory > 0)
    node.parts.push({label: node === tree ? "keys without a prefix" : "keys right here", k: keys, m: memory, parts: [], parent: node, c: []});
  node.parts.sort((a, b) => b.m - a.m);
}
prepare(tree, null);
const prefixes = [];
(function gather(node) { node.c.forEach(c => { prefixes.push(c); gather(c); }); })(tree);

const pathOf = node => node.parent ? [...pathOf(node.parent), node] : [node];
// within: what its name adds to that of the prefix around it.
const within = (node, around) => around && around.n !== "" && node.n !== around.n && node.n.startsWith(around.n) ? node.n.slice(around.n.length) : node.n;
const titleOf = node => node === tree ? el("span", {}, "All keys") : node.label ? el("span", {}, node.label) : nameOf(node.n);

// squarify: places [{node, x, y, w, h}] for parts of a rectangle, each as large as its memory
// (Bruls, Huizing, van Wijk 2000): rows along the shorter side, as long as they get squarer.
function squarify(parts, x, y, w, h) {
  const places = [];
  let left = parts.reduce((n, p) => n + p.m, 0), at = 0;
  while (at < parts.length && w > 0 && h > 0 && left > 0) {
    const side = Math.min(w, h), unit = w * h / left;
    const worst = (sum, largest, smallest) => Math.max(side * side * largest / (sum * sum), sum * sum / (side * side * smallest));
    let sum = parts[at].m * unit, end = at + 1;
    const largest = sum;
    while (end < parts.length && parts[end].m > 0) {
      const next = parts[end].m * unit;
      if (worst(sum + next, largest, next) > worst(sum, largest, parts[end - 1].m * unit)) break;
      sum += next;
      end++;
    }
    const thick = sum / side;
    let along = 0;
    for (; at < end; at++) {
      const long = parts[at].m * unit / thick;
      places.push(w < h ? {node: parts[at], x: x + along, y, w: long, h: thick} : {node: parts[at], x, y: y + along, w: thick, h: long});
      along += long;
      left -= parts[at].m;
    }
    if (w < h) { y += thick; h -= thick; } else { x += thick; w -= thick; }
  }
  return places;
}

// ---- the map ----

const map = $("map");
let zoomed = tree, wanted = "";

const matches = node => wanted === "" || (node.n !== undefined && shown(node.n).toLowerCase().includes(wanted)) || node.c.some(matches);

function describe(node) {
  const parts = [" " + size(node.m) + " (" + share(node.m, all.memory) + ") in " + plural(node.k, "key") + ", " + size(node.m / node.k) + " each"];
  if (node.x !== undefined) {
    parts.push(node.x === 0 ? "none expires" : node.x === node.k ? "all expire" : share(node.x, node.k) + " expire");
    parts.push("largest " + size(node.l));
    if (node.o > 0) parts.push("up to " + size(node.o) + " more may have been missed");
  }
  $("detail").replaceChildren(titleOf(node), parts.join(", "));
}

function tile(place, fill, kind, around) {
  const {node, w, h} = place, canZoom = node.c.length > 0;
  const e = el("button", {
    type: "button", class: "tile " + kind + (canZoom ? "" : " leaf") + (w > 150 && h > 80 ? " wide" : "") + (matches(node) ? "" : " faint"),
    "aria-label": (node.label || shown(node.n)) + ", " + size(node.m) + ", " + share(node.m, all.memory),
    style: {left: place.x + 1 + "px", top: place.y + 1 + "px", width: Math.max(w - 2, 1) + "px", height: Math.max(h - 2, 1) + "px", "--fill": fill},
    on: {
      click: event => { event.stopPropagation(); describe(node); if (canZoom) zoom(node); },
      pointerenter: () => describe(node), focus: () => describe(node)
    }
  });
  if (w > 34 && h > 20) e.append(node.label ? el("span", {class: "name"}, node.label) : nameOf(within(node, around)));
  if (w > 44 && h > 38 && kind !== "group") e.append(el("span", {class: "size"}, size(node.m) + (w > 120 ? " · " + share(node.m, all.memory) : "")));
  return e;
}

// Not every part has room: those below this many square pixels are one.
const smallest = 60;
function placed(parts, x, y, w, h) {
  const whole = parts.reduce((n, p) => n + p.m, 0), least = whole * smallest / Math.max(w * h, 1);
  const kept = parts.filter(p => p.m >= least), rest = parts.filter(p => p.m < least);
  if (rest.length > 1)
    kept.push({label: rest.length + " more", k: rest.reduce((n, p) => n + p.k, 0), m: rest.reduce((n, p) => n + p.m, 0), parts: [], c: []});
  return squarify((rest.length > 1 ? kept : parts).slice().sort((a, b) => b.m - a.m), x, y, w, h);
}

function draw() {
  const {width, height} = map.getBoundingClientRect(), head = 21;
  const parts = zoomed.parts.length > 0 ? zoomed.parts : [zoomed];
  const tiles = [];
  placed(parts, 0, 0, width, height).forEach(place => {
    const node = place.node, rank = node.label ? -1 : parts.indexOf(node);
    const fill = rank >= 0 && rank < colours ? "var(--c" + rank + ")" : "var(--rest)";
    const isGroup = node.c.length > 0 && place.w > 90 && place.h > 70;
    tiles.push(tile(place, fill, isGroup ? "group" : "single", zoomed));
    if (isGroup)
      placed(node.parts, place.x + 4, place.y + head + 3, place.w - 8, place.h - head - 7).forEach(inner =>
        tiles.push(tile(inner, "color-mix(in srgb, " + fill + " " + (inner.node.label ? 70 : 100) + "%, var(--card))", "inner", node)));
  });
  map.replaceChildren(...tiles);
  const path = pathOf(zoomed), steps = [];
  path.forEach((node, i) => {
    if (i > 0) steps.push(el("span", {"aria-hidden": "true"}, "›"));
    steps.push(el("button", {type: "button", "aria-current": node === zoomed ? "true" : false, on: {click: () => zoom(node)}},
      i < 2 ? titleOf(node) : nameOf(within(node, path[i - 1]))));
  });
  $("crumbs").replaceChildren(...steps);
}

function zoom(node) {
  zoomed = node;
  draw();
  describe(node);
}

map.addEventListener("keydown", event => {
  if (event.key === "Escape" && zoomed.parent) { zoom(zoomed.parent); (map.querySelector("button") || map).focus(); }
});

// ---- tables ----

const step = 50;

// A table in `place`: columns {label, value, cell, text: left, wide}; rows are objects; its state
// is kept when it is filled anew.
function table(place, columns, options) {
  const state = {by: options.by, down: true, limit: options.limit || step, rows: []};
  const compare = (a, b) => {
    const x = columns[state.by].value(a), y = columns[state.by].value(b);
    const order = typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : (x == null ? -Infinity : x) - (y == null ? -Infinity : y);
    return state.down ? -(order || 0) : order || 0;
  };
  const line = row => el("tr", {class: options.open && row.c ? "go" : "", on: options.open ? {click: () => options.open(row)} : {}},
    ...columns.map(c => {
      const content = c.cell ? c.cell(row) : c.value(row);
      return el("td", {class: (c.text ? "text " : "") + (c.wide ? "wide" : "") + (content == null || content === "" ? " empty" : ""), "data-label": c.label},
        content == null ? "" : content);
    }));
  function draw() {
    const rows = state.rows.slice().sort(compare);
    const heads = columns.map((c, i) => el("th", {scope: "col", class: c.text ? "text" : "", "aria-sort": i === state.by ? (state.down ? "descending" : "ascending") : false},
      el("button", {type: "button", on: {click: () => { state.down = i === state.by ? !state.down : !c.text; state.by = i; draw(); }}}, c.label)));
    const body = rows.length === 0 ? el("p", {class: "none"}, "Nothing here.") :
      el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows.slice(0, state.limit).map(line)));
    place.replaceChildren(body);
    if (rows.length > state.limit)
      place.append(el("button", {type: "button", class: "more", on: {click: () => { state.limit += 500; draw(); }}}, "Show more (" + count(rows.length - state.limit) + ")"));
  }
  return {fill(rows, by) { state.rows = rows; if (by !== undefined) { state.by = by; state.down = true; } draw(); }};
}

const bar = part => el("span", {class: "share", "aria-hidden": "true"}, el("i", {style: {width: Math.min(100, 100 * part) + "%"}}));
const withBar = (part, whole) => el("span", {}, bar(whole > 0 ? part / whole : 0), el("span", {class: "percent"}, share(part, whole)));

function spark(sizes) {
  if (sizes.length === 0) return "";
  const first = Math.log2(sizes[0][0]), last = Math.log2(sizes[sizes.length - 1][0]), most = Math.max(...sizes.map(s => s[1]));
  return svg("svg", {class: "spark", width: Math.max(60, (last - first + 1) * 6), height: 18, role: "img",
    "aria-label": "keys of " + size(sizes[0][0]) + " to " + size(sizes[sizes.length - 1][0])},
    ...sizes.map(([bytes, n]) => {
      const h = Math.max(2, 18 * Math.sqrt(n / most));
      return svg("rect", {x: (Math.log2(bytes) - first) * 6, y: 18 - h, width: 5, height: h, rx: 1});
    }));
}

const prefixTable = table($("prefixes"), [
  {label: "Prefix", value: r => r.n, cell: r => el("span", {}, nameOf(r.n), r.o > 0 ? " +" : ""), text: true, wide: true},
  {label: "Memory", value: r => r.m, cell: r => size(r.m)},
  {label: "Share", value: r => r.m, cell: r => withBar(r.m, all.memory)},
  {label: "Keys", value: r => r.k, cell: r => count(r.k)},
  {label: "A key", value: r => r.m / r.k, cell: r => size(r.m / r.k)},
  {label: "Largest", value: r => r.l, cell: r => size(r.l)},
  {label: "In file", value: r => r.r, cell: r => size(r.r)},
  {label: "Expire", value: r => r.x / r.k, cell: r => share(r.x, r.k)},
  {label: "Sizes", value: r => r.s.length, cell: r => spark(r.s), text: true}
], {by: 1, limit: 25, open: row => { zoom(row.c.length > 0 ? row : row.parent); describe(row); map.scrollIntoView({block: "center"}); }});

const measures = [["memory", "Memory", 2], ["size", "In file", 4], ["elements", "Elements", 5], ["largest", "One element", 6]];
const left = r => r.ttl_s == null ? "" : r.ttl_s <= 0 ? "over" : duration(r.ttl_s);
const hasUse = Object.values(data.top).some(rows => rows.some(r => r.idle_s != null || r.freq != null));
const hasDatabases = data.databases.length > 1;
const keyTable = table($("keys"), [
  {label: "Key", value: r => r.key, cell: r => nameOf(r.key, r.key_bytes), text: true, wide: true},
  {label: "Type", value: r => r.type + " " + r.encoding, cell: r => r.type + " · " + r.encoding, text: true},
  {label: "Memory", value: r => r.memory, cell: r => size(r.memory)},
  {label: "Share", value: r => r.memory, cell: r => share(r.memory, all.memory)},
  {label: "In file", value: r => r.record_bytes, cell: r => size(r.record_bytes)},
  {label: "Elements", value: r => r.elements, cell: r => count(r.elements)},
  {label: "Largest element", value: r => r.largest_bytes, cell: r => size(r.largest_bytes)},
  {label: "TTL", value: r => r.ttl_s, cell: left},
  ...(hasUse ? [{label: "Idle/freq", value: r => r.freq != null ? -r.freq : r.idle_s, cell: r => r.freq != null ? "f " + r.freq : r.idle_s != null ? duration(r.idle_s) : ""}] : []),
  ...(hasDatabases ? [{label: "Db", value: r => r.db, cell: r => String(r.db)}] : [])
], {by: 2, limit: 20});

// ---- choices ----

function choice(place, options, chosen, choose) {
  const buttons = options.map(([value, text]) => el("button", {type: "button", "aria-pressed": String(value === chosen), on: {
    click: () => {
      buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(options[i][0] === value)));
      choose(value);
    }
  }}, text));
  place.replaceChildren(...buttons);
}

let level = 0, measure = "memory";

function fillLists(by) {
  const found = prefixes.filter(p => (level === 0 || p.depth === level) && (wanted === "" || shown(p.n).toLowerCase().includes(wanted)));
  const keys = data.top[measure].filter(r => wanted === "" || shown(r.key).toLowerCase().includes(wanted));
  prefixTable.fill(found);
  keyTable.fill(keys, by);
  $("found").textContent = wanted === "" ? "" : plural(found.length, "prefix", "prefixes") + ", " + plural(keys.length, "of the largest keys", "of the largest keys");
}

if (longest > 1)
  choice($("levels"), [[0, "All"], ...Array.from({length: longest}, (_, i) => [i + 1, i === 0 ? "1 part" : i + 1 + " parts"])], 0, value => { level = value; fillLists(); });
choice($("measures"), measures.map(([value, text]) => [value, text]), measure, value => {
  measure = value;
  fillLists(measures.find(m => m[0] === value)[2]);
});
$("search").addEventListener("input", event => {
  wanted = event.target.value.trim().toLowerCase();
  fillLists();
  draw();
});

// ---- types, distributions, databases ----

const types = data.encodings.slice().sort((a, b) => b.memory - a.memory);
types.forEach((t, i) => { t.fill = i < colours ? "var(--c" + i + ")" : "var(--rest)"; });
$("stack").append(...types.map(t => el("i", {style: {"flex-grow": String(t.memory), "--fill": t.fill}})));
table($("types"), [
  {label: "Type · encoding", value: r => r.type + r.encoding, cell: r => el("span", {}, el("i", {class: "swatch", style: {"--fill": r.fill}}), r.type + " · " + r.encoding), text: true, wide: true},
  {label: "Memory", value: r => r.memory, cell: r => size(r.memory)},
  {label: "Share", value: r => r.memory, cell: r => withBar(r.memory, all.memory)},
  {label: "Keys", value: r => r.keys, cell: r => count(r.keys)},
  {label: "A key", value: r => r.memory / r.keys, cell: r => size(r.memory / r.keys)},
  {label: "Elements", value: r => r.elements, cell: r => count(r.elements)},
  {label: "Largest", value: r => r.largest_key, cell: r => size(r.largest_key)},
  {label: "In file", value: r => r.record_bytes, cell: r => size(r.record_bytes)}
], {by: 1}).fill(types);

function bars(place, rows, by) {
  const most = Math.max(1, ...rows.map(r => r[by]));
  const heads = ["", "", "Memory", "Keys"].map(text => el("span", {class: "top-line"}, text));
  place.replaceChildren(...heads, ...rows.flatMap(r => [
    el("span", {class: "label"}, r.label),
    el("div", {class: "track", "aria-hidden": "true"}, el("i", {class: r[by] > 0 ? "" : "zero", style: {width: 100 * r[by] / most + "%"}})),
    el("span", {class: by === "memory" ? "" : "minor"}, size(r.memory)),
    el("span", {class: by === "keys" ? "" : "minor"}, count(r.keys))
  ]));
}

function drawBars(by) {
  bars($("sizes"), data.sizes.map(r => ({...r, label: "≤ " + size(r.up_to)})), by);
  bars($("ttls"), data.ttls.filter((r, i) => r.keys > 0 || i > 1).map(r => ({...r, label: r.ttl})), by);
}
choice($("weigh"), [["memory", "Memory"], ["keys", "Keys"]], "memory", drawBars);
drawBars("memory");

if (hasDatabases) {
  $("databases-part").hidden = false;
  table($("databases"), [
    {label: "Database", value: r => r.db == null ? Infinity : r.db, cell: r => r.db == null ? "others" : String(r.db), text: true, wide: true},
    {label: "Memory", value: r => r.memory, cell: r => size(r.memory)},
    {label: "Share", value: r => r.memory, cell: r => withBar(r.memory, all.memory)},
    {label: "Keys", value: r => r.keys, cell: r => count(r.keys)},
    {label: "Expire", value: r => r.expiring / r.keys, cell: r => share(r.expiring, r.keys)}
  ], {by: 1}).fill(data.databases);
}

// ---- head and foot ----

const format = f => (f.version >= 80 ? "VALKEY" + String(f.version).padStart(3, "0") : "REDIS" + String(f.version).padStart(4, "0"));
const base = path => path === "-" ? "standard input" : path.replace(/.*\//, "");

function head() {
  const files = data.files, one = files.length === 1;
  const title = one ? shown(base(files[0].path)) : plural(files.length, "file");
  document.title = "What takes the memory: " + title;
  $("title").textContent = title;
  $("facts").textContent = one
    ? [format(files[0]), files[0].bytes > 0 ? size(files[0].bytes) : null, files[0].written_ms ? "written " + when(files[0].written_ms) : null].filter(Boolean).join(" · ")
    : size(files.reduce((n, f) => n + f.bytes, 0)) + " together";
  if (data.filtered) $("facts").append(" · some of the keys only");
}

function says() {
  const best = tree.c[0], type = types[0], e = el("p", {class: "says"}), key = data.top.memory[0];
  if (!type) return el("p", {class: "says"}, "There are no keys here.");
  const largest = tree.c.slice(0, 3).filter(c => c.m > 0.03 * all.memory);
  if (best && largest.length > 0) {
    if (largest.length === 1) {
      e.append(el("b", {}, share(best.m, all.memory)), " of the memory is below ", nameOf(best.n), "; by type ");
    } else {
      largest.forEach((c, i) => e.append(i === 0 ? "" : i === largest.length - 1 ? " and " : ", ", nameOf(c.n), " ", el("b", {}, share(c.m, all.memory))));
      e.append(" are the largest prefixes; by type ");
    }
  } else {
    e.append("By type ");
  }
  e.append(type.type + "s take the most, ", el("b", {}, share(data.encodings.filter(t => t.type === type.type).reduce((n, t) => n + t.memory, 0), all.memory)), ".");
  if (key && key.memory > 0.03 * all.memory) e.append(" One key, ", nameOf(key.key, key.key_bytes), ", has ", el("b", {}, share(key.memory, all.memory)), " alone.");
  return e;
}

function answer() {
  const facts = [["Keys", count(all.keys)], ["A key", all.keys > 0 ? size(all.memory / all.keys) : "–"], ["In the file", size(all.record_bytes)],
    ["Elements", count(all.elements)], ["Expire", share(all.expiring, all.keys)], ["Largest key", size(all.largest_key)]];
  $("answer").append(
    el("div", {class: "big"}, size(all.memory + all.tables), el("small", {}, "needed in Redis " + data.redis + ": keys and values " + size(all.memory) + ", tables of keys " + size(all.tables) +
      (all.memory_error > 0 ? "; from a sample, ± " + size(all.memory_error) : ""))),
    el("div", {}, says(), el("dl", {class: "tiles"}, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))))));
}

function foot() {
  table($("files"), [
    {label: "File", value: f => f.path, cell: f => el("span", {}, el("span", {class: "name"}, shown(f.path)), el("div", {class: "aux"}, f.aux.map(a => a.join(" ")).join(" · "))), text: true, wide: true},
    {label: "Format", value: f => f.version, cell: format},
    {label: "Size", value: f => f.bytes, cell: f => f.bytes > 0 ? size(f.bytes) : ""},
    {label: "Keys", value: f => f.keys, cell: f => count(f.keys)},
    {label: "Written", value: f => f.written_ms, cell: f => f.written_ms ? when(f.written_ms) : ""}
  ], {by: 2}).fill(data.files);
  const notes = ["Memory is what Redis " + data.redis + " with " + (data.allocator === "system" ? "the system's" : "its own") +
    " jemalloc takes for a key when it has loaded it: its name, its value in the encoding that fits, its entries in the tables of keys and of expiry times."];
  notes.push(data.pattern != null ? "Prefixes are what “" + shown(data.pattern) + "” captures." :
    "A prefix is a part of the name up to a “" + shown(data.separator) + "”; one that all of its keys have longer is shown as that.");
  if (data.sample < 1) notes.push("This is a sample of " + share(data.sample, 1) + " of all keys; sums are scaled up, the largest keys are those of the sample.");
  if (prefixes.some(p => p.o > 0)) notes.push("A “+” behind a prefix: some of its keys came when there was no room for it, so that its sums are a little too small.");
  $("notes").append(...notes.map(n => el("p", {}, n)));
}

// ---- light and dark ----

const root = document.documentElement;
const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
$("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("stillframe-report-theme", root.dataset.theme); } catch { /* not kept */ }
});
try {
  const kept = localStorage.getItem("stillframe-report-theme");
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
} catch { /* none kept */ }

head();
answer();
foot();
fillLists();
new ResizeObserver(draw).observe(map);
describe(tree);
