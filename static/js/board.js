// The board: cards move by mouse, by touch and by keyboard; at once here, then on the server, back if that fails.
const $ = (selector, from = document) => from.querySelector(selector);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const board = () => $("[data-board]");
const mayWrite = () => board()?.dataset.mayWrite !== undefined;
const cardsOf = (column) => [...column.querySelectorAll(":scope > .deal-card")];
const columns = () => [...document.querySelectorAll("[data-cards]")];
const nameOf = (card) => $(".deal-name", card).textContent;
const stageOf = (column) => column.closest("[data-stage]").dataset.name;

function say(words, card, column) {
  const all = cardsOf(column);
  $("#announcer").textContent = words
    .replace("%card", nameOf(card))
    .replace("%stage", stageOf(column))
    .replace("%n", all.indexOf(card) + 1)
    .replace("%all", all.length);
}
const tell = (text, level) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, level } }));

// --- where a card stands, and putting it there ------------------------------------------------------
const next = (card, step) => {
  let at = card;
  do at = step < 0 ? at.previousElementSibling : at.nextElementSibling;
  while (at && !at.matches(".deal-card"));
  return at;
};
const spot = (card) => ({
  column: card.parentElement.dataset.cards,
  above: next(card, -1)?.dataset.deal ?? "",
  below: next(card, 1)?.dataset.deal ?? "",
});
const same = (a, b) => a.column === b.column && a.above === b.above && a.below === b.below;

function put(card, { column, above, below }) {
  const list = document.getElementById(`column-${column}`);
  const upper = above && $(`#deal-${above}`, list);
  const lower = below && $(`#deal-${below}`, list);
  if (upper) upper.after(card);
  else if (lower) lower.before(card);
  else list.prepend(card);
}

// --- telling the server, one move after the other -----------------------------------------------------
let line = Promise.resolve();

function save(card, from, undoing = false) {
  const to = spot(card);
  if (same(from, to)) return;
  card.classList.add("is-saving");
  line = line.then(() => send(card, from, to, undoing));
}

async function send(card, from, to, undoing) {
  const words = board().dataset;
  const id = card.dataset.deal;
  const body = new URLSearchParams({ stage: to.column, above: to.above, below: to.below });
  const headers = { "X-CSRFToken": $('meta[name="csrf-token"]').content, "HX-Request": "true" };
  const url = `${$(".deal-name", card).getAttribute("href")}place/${words.query}`;
  const answer = await fetch(url, { method: "POST", body, headers }).catch(() => null);
  const text = (await answer?.text().catch(() => "")) ?? "";
  if (!answer?.ok || answer.redirected) {
    card.classList.remove("is-saving");
    if (card.isConnected) put(card, from);
    const reason = answer?.headers.get("Content-Type")?.startsWith("text/plain") ? text : "";
    tell([reason, words.failed].filter(Boolean).join(" "), "error");
    say(words.cancelled, card, card.parentElement);
    return;
  }
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const head of fresh.querySelectorAll(".board-head")) swap(document.getElementById(head.id), head);
  const focused = document.activeElement;
  const had = card.contains(focused);
  const newer = fresh.getElementById(`deal-${id}`);
  if (newer) swap(card, newer);
  if (had) $(".deal-name", document.getElementById(`deal-${id}`))?.focus({ preventScroll: true });
  const now = newer ?? card;
  say(undoing ? words.undone : words.dropped, now, now.parentElement);
  if (!undoing && from.column !== to.column) offerUndo(id, from);
}

function swap(old, fresh) {
  if (!old) return;
  old.replaceWith(document.adoptNode(fresh));
  htmx.process(fresh);
}

function offerUndo(id, from) {
  const words = board().dataset;
  const card = document.getElementById(`deal-${id}`);
  for (const old of document.querySelectorAll(".toast-undo")) old.closest(".toast-card").remove();
  tell(words.saved.replace("%card", nameOf(card)).replace("%stage", stageOf(card.parentElement)), "success");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-quiet toast-undo", textContent: words.undo });
  const shown = $("#toasts").lastElementChild;
  $("[data-toast-close]", shown).before(button);
  button.addEventListener("click", () => {
    shown.remove();
    const again = document.getElementById(`deal-${id}`);
    if (!again) return;
    const here = spot(again);
    put(again, from);
    save(again, here, true);
    $(".deal-name", again).focus();
  });
}

// --- mouse and touch ------------------------------------------------------------------------------------
function arm() {
  if (!mayWrite()) return;
  for (const list of columns()) {
    if (list.dataset.armed) continue;
    list.dataset.armed = "yes";
    let from = null;
    Sortable.create(list, {
      group: "deals",
      draggable: ".deal-card",
      filter: ".deal-menu",
      preventOnFilter: false,
      animation: calm.matches ? 0 : 120,
      delay: 180,
      delayOnTouchOnly: true,
      touchStartThreshold: 6,
      forceFallback: true,
      fallbackTolerance: 4,
      emptyInsertThreshold: 48,
      scrollSensitivity: 56,
      scrollSpeed: 14,
      bubbleScroll: true,
      onStart: ({ item }) => {
        letGo(true);
        from = spot(item);
        board().classList.add("is-dragging");
      },
      onEnd: ({ item }) => {
        board().classList.remove("is-dragging");
        const more = $(":scope > .board-more", item.parentElement);
        if (more) item.parentElement.append(more);
        save(item, from);
      },
    });
  }
}
document.addEventListener("contextmenu", (event) => {
  if (event.pointerType === "touch" && event.target.closest?.(".deal-card")) event.preventDefault();
});

// --- keyboard ---------------------------------------------------------------------------------------------
let held = null; // { card, from }
let moving = false;

function letGo(back) {
  if (!held) return;
  const { card, from } = held;
  held = null;
  card.classList.remove("is-held");
  if (back) {
    put(card, from);
    say(board().dataset.cancelled, card, card.parentElement);
  } else save(card, from);
}

function carry(card, key) {
  const list = card.parentElement;
  if (key === "ArrowUp") next(card, -1)?.before(card);
  else if (key === "ArrowDown") next(card, 1)?.after(card);
  else {
    const all = columns();
    const to = all[all.indexOf(list) + (key === "ArrowLeft" ? -1 : 1)];
    if (!to) return;
    const there = cardsOf(to)[cardsOf(list).indexOf(card)];
    if (there) there.before(card);
    else {
      const last = cardsOf(to).at(-1);
      if (last) last.after(card);
      else to.prepend(card);
    }
  }
}

function walk(card, key) {
  const list = card.parentElement;
  let to = null;
  if (key === "ArrowUp") to = next(card, -1);
  else if (key === "ArrowDown") to = next(card, 1);
  else {
    const all = columns();
    const step = key === "ArrowLeft" ? -1 : 1;
    for (let at = all.indexOf(list) + step; all[at] && !to; at += step) {
      const there = cardsOf(all[at]);
      to = there[Math.min(cardsOf(list).indexOf(card), there.length - 1)];
    }
  }
  focus(to);
}

function focus(card) {
  if (!card) return;
  $(".deal-name", card).focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.(".deal-card .deal-name") || event.ctrlKey || event.metaKey || event.altKey) return;
  const card = event.target.closest(".deal-card");
  const { key } = event;
  if (key.startsWith("Arrow")) {
    event.preventDefault();
    if (!held) return walk(card, key);
    moving = true;
    carry(card, key);
    focus(card);
    moving = false;
    return say(board().dataset.moved, card, card.parentElement);
  }
  if ((key === " " || (key === "Enter" && held)) && mayWrite()) {
    event.preventDefault();
    if (held) return letGo(false);
    held = { card, from: spot(card) };
    card.classList.add("is-held");
    return say(board().dataset.picked, card, card.parentElement);
  }
  if (key === "Escape" && held) {
    event.preventDefault();
    moving = true;
    letGo(true);
    focus(card);
    moving = false;
  }
  if (key === "m" && !held) $(".deal-menu", card)?.click();
});
document.addEventListener("focusout", (event) => {
  if (held && !moving && held.card.contains(event.target) && !held.card.contains(event.relatedTarget)) letGo(true);
});

// --- quick create -------------------------------------------------------------------------------------------
document.addEventListener("htmx:afterSettle", () => {
  arm();
  const field = $(".quick [data-focus]");
  if (field && !field.closest(".quick").contains(document.activeElement)) field.focus();
});
function closeQuick(form) {
  const empty = Object.assign(document.createElement("div"), { className: "quick", id: form.id, hidden: true });
  form.replaceWith(empty);
  $(`[data-quick="${form.id.replace("quick-", "")}"]`)?.focus();
}
document.addEventListener("click", (event) => {
  const close = event.target.closest("[data-quick-close]");
  if (close) closeQuick(close.closest("form"));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest?.("[data-quick-form]")) closeQuick(event.target.closest("form"));
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.dataset?.quick) for (const form of document.querySelectorAll("[data-quick-form]")) form.replaceWith(Object.assign(document.createElement("div"), { className: "quick", id: form.id, hidden: true }));
});

// What dragging left on the cards: htmx would copy it as text, which the page's policy forbids.
document.addEventListener("htmx:beforeSwap", () => {
  for (const each of document.querySelectorAll(".board [style]")) each.removeAttribute("style");
});

// Empty fields of the board's form stay out of the URL.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id !== "board-form") return;
  const { parameters } = event.detail;
  for (const name of new Set(Object.keys(parameters))) {
    if (![parameters[name]].flat().some((value) => value !== "")) delete parameters[name];
  }
});

arm();
