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

async function look() {
  const mine = ++latest;
  const url = `${palette.dataset.url}?q=${encodeURIComponent(input.value.trim())}`;
  const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (mine !== latest) return; // a later key was faster
  if (!answer?.ok) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: $("#toasts").dataset.offline, level: "error" } }));
    return;
  }
  results.innerHTML = await answer.text();
  mark(0);
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
