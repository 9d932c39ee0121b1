// The list: its panels, its chosen columns, its selected rows.
const $ = (selector, from = document) => from.querySelector(selector);
const boxes = () => [...document.querySelectorAll('#list tbody input[name="ids"]')];

// Empty fields of the filter form stay out of the URL.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id !== "list-form") return;
  const { parameters } = event.detail;
  for (const name of new Set(Object.keys(parameters))) {
    const values = [parameters[name]].flat().filter((value) => value !== "");
    if (!values.length) delete parameters[name];
  }
  delete parameters.cursor;
});

function closePanels(focus) {
  for (const each of document.querySelectorAll(".list-panel")) {
    const button = $(`[aria-controls="${each.id}"]`);
    if (focus && !each.hidden) button?.focus();
    each.hidden = true;
    button?.setAttribute("aria-expanded", "false");
  }
}
document.addEventListener("conditions-applied", () => closePanels(true));

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-panel]")) return closePanels(true);
  const opener = event.target.closest("[data-part]");
  if (opener) {
    const panel = document.getElementById(opener.dataset.panel);
    const open = panel.hidden;
    closePanels();
    panel.hidden = !open;
    $(`[aria-controls="${panel.id}"]`)?.setAttribute("aria-expanded", String(open));
    if (open) {
      const url = new URL(location.href);
      url.searchParams.set("_part", opener.dataset.part);
      htmx.ajax("GET", url.pathname + url.search, { target: panel, swap: "innerHTML" })
        .then(() => panel.querySelector("input, select")?.focus());
    }
    return;
  }
  if (event.target.closest("[data-export]")) {
    const url = new URL(location.href);
    url.searchParams.set("_part", "export");
    htmx.ajax("GET", url.pathname + url.search, { target: "#modal-body", swap: "innerHTML" });
  }
  if (event.target.closest("[data-pick-none]")) pick(false);
  if (event.target.closest("[data-pick-everything]")) {
    pick(true);
    $("#bulk-all").value = "1";
    show();
  }
  const row = event.target.closest("#list tbody tr");
  if (event.target.closest("td[data-cell]") && !event.target.closest("a, button")) return openSoon(event, row);
  if (row && !event.target.closest("a, button, input, label, select, [data-no-open]") && !String(getSelection())) {
    const link = row.querySelector(".row-link");
    if (link && (event.ctrlKey || event.metaKey)) window.open(link.href, "_blank", "noopener");
    else link?.click();
  }
});

// --- changing a cell in place: double click or "e", Enter saves, Escape restores, Tab goes on -----------
const before = new WeakMap(); // a cell and what it showed
let opening = 0;
let following = ""; // the cell to open when the row has come back

function openSoon(event, row) {
  if (event.target.closest("form, input, select, label")) return;
  clearTimeout(opening);
  if (event.detail > 1) return edit(event.target.closest("td[data-cell]"));
  opening = setTimeout(() => { if (!String(getSelection())) row.querySelector(".row-link")?.click(); }, 260);
}

function edit(cell) {
  if (!cell || cell.querySelector("[data-cell-form]")) return;
  getSelection().removeAllRanges();
  const url = new URL(location.href);
  url.searchParams.set("_cell", cell.dataset.cell);
  url.searchParams.set("_row", cell.parentElement.id.replace("row-", ""));
  before.set(cell, [...cell.childNodes]);
  htmx.ajax("GET", url.pathname + url.search, { target: cell, swap: "innerHTML" }).then(() => {
    const input = cell.querySelector("[data-cell-form] input:not([type=hidden]), [data-cell-form] select");
    if (!input) return;
    input.focus();
    input.select?.();
    input.dataset.was = input.value;
  });
}

function restore(cell) {
  if (before.has(cell)) cell.replaceChildren(...before.get(cell));
  (cell.parentElement.querySelector(".row-link") ?? cell).focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-cell-form]");
  if (form) {
    const cell = form.closest("td");
    if (event.key === "Escape") {
      event.preventDefault();
      restore(cell);
    } else if (event.key === "Tab" && !event.shiftKey && event.target.matches("input, select")) {
      const next = [...cell.parentElement.querySelectorAll("td[data-cell]")].find((each) => cell.compareDocumentPosition(each) & 4);
      if (!next) return;
      event.preventDefault();
      if (event.target.value === event.target.dataset.was) { restore(cell); edit(next); }
      else { following = `#${cell.parentElement.id} td[data-cell="${next.dataset.cell}"]`; form.requestSubmit(); }
    }
    return;
  }
  if (event.key !== "e" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select") || $("dialog[open]")) return;
  const cell = $("#list tbody tr.at td[data-cell]") ?? event.target.closest?.("tr")?.querySelector("td[data-cell]");
  if (!cell) return;
  event.preventDefault();
  edit(cell);
});
document.addEventListener("click", (event) => {
  const cancel = event.target.closest("[data-cell-cancel]");
  if (cancel) restore(cancel.closest("td"));
});
let saved = ""; // the row that was sent: it comes back as a new one and keeps the focus
document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.detail.elt.closest?.("[data-cell-form]");
  if (form) saved = `#${form.closest("tr").id}`;
});
document.addEventListener("htmx:afterSettle", () => {
  if (saved && !$(`${saved} [data-cell-form]`)) {
    const row = $(saved);
    saved = "";
    row?.classList.add("at");
    row?.querySelector(".row-link")?.focus({ preventScroll: true });
  }
  if (!following || !$(following)) return;
  const next = $(following);
  following = "";
  if (!$("[data-cell-form]")) edit(next);
});

function pick(on) {
  for (const box of boxes()) box.checked = on;
  $("#bulk-all").value = "";
  show();
}

function show() {
  const bar = $("#bulk-bar");
  if (!bar) return;
  const all = boxes();
  const chosen = all.filter((box) => box.checked);
  for (const box of all) box.closest("tr").classList.toggle("picked", box.checked);
  const head = $("[data-pick-all]");
  head.checked = chosen.length > 0 && chosen.length === all.length;
  head.indeterminate = chosen.length > 0 && !head.checked;
  bar.hidden = !chosen.length;
  const words = $(".bulk-count").dataset;
  $(".bulk-count").textContent = $("#bulk-all").value ? words.all : chosen.length === 1 ? words.one : words.many.replace("%n", chosen.length);
}

let last = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest?.('#list tbody input[name="ids"]');
  if (!box) return;
  const all = boxes();
  if (event.shiftKey && last) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const each of all.slice(from, to + 1)) each.checked = box.checked;
  }
  last = box;
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) return pick(event.target.checked);
  if (event.target.matches('#list tbody input[name="ids"]')) {
    $("#bulk-all").value = "";
    return show();
  }
  if (event.target.matches("[data-column]")) {
    event.stopPropagation();
    const chosen = [...document.querySelectorAll("[data-column]:checked")].map((box) => box.value);
    let field = $('#list input[type=hidden][name="columns"]');
    if (!field) {
      field = Object.assign(document.createElement("input"), { type: "hidden", name: "columns" });
      field.setAttribute("form", "list-form");
      $("#list").append(field);
    }
    field.value = chosen.join(",");
    $("#list-form").requestSubmit();
  }
}, true);

// A file is on its way: the page stays, its dialog has done its work.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-close-on-submit]")) {
    setTimeout(() => document.body.dispatchEvent(new CustomEvent("close-modal", { bubbles: true })), 0);
  }
});
