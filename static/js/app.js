// What every page needs: CSRF for htmx, toasts, dialogs, confirmation, double submit, times, navigation.
const root = document.documentElement;
const $ = (selector, from = document) => from.querySelector(selector);

// --- requests ------------------------------------------------------------------------------------
const token = () => $('meta[name="csrf-token"]')?.content ?? "";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = token();
});

let running = 0;
let slow = 0;
const busy = (change) => {
  running = Math.max(0, running + change);
  clearTimeout(slow);
  if (running) slow = setTimeout(() => root.classList.add("is-busy"), 200);
  else root.classList.remove("is-busy");
};
document.addEventListener("htmx:beforeRequest", () => busy(1));
document.addEventListener("htmx:afterRequest", () => busy(-1));

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if ((xhr.getResponseHeader("HX-Trigger") ?? "").includes('"toast"')) return;
  const text = $("#toasts").dataset;
  toast({ text: { 403: text.denied, 404: text.gone }[xhr.status] ?? text.failed, level: "error" });
});
document.addEventListener("htmx:sendError", () => toast({ text: $("#toasts").dataset.offline, level: "error" }));

// --- toasts --------------------------------------------------------------------------------------
function arm(card) {
  if (card.dataset.toast === "error" || card.dataset.toast === "warning") return; // a failure stays until it is read
  let left = setTimeout(() => card.remove(), 6000);
  card.addEventListener("pointerenter", () => clearTimeout(left));
  card.addEventListener("focusin", () => clearTimeout(left));
  card.addEventListener("pointerleave", () => { left = setTimeout(() => card.remove(), 3000); });
}

export function toast({ text, level = "success", undo, undoLabel, more, moreLabel, events = [] }) {
  const region = $("#toasts");
  (openDialog() ?? document.body).append(region); // what lies under a dialog is inert, also for screen readers
  const card = document.createElement("div");
  card.className = `toast-card is-${level}`;
  card.dataset.toast = level;
  if (level === "error") card.setAttribute("role", "alert");
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon-button";
  close.dataset.toastClose = "";
  close.setAttribute("aria-label", region.dataset.closeLabel);
  close.innerHTML = '<i class="ti ti-x" aria-hidden="true"></i>';
  card.append(words, close);
  if (undo) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-quiet", textContent: undoLabel });
    button.addEventListener("click", () => {
      card.remove();
      htmx.ajax("POST", undo, { target: document.body, swap: "none" }).then(() => { for (const name of events) document.body.dispatchEvent(new CustomEvent(name, { bubbles: true })); });
    });
    close.before(button);
  }
  if (more) close.before(Object.assign(document.createElement("a"), { href: more, className: "btn btn-quiet", textContent: moreLabel }));
  region.append(card);
  arm(card);
}
document.addEventListener("toast", (event) => toast(event.detail));
for (const card of document.querySelectorAll("[data-toast]")) arm(card);

// --- dialogs -------------------------------------------------------------------------------------
const openDialog = () => [...document.querySelectorAll("dialog[open]")].at(-1);

function shut(dialog) {
  if (!dialog?.open) return;
  document.body.append($("#toasts"));
  dialog.close();
}
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.detail.target.closest?.("#modal, #drawer");
  if (dialog && !dialog.open && event.detail.target.childElementCount) dialog.showModal();
  if (dialog) {
    const first = (selector) => event.detail.target.querySelector(selector);
    // by an attribute: until it settles, an input that was there before still has its old class
    (first("[autofocus]") ?? first("[aria-invalid=true]") ?? first("input:not([type=hidden]), select, textarea"))?.focus();
  }
});
// A panel whose answer holds nothing is hidden by its style.
document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  if (target.matches?.(".panel") && !target.children.length && !target.textContent.trim()) target.replaceChildren();
});
document.addEventListener("close-modal", () => {
  shut($("#modal"));
  shut($("#drawer"));
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) shut(dialog); });
  dialog.addEventListener("close", () => {
    document.body.append($("#toasts"));
    if (dialog.id === "modal" || dialog.id === "drawer") $(`#${dialog.id}-body`).replaceChildren();
  });
}

// --- confirmation: <button data-confirm="…" data-confirm-yes="Delete"> or hx-confirm ---------------
export function ask(text, yes, danger) {
  const dialog = $("#confirm");
  const button = $("#confirm-yes");
  $("#confirm-text").textContent = text;
  button.textContent = yes || button.dataset.default;
  button.classList.toggle("btn-danger", Boolean(danger));
  button.classList.toggle("btn-primary", !danger);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
document.addEventListener("htmx:confirm", (event) => {
  const { question, elt } = event.detail;
  if (!question) return;
  event.preventDefault();
  ask(question, elt.dataset.confirmYes, elt.dataset.danger !== undefined).then((yes) => {
    if (yes) event.detail.issueRequest(true);
  });
});

// --- forms: a second submit of the same form does nothing ------------------------------------------
document.addEventListener("submit", (event) => {
  const form = event.target;
  const by = event.submitter;
  const question = by?.dataset.confirm ?? form.dataset.confirm;
  if (question && form.dataset.confirmed !== "yes") {
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(question, by?.dataset.confirmYes, by?.dataset.danger !== undefined).then((yes) => {
      if (!yes) return;
      form.dataset.confirmed = "yes";
      form.requestSubmit(by);
    });
    return;
  }
  delete form.dataset.confirmed;
  if (form.method !== "post" || event.defaultPrevented || form.closest("[hx-post]") === form) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  by?.classList.add("is-sending");
  setTimeout(() => { delete form.dataset.sent; by?.classList.remove("is-sending"); }, 8000);
}, true);
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  for (const button of event.detail.elt.querySelectorAll?.("button:not([type=button])") ?? []) button.disabled = true;
});
document.addEventListener("htmx:afterRequest", (event) => {
  for (const button of event.detail.elt.querySelectorAll?.("button:not([type=button])") ?? []) button.disabled = false;
});

// A form that comes back with faults begins at the first of them.
$("#content .is-invalid")?.focus();

// --- clicks --------------------------------------------------------------------------------------
const narrow = window.matchMedia("(max-width: 760px)");
function side(open) {
  root.classList.toggle("side-open", open);
  for (const button of document.querySelectorAll("[data-side-open]")) button.setAttribute("aria-expanded", String(open));
  if (open) $("#side a")?.focus();
}
document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on("[data-toast-close]")) on(".toast-card").remove();
  if (on("[data-close-dialog]")) {
    const fire = on("[data-close-dialog]").dataset.fire;
    shut(on("dialog"));
    if (fire) document.body.dispatchEvent(new CustomEvent(fire, { bubbles: true }));
  }
  if (on("[data-open-dialog]")) {
    side(false);
    $(`#${on("[data-open-dialog]").dataset.openDialog}`).showModal();
  }
  if (on("[data-side-open]")) side(true);
  if (on("[data-side-close]")) side(false);
  if (on("[data-side-toggle]")) {
    if (narrow.matches) return side(false);
    const small = root.classList.toggle("side-narrow");
    on("[data-side-toggle]").setAttribute("aria-expanded", String(!small));
    try { localStorage.setItem("side", small ? "narrow" : "wide"); } catch { /* storage may be forbidden */ }
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && root.classList.contains("side-open")) side(false);
});

// --- theme and density: at once here, kept on the server -------------------------------------------
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-appearance]");
  if (!form) return;
  event.preventDefault();
  const { name, value } = event.submitter;
  if (name === "theme") { root.dataset.themeChoice = value; window.crmcemTheme(); }
  else root.dataset[name] = value;
  for (const each of form.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === event.submitter));
  delete form.dataset.sent;
  event.submitter.classList.remove("is-sending");
  const body = new FormData(form);
  body.set(name, value);
  const answer = await fetch(form.action, { method: "POST", body, headers: { "X-CSRFToken": token(), "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) toast({ text: $("#toasts").dataset[answer ? "failed" : "offline"], level: "error" });
});

// --- times: "5 min ago" stays true while the page is open ------------------------------------------
const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat(root.lang, { numeric: "auto", style: "short" });
export function times(from = document) {
  const now = Date.now();
  for (const time of from.querySelectorAll("time[data-relative]")) {
    const seconds = (new Date(time.dateTime) - now) / 1000;
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
    time.textContent = unit === "second" ? words.format(0, "second") : words.format(Math.round(seconds / size), unit);
  }
}
times();
setInterval(times, 60000);
document.addEventListener("htmx:afterSettle", (event) => times(event.detail.target.parentElement ?? document));

for (const key of document.querySelectorAll("[data-mod-k]")) {
  if (/Mac|iPhone|iPad/.test(navigator.platform)) key.textContent = "⌘ K";
}

// --- copying: <button data-copy="id of what to copy" data-copied="Copied"> ---------------------------
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    toast({ text: button.dataset.copied, level: "success" });
  } catch {
    getSelection().selectAllChildren(source); // no clipboard over plain HTTP: select it for Ctrl C
  }
});
