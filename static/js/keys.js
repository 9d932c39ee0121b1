// The keyboard: palette, g + letter, create, search, rows.
const $ = (selector, from = document) => from.querySelector(selector);
const palette = $("#palette");
const input = $("#palette-input");
const results = $("#palette-results");
const MIN_WAIT = 120;
let timer = 0;
let latest = 0;
let current = -1;

const items = () => [...results.querySelectorAll(".palette-item")];

function mark(index) {
  const all = items();
  current = all.length ? (index + all.length) % all.length : -1;
  all.forEach((item, at) => {
    item.id = `palette-item-${at}`;
    item.setAttribute("aria-selected", String(at === current));
  });
  input.setAttribute("aria-activedescendant", current < 0 ? "" : `palette-item-${current}`);
  all[current]?.scrollIntoView({ block: "nearest" });
}

// --- what can be done with the record or page in view: its own buttons, by their names -----------------
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();

function here(text) {
  const words = folded(text).split(/\s+/).filter(Boolean);
  const found = [];
  for (const button of document.querySelectorAll("#content .page-actions :is(a.btn, button.btn), #content .quick-tabs button")) {
    const label = (button.getAttribute("aria-label") || button.textContent).trim();
    if (!label || button.disabled || !button.checkVisibility()) continue;
    const own = folded(label).split(/[^\p{L}\p{N}]+/u);
    if (words.every((word) => own.some((part) => part.startsWith(word)))) found.push({ button, label });
  }
  return found;
}

// Where nothing is typed they stand first, yet Enter alone does none of them; else they follow the records.
function showHere(text) {
  const found = here(text);
  if (!found.length) return 0;
  const group = document.createElement("div");
  group.className = "palette-group";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", palette.dataset.here);
  const head = Object.assign(document.createElement("div"), { className: "palette-label", textContent: palette.dataset.here });
  group.append(head);
  for (const { button, label } of found) {
    const item = Object.assign(document.createElement("button"), { type: "button", className: "palette-item" });
    item.setAttribute("role", "option");
    const icon = button.querySelector("i.ti")?.cloneNode() ?? document.createElement("i");
    const words = Object.assign(document.createElement("span"), { className: "palette-text", textContent: label });
    item.append(icon, words);
    item.addEventListener("click", () => {
      palette.close();
      button.click();
    });
    group.append(item);
  }
  results.querySelector(".palette-none")?.remove();
  if (text) results.insertBefore(group, results.querySelector("[data-pages]"));
  else results.prepend(group);
  return text ? 0 : found.length;
}

async function look() {
  const mine = ++latest;
  const text = input.value.trim();
  const url = `${palette.dataset.url}?q=${encodeURIComponent(text)}`;
  const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (mine !== latest) return; // a later key was faster
  if (!answer?.ok) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: $("#toasts").dataset.offline, level: "error" } }));
    return;
  }
  const html = await answer.text();
  if (mine !== latest) return;
  results.innerHTML = html;
  mark(showHere(text));
  if (!text) results.scrollTop = 0;
}

function openPalette() {
  if (palette.open) return;
  palette.showModal();
  input.select();
  look();
}
input?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, MIN_WAIT);
});
palette?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") mark(current + 1);
  else if (event.key === "ArrowUp") mark(current - 1);
  else if (event.key === "Enter") items()[current]?.click();
  else if (event.key === "Escape") palette.close(); // the browser would only empty the search field
  else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette]")) openPalette();
});

// --- single keys -----------------------------------------------------------------------------------
let afterG = 0;
const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], [role=textbox]");

const rows = () => [...document.querySelectorAll("#list tbody tr:not(.group-row), [data-rows] [data-row]")];
function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("at"));
  const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
  for (const row of all) row.classList.toggle("at", row === next);
  (next.querySelector(".row-link, a") ?? next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const single = {
  "?": () => $("#shortcuts").showModal(),
  "/": () => ($("#list-search") ?? { focus: openPalette }).focus(),
  c: () => $("[data-create]")?.click(),
  j: () => move(1),
  k: () => move(-1),
  x: () => $("#list tbody tr.at input[name=ids]")?.click(),
  "]": () => $("a[rel=next]")?.click(),
  "[": () => $("a[rel=prev]")?.click(),
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing(event.target) && !event.target.matches("input[type=checkbox]")) return;
  if (document.querySelector("dialog[open]")) return;
  if (Date.now() < afterG) {
    afterG = 0;
    const target = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (target) { event.preventDefault(); target.click(); }
    return;
  }
  if (event.key === "g") { afterG = Date.now() + 1200; return; }
  const act = single[event.key];
  if (act) { event.preventDefault(); act(); }
});
