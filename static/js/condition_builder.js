// The condition builder: a tree of groups and rows over the JSON in a textarea, which stays the one truth.
// Without this file the textarea alone is the form. What can't be drawn (a filter as a tree) is kept as it is.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
};
const icon = (name) => make("i", { class: `ti ti-${name}`, "aria-hidden": "true" });
const words = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const NUMBER = /^-?\d{1,15}(\.\d{1,10})?$/;
const numeric = (text) => (NUMBER.test(text.trim()) ? Number(text) : text);
const ARITY = { none: undefined, one: "", two: ["", ""], many: [], span: { days: 7 } };
const DEEPEST = 6; // a leaf and the group around it fit below the language's eight levels
const FARTHEST = 2; // relations behind one another

// --- between JSON and the tree ----------------------------------------------------------------------
function read(json) {
  if (isObject(json)) {
    if (Array.isArray(json.all)) return { type: "group", mode: "all", items: json.all.map(read) };
    if (Array.isArray(json.any)) return { type: "group", mode: "any", items: json.any.map(read) };
    if (isObject(json.not)) {
      const inner = read(json.not);
      if (inner.type === "group" && inner.mode === "any") return { ...inner, mode: "none" };
      if (inner.type === "group" && inner.mode === "all") return { ...inner, mode: "notall" };
      return { type: "group", mode: "none", items: [inner] };
    }
    if ("field" in json) return { type: "field", field: json.field, op: json.op, value: json.value };
    if ("segment" in json) return { type: "segment", id: String(json.segment) };
    if ("activity" in json) return readActivity(json);
    if (typeof json.related === "string") return readRelated(json);
  }
  return { type: "raw", json };
}

function readActivity(json) {
  const measure = ["count", "sum", "last"].find((name) => name in json) ?? "count";
  const { activity, op, within, of, together, where } = json;
  const list = where == null ? [] : Array.isArray(where) ? where : where.all;
  const flat = Array.isArray(list) && list.every((each) => isObject(each) && "property" in each);
  return { type: "activity", kind: activity, measure, op, value: json[measure], within, of, together, where: flat ? list : [], kept: flat ? undefined : where };
}

function readRelated(json) {
  const counted = isObject(json.has);
  const where = json.where == null ? { type: "group", mode: "all", items: [] } : read(Array.isArray(json.where) ? { all: json.where } : json.where);
  return { type: "related", name: json.related, has: counted ? "at_least" : json.has, least: counted ? json.has.at_least : 2, where: where.type === "group" ? where : { type: "group", mode: "all", items: [where] } };
}

function write(node) {
  if (node.type === "raw") return node.json;
  if (node.type === "segment") return { segment: node.id };
  if (node.type === "field") return { field: node.field, op: node.op, ...(node.value === undefined ? {} : { value: node.value }) };
  if (node.type === "activity") {
    const out = { activity: node.kind, op: node.op, [node.measure]: node.value, within: node.within };
    if (node.measure === "sum") out.of = node.of ?? "";
    if (node.measure === "count" && node.together) out.together = node.together;
    if (node.kept !== undefined) out.where = node.kept;
    else if (node.where.length) out.where = node.where;
    return out;
  }
  if (node.type === "related") {
    const out = { related: node.name, has: node.has === "at_least" ? { at_least: node.least } : node.has };
    return node.where.items.length || node.where.mode !== "all" ? { ...out, where: write(node.where) } : out;
  }
  const items = node.items.map(write);
  if (node.mode === "none") return { not: { any: items } };
  if (node.mode === "notall") return { not: { all: items } };
  return { [node.mode]: items };
}

// Where each node lies in the JSON ("all.0.not.any.1"): faults come back by these.
function place(node, path = "") {
  node.path = path;
  if (node.type === "related") place(node.where, `${path ? `${path}.` : ""}where`);
  if (node.type !== "group") return;
  const head = { all: "all", any: "any", none: "not.any", notall: "not.all" }[node.mode];
  node.items.forEach((item, index) => place(item, `${path ? `${path}.` : ""}${head}.${index}`));
}

// Whoever types the beginning of an option, or walks by arrows, passes others on the way: only what they stop at counts.
function patiently(select, change) {
  let typed = 0;
  let timer = 0;
  let waiting = null;
  const now = () => {
    clearTimeout(timer);
    const run = waiting;
    waiting = null;
    run?.();
  };
  select.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || (event.key === "Tab" && waiting)) {
      const tree = select.closest("[data-tree]");
      now();
      if (event.key !== "Tab") return;
      // The row was drawn anew under the key: it goes on from there.
      event.preventDefault();
      const all = [...tree.querySelectorAll("select, input:not([type=hidden]), button")];
      all[all.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1)]?.focus();
    } else if (event.key.length === 1 || event.key.startsWith("Arrow")) typed = event.timeStamp;
  });
  select.addEventListener("change", (event) => {
    const { value } = select;
    waiting = () => change(value);
    clearTimeout(timer);
    if (typed && event.timeStamp - typed < 500) timer = setTimeout(now, 700);
    else now();
  });
  select.addEventListener("blur", now);
}

class Builder {
  constructor(box) {
    this.box = box;
    this.tree = box.querySelector("[data-tree]");
    this.text = box.querySelector("textarea");
    this.data = JSON.parse(box.dataset.spec);
    this.t = this.data.texts;
    this.records = this.data.records;
    for (const record of Object.values(this.records)) for (const field of record.fields) field.operators = field.operators.map((name) => ({ name, ...this.data.operators[name] }));
    this.count = 0;
    box.querySelector("details").open = false;
    this.tree.hidden = false;
    this.take();
    this.text.addEventListener("input", (event) => { if (!this.writing && event.target === this.text) this.take(); });
  }

  // The text was changed by hand.
  take() {
    let json = null;
    try {
      json = this.text.value.trim() ? JSON.parse(this.text.value) : { all: [] };
    } catch { /* shown below */ }
    if (json === null) {
      this.tree.replaceChildren(make("p", { class: "field-error" }, this.t.unreadable));
      this.box.querySelector("details").open = true;
      return;
    }
    const root = read(json);
    this.root = root.type === "group" ? root : { type: "group", mode: "all", items: [root] };
    this.draw();
  }

  changed() {
    place(this.root);
    this.writing = true;
    this.text.value = JSON.stringify(write(this.root), null, 2);
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
    this.writing = false;
  }

  draw(focus) {
    place(this.root);
    this.count = 0;
    this.tree.replaceChildren(this.group(this.root, null, { depth: 1, record: this.records[this.data.record], beyond: 0 }));
    if (focus) this.tree.querySelector(`[data-focus="${focus}"]`)?.focus();
  }

  redraw(focus, said) {
    this.changed();
    this.draw(focus);
    if (said) this.box.querySelector("[data-say]").textContent = said;
  }

  id() {
    this.count += 1;
    return `${this.text.id}_${this.count}`;
  }

  // --- inputs -----------------------------------------------------------------------------------------
  select(label, options, value, change, extra = {}) {
    const found = options.some((option) => String(option.value) === String(value ?? ""));
    const input = make("select", { class: "form-select", "aria-label": label, ...extra });
    patiently(input, change);
    let groups = "";
    let into = input;
    for (const option of options) {
      if ((option.group ?? "") !== groups) {
        groups = option.group ?? "";
        into = groups ? make("optgroup", { label: groups }) : input;
        if (into !== input) input.append(into);
      }
      into.append(make("option", { value: option.value, selected: String(option.value) === String(value ?? "") }, option.label));
    }
    if (!found) input.prepend(make("option", { value: value ?? "", selected: true }, value == null || value === "" ? "–" : String(value)));
    return input;
  }

  input(label, value, change, extra = {}) {
    return make("input", { class: "form-control", type: "text", maxlength: 1000, value: value ?? "", "aria-label": label, autocomplete: "off", ...extra, on: { input: (event) => { change(event.target.value); this.changed(); } } });
  }

  number(label, value, change, extra = {}) {
    return this.input(label, value, (text) => change(numeric(text)), { inputmode: "decimal", class: "form-control builder-number", maxlength: 30, ...extra });
  }

  span(label, value, change, units = this.data.units) {
    const [unit, amount] = Object.entries(isObject(value) ? value : { days: 7 })[0] ?? ["days", 7];
    let now = { unit, amount };
    const put = (part) => { now = { ...now, ...part }; change({ [now.unit]: now.amount }); };
    return make("span", { class: "builder-pair", role: "group", "aria-label": label },
      this.number(`${label}: ${this.t.amount}`, amount, (n) => put({ amount: n })),
      this.select(`${label}: ${this.t.unit}`, units, unit, (u) => { put({ unit: u }); this.changed(); }));
  }

  moment(label, value, days, change) {
    const kinds = ["date", "today", "yesterday", "tomorrow", "ago", "from_now", "start_of", "end_of"];
    if (!days) kinds.splice(1, 0, "now");
    let kind = "date";
    if (isObject(value)) kind = Object.keys(value).find((key) => kinds.includes(key)) ?? "date";
    else if (kinds.includes(value)) kind = value;
    else if (typeof value === "string" && value.length > 10) kinds.push((kind = "instant"));
    const blank = { date: "", instant: value, ago: { ago: { days: 7 } }, from_now: { from_now: { days: 7 } }, start_of: { start_of: "month" }, end_of: { end_of: "month" } };
    const chosen = this.select(`${label}: ${this.t.moment}`, kinds.map((each) => ({ value: each, label: this.t[each] })), kind, (k) => { change(blank[k] ?? k); this.redraw(key); });
    const key = this.id();
    chosen.dataset.focus = key;
    const parts = [chosen];
    if (kind === "date") parts.push(this.input(label, value, change, { type: "date" }));
    else if (kind === "instant") parts.push(this.input(label, value, change));
    else if (kind === "ago" || kind === "from_now") parts.push(this.span(label, value[kind], (span) => change({ [kind]: span }), days ? this.data.units.slice(2) : this.data.units));
    else if (kind === "start_of" || kind === "end_of") {
      let now = { period: value[kind], offset: value.offset ?? 0 };
      const put = (part) => { now = { ...now, ...part }; change({ [kind]: now.period, ...(now.offset ? { offset: now.offset } : {}) }); };
      parts.push(this.select(this.t.period, this.data.periods, now.period, (p) => { put({ period: p }); this.changed(); }),
        this.number(this.t.offset, now.offset, (n) => put({ offset: n }), { title: this.t.offset }));
    }
    return make("span", { class: "builder-pair", role: "group", "aria-label": label }, ...parts);
  }

  one(field, value, change, label) {
    const { type, choices, lookup } = field;
    if (choices) return this.select(label, choices, value, (v) => { change(v); this.changed(); });
    if (lookup) return this.lookup(field, value, change, label);
    if (type === "number" || (type === "money" && !field.currency)) return this.number(label, value, change);
    if (type === "money") return this.money(value, change, label);
    if (type === "date" || type === "datetime") return this.moment(label, value, type === "date", (v) => { change(v); this.changed(); });
    if (type === "boolean") return this.select(label, [{ value: "true", label: this.t.yes }, { value: "false", label: this.t.no }], String(value), (v) => { change(v === "true"); this.changed(); });
    return this.input(label, value, change);
  }

  money(value, change, label) {
    let now = isObject(value) ? value : { amount: "", currency: "" };
    const put = (part) => { now = { ...now, ...part }; change(now); };
    return make("span", { class: "builder-pair", role: "group", "aria-label": label },
      this.number(`${label}: ${this.t.amount}`, now.amount, (n) => put({ amount: String(n) }), { placeholder: this.t.amount }),
      this.input(this.t.currency, now.currency, (text) => put({ currency: text.toUpperCase() }), { maxlength: 3, class: "form-control builder-number", placeholder: "EUR" }));
  }

  // See lookup.js: a hidden id and the text that finds it.
  lookup(field, value, change, label) {
    const key = this.id();
    const hidden = make("input", { type: "hidden", value: value ?? "", on: { change: (event) => { this.data.names[`${field.name}:${event.target.value}`] = text.value; change(event.target.value); this.changed(); } } });
    const shown = this.data.names[`${field.name}:${value}`] ?? value ?? "";
    const text = make("input", { type: "text", class: "form-control", value: shown, maxlength: 200, autocomplete: "off", spellcheck: "false", role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": `${key}_list`, placeholder: this.t.typeName });
    return make("span", { class: "lookup", "data-lookup": field.lookup }, hidden, text, make("span", { class: "lookup-list", id: `${key}_list`, role: "listbox", hidden: true }));
  }

  many(field, value, change, label) {
    const chosen = Array.isArray(value) ? value.map(String) : [];
    if (!field.choices) return field.lookup ? this.completed(field, chosen, change, label) : this.input(label, chosen.join(", "), (text) => change(words(text)), { placeholder: this.t.several });
    const boxes = field.choices.map((choice) => {
      const box = make("input", { type: "checkbox", class: "form-check-input", value: choice.value, checked: chosen.includes(String(choice.value)), on: { change: () => { change(boxes.filter((each) => each.firstChild.checked).map((each) => each.firstChild.value)); this.changed(); } } });
      return make("label", { class: "form-check" }, box, make("span", { class: "form-check-label" }, choice.label));
    });
    return make("span", { class: "builder-choices", role: "group", "aria-label": label }, ...boxes);
  }

  // Words with commas between them, of which lookup.js completes the last one.
  completed(field, chosen, change, label) {
    const list = `${this.id()}_list`;
    const put = (event) => { change(words(event.target.value)); this.changed(); };
    const text = make("input", { type: "text", class: "form-control", value: chosen.join(", "), maxlength: 1000, autocomplete: "off", spellcheck: "false", role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list, placeholder: this.t.several, on: { input: put, change: put } });
    return make("span", { class: "lookup", "data-lookup": field.lookup, "data-many": true }, text, make("span", { class: "lookup-list", id: list, role: "listbox", hidden: true }));
  }

  // The inputs of an operator: none, one, two, many or a span.
  values(field, op, value, change) {
    const arity = field.operators.find((each) => each.name === op)?.arity ?? "one";
    const label = `${field.label}: ${this.t.value}`;
    if (arity === "none") return null;
    if (arity === "span") return this.span(label, value, (span) => { change(span); this.changed(); }, field.type === "date" ? this.data.units.slice(2) : this.data.units);
    if (arity === "many") return this.many(field, value, change, label);
    if (arity === "one") return this.one(field, value, change, label);
    const pair = Array.isArray(value) ? [...value, "", ""].slice(0, 2) : ["", ""];
    const put = (index) => (part) => { pair[index] = part; change([...pair]); };
    return make("span", { class: "builder-between" }, this.one(field, pair[0], put(0), label), make("span", { class: "soft" }, this.t.and), this.one(field, pair[1], put(1), label));
  }

  // --- rows -------------------------------------------------------------------------------------------
  // ``at``: {depth, record, beyond}, the level of the group, the kind of record it is about, and how many relations lead there.
  kinds(at) {
    const options = [{ value: "", label: this.t.choose }];
    for (const field of at.record.fields) options.push({ value: `field:${field.name}`, label: field.label, group: field.group || this.t.fields });
    // Fields of one group stand together, in the order in which the groups first come.
    const order = [...new Set(options.map((option) => option.group))];
    options.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group));
    if (at.record.activities) options.push({ value: "activity", label: this.t.activity, group: this.t.activities });
    if (at.record.segments.length) options.push({ value: "segment", label: this.t.segment, group: this.t.segments });
    if (at.beyond < FARTHEST && at.depth < DEEPEST) for (const each of at.record.related) options.push({ value: `related:${each.name}`, label: `${each.label} …`, group: this.t.related });
    return options;
  }

  blank(what, at) {
    if (what === "activity") return { type: "activity", kind: at.record.activities[0]?.kind ?? "", measure: "count", op: "gte", value: 1, within: { days: 90 }, where: [] };
    if (what === "segment") return { type: "segment", id: at.record.segments[0].value };
    if (what.startsWith("related:")) return { type: "related", name: what.slice("related:".length), has: "any", least: 2, where: { type: "group", mode: "all", items: [] } };
    const field = this.field(what.slice("field:".length), at);
    const node = { type: "field", field: field.name, op: field.operators[0].name };
    return { ...node, value: this.first(field, node.op) };
  }

  field(name, at) {
    return at.record.fields.find((each) => each.name === name);
  }

  relation(node, at) {
    return at.record.related.find((each) => each.name === node.name);
  }

  first(field, op) {
    const { arity } = field.operators.find((each) => each.name === op) ?? { arity: "one" };
    if (arity !== "one" && arity !== "two") return structuredClone(ARITY[arity]);
    const choice = field.choices?.[0]?.value;
    const single = { boolean: true, date: "today", datetime: "today" }[field.type] ?? choice ?? "";
    return arity === "two" ? [single, single] : single;
  }

  row(node, parent, at) {
    const key = this.id();
    const what = node.type === "field" ? `field:${node.field}` : node.type === "related" ? `related:${node.name}` : node.type === "new" ? "" : node.type;
    const parts = [];
    let below = null;
    if (node.type === "raw" || (node.type === "field" && !this.field(node.field, at)) || (node.type === "related" && !this.relation(node, at))) {
      parts.push(make("code", { class: "builder-raw" }, JSON.stringify(write(node))));
    } else {
      parts.push(this.select(this.t.what, this.kinds(at), what, (value) => {
        if (!value) return;
        if (node.type === "new") {
          parent.items.push(this.blank(value, at));
          this.redraw(null, this.t.added);
          this.tree.querySelector(`[data-path="${parent.items.at(-1).path}"] select`)?.focus();
          return;
        }
        parent.items[parent.items.indexOf(node)] = this.blank(value, at);
        this.redraw(key);
      }, { "data-focus": key, class: "form-select builder-what" }));
      if (node.type === "field") parts.push(...this.fieldParts(node, at));
      if (node.type === "related") parts.push(...this.relatedParts(node, at));
      below = node.type === "related" ? this.relatedGroup(node, at) : null;
      if (node.type === "segment") parts.push(this.select(this.t.segment, at.record.segments, node.id, (id) => { node.id = id; this.changed(); }));
      if (node.type === "activity") parts.push(...this.activityParts(node, at));
    }
    const remove = make("button", { type: "button", class: "icon-button", "aria-label": this.t.remove, title: this.t.remove, on: { click: () => (node.type === "new" ? this.draw(`add-${parent.path || "root"}`) : this.drop(node, parent)) } }, icon("x"));
    return make("div", { class: "builder-row", "data-path": node.path, role: "group", "aria-label": this.t.condition }, make("span", { class: "builder-parts" }, ...parts), remove, below);
  }

  fieldParts(node, at) {
    const field = this.field(node.field, at);
    const key = this.id();
    const op = this.select(this.t.how, field.operators.map((each) => ({ value: each.name, label: each.label })), node.op, (name) => {
      const arity = (wanted) => field.operators.find((each) => each.name === wanted)?.arity;
      if (arity(name) !== arity(node.op)) node.value = this.first(field, name);
      node.op = name;
      this.redraw(key);
    }, { "data-focus": key });
    return [op, this.values(field, node.op, node.value, (value) => { node.value = value; })];
  }

  relatedParts(node, at) {
    const relation = this.relation(node, at);
    const key = this.id();
    const ways = [{ value: "any", label: relation.single ? this.t.hasOne : this.t.hasAny }, { value: "none", label: relation.single ? this.t.hasNoOne : this.t.hasNone }];
    if (!relation.single) ways.push({ value: "at_least", label: this.t.hasLeast });
    const has = this.select(`${relation.label}: ${this.t.has}`, ways, node.has, (value) => { node.has = value; this.redraw(key); }, { "data-focus": key });
    return [has, node.has === "at_least" ? this.number(this.t.least, node.least, (n) => { node.least = n; }) : null];
  }

  // What has to hold of the related records: a group of its own, in their fields.
  relatedGroup(node, at) {
    const below = { depth: at.depth + 2, record: this.records[this.relation(node, at).record], beyond: at.beyond + 1, empty: this.t.relatedEmpty };
    return make("div", { class: "builder-inner builder-related", "data-path": node.where.path }, this.group(node.where, null, below));
  }

  activityParts(node, at) {
    const key = this.id();
    const list = `${key}_kinds`;
    const operators = this.data.measures[node.measure];
    const known = at.record.activities;
    const measure = this.select(this.t.measure, ["count", "sum", "last"].map((each) => ({ value: each, label: this.t[each] })), node.measure, (name) => {
      Object.assign(node, { measure: name, op: name === "last" ? "in_last" : "gte", value: name === "last" ? { days: 30 } : 1, of: name === "sum" ? "amount" : undefined, together: undefined });
      this.redraw(key);
    }, { "data-focus": key });
    const figure = { label: this.t[node.measure], type: node.measure === "last" ? "datetime" : "number", operators };
    const opKey = this.id();
    const op = this.select(this.t.how, operators.map((each) => ({ value: each.name, label: each.label })), node.op, (name) => {
      const arity = (wanted) => operators.find((each) => each.name === wanted)?.arity;
      if (arity(name) !== arity(node.op)) node.value = this.first(figure, name);
      node.op = name;
      if (name !== "gte") node.together = undefined;
      this.redraw(opKey);
    }, { "data-focus": opKey });
    return [
      this.input(this.t.kind, node.kind, (text) => { node.kind = text.trim(); }, { list, maxlength: 100 }),
      make("datalist", { id: list }, ...known.map((each) => make("option", { value: each.kind }, each.label))),
      measure,
      node.measure === "sum" ? this.input(this.t.of, node.of, (text) => { node.of = text.trim(); }, { maxlength: 100, class: "form-control builder-number" }) : null,
      op,
      this.values(figure, node.op, node.value, (value) => { node.value = value; }),
      make("span", { class: "soft" }, this.t.within),
      this.span(this.t.within, node.within, (span) => { node.within = span; this.changed(); }),
      node.measure === "count" && node.op === "gte" ? this.together(node) : null,
      node.kept !== undefined ? make("span", { class: "soft" }, this.t.whereKept) : this.where(node, at),
    ];
  }

  together(node) {
    const key = this.id();
    const close = this.select(this.t.together, [{ value: "", label: this.t.anytime }, { value: "1", label: this.t.together }], node.together ? "1" : "", (value) => {
      node.together = value ? { days: 90 } : undefined;
      if (value && !(node.value >= 2)) node.value = 2;
      this.redraw(key);
    }, { "data-focus": key });
    return make("span", { class: "builder-pair" }, close, node.together ? this.span(this.t.together, node.together, (span) => { node.together = span; this.changed(); }, this.data.units.slice(0, 4)) : null);
  }

  where(node, at) {
    const operators = [...this.data.measures.count, ...(at.record.fields.find((field) => field.type === "text")?.operators ?? [])];
    const known = [...new Map(operators.map((each) => [each.name, each])).values()].filter((each) => each.arity !== "many");
    const lines = node.where.map((line, index) => {
      const field = { label: line.property, type: "text", operators: known };
      const key = this.id();
      const comparing = ["gt", "gte", "lt", "lte", "between", "eq", "ne"].includes(line.op);
      const put = (value) => { line.value = comparing ? (Array.isArray(value) ? value.map(numeric) : numeric(value)) : value; };
      return make("span", { class: "builder-where" }, make("span", { class: "soft" }, this.t.where),
        this.input(this.t.of, line.property, (text) => { line.property = text.trim(); }, { maxlength: 100, class: "form-control builder-number" }),
        this.select(this.t.how, known.map((each) => ({ value: each.name, label: each.label })), line.op, (name) => {
          line.op = name;
          const { arity } = known.find((each) => each.name === name);
          line.value = arity === "none" ? undefined : arity === "two" ? ["", ""] : Array.isArray(line.value) ? "" : line.value ?? "";
          this.redraw(key);
        }, { "data-focus": key }),
        this.values(field, line.op, typeof line.value === "number" ? String(line.value) : line.value, put),
        make("button", { type: "button", class: "icon-button", "aria-label": this.t.removeWhere, title: this.t.removeWhere, on: { click: () => { node.where.splice(index, 1); this.redraw(); } } }, icon("x")));
    });
    const add = make("button", { type: "button", class: "btn btn-quiet", on: { click: () => { node.where.push({ property: "", op: "eq", value: "" }); this.redraw(); } } }, this.t.addWhere);
    return make("span", { class: "builder-wheres" }, ...lines, add);
  }

  // --- groups -----------------------------------------------------------------------------------------
  group(node, parent, at) {
    const { depth } = at;
    const inner = { ...at, depth: depth + 1, empty: undefined };
    const addKey = `add-${node.path || "root"}`;
    const mode = this.select(this.t.match, ["all", "any", "none", "notall"].map((each) => ({ value: each, label: this.t[each] })), node.mode, (value) => {
      node.mode = value;
      this.redraw(`mode-${node.path}`);
    }, { "data-focus": `mode-${node.path}` });
    const head = make("div", { class: "builder-head" }, mode);
    if (parent) head.append(make("button", { type: "button", class: "icon-button", "aria-label": this.t.removeGroup, title: this.t.removeGroup, on: { click: () => this.drop(node, parent) } }, icon("x")));
    const items = node.items.map((item) => (item.type === "group" ? make("div", { class: "builder-inner", "data-path": item.path }, this.group(item, node, inner)) : this.row(item, node, at)));
    const list = node.items.length ? make("div", { class: "builder-list" }, ...items) : make("p", { class: "soft builder-empty" }, at.empty ?? (parent ? "" : this.t.empty));
    const feet = make("div", { class: "builder-feet" }, make("button", { type: "button", class: "btn btn-quiet", "data-focus": addKey, on: { click: () => this.add(node, at) } }, icon("plus"), this.t.add));
    if (depth < DEEPEST) feet.append(make("button", { type: "button", class: "btn btn-quiet", on: { click: () => this.addGroup(node) } }, icon("brackets"), this.t.addGroup));
    return make("fieldset", { class: "builder-group" }, make("legend", { class: "visually-hidden" }, this.t.group), head, list, feet);
  }

  // A new row is drawn, but becomes part of the condition when its field is chosen.
  add(node, at) {
    const row = this.row({ type: "new", path: "" }, node, at);
    const button = this.tree.querySelector(`[data-focus="add-${node.path || "root"}"]`);
    const group = button.closest(".builder-group");
    let list = group.querySelector(":scope > .builder-list");
    if (!list) {
      list = make("div", { class: "builder-list" });
      group.querySelector(":scope > .builder-empty").replaceWith(list);
    }
    list.append(row);
    row.querySelector("select").focus();
  }

  addGroup(node) {
    node.items.push({ type: "group", mode: "any", items: [] });
    this.redraw(null, this.t.added);
    this.tree.querySelector(`[data-focus="add-${node.items.at(-1).path}"]`)?.focus();
  }

  drop(node, parent) {
    parent.items.splice(parent.items.indexOf(node), 1);
    this.redraw(`add-${parent.path || "root"}`, this.t.removed);
  }

  // Faults of a preview or a refused form, each at the row that it is about.
  blame(faults) {
    for (const old of this.tree.querySelectorAll(".builder-fault")) old.remove();
    for (const { path, text } of faults) {
      const rows = [...this.tree.querySelectorAll("[data-path]")].filter((row) => row.dataset.path && `${path}.`.startsWith(`${row.dataset.path}.`));
      const row = rows.at(-1);
      row?.append(make("p", { class: "field-error builder-fault" }, text));
    }
  }
}

const builders = new Map();
function start() {
  for (const box of document.querySelectorAll("[data-condition-builder]:not([data-built])")) {
    box.dataset.built = "";
    builders.set(box.querySelector("textarea").name, new Builder(box));
  }
}
function blame() {
  for (const [name, builder] of builders) {
    const faults = [...document.querySelectorAll("[data-fault]")].filter((each) => each.dataset.fault === name || each.dataset.fault.startsWith(`${name}.`));
    builder.blame(faults.map((each) => ({ path: each.dataset.fault.slice(name.length + 1), text: each.textContent })));
  }
}
start();
blame();
document.addEventListener("htmx:afterSettle", () => { start(); blame(); });
