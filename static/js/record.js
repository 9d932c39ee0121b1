// The pages of contacts, companies and tasks: fields in place, completing tasks.
const $ = (selector, from = document) => from.querySelector(selector);

// --- saving by keyboard ------------------------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.target.closest?.(".quick-form, .task-form, .record-form")?.requestSubmit();
  }
  if (event.key === "Escape") {
    const form = event.target.closest?.("[data-field-form]");
    if (form) {
      event.preventDefault();
      $("[data-cancel]", form)?.click();
    }
  }
});

// A field that was just saved or given up keeps the focus at its pencil; an opened one at its input.
document.addEventListener("htmx:afterSettle", () => {
  const pencil = $("[data-focus]");
  if (pencil) {
    delete pencil.dataset.focus;
    pencil.removeAttribute("data-focus");
    pencil.focus({ preventScroll: true });
    return;
  }
  const form = $("[data-field-form]:not([data-seen])");
  if (form) {
    form.dataset.seen = "";
    const input = $("input[type=text], input:not([type=hidden]), select", form);
    input?.focus();
    input?.select?.();
  }
});

// --- tasks ---------------------------------------------------------------------------------------------
// "d" completes the row that j and k stand on, "n" writes a note, "t" a task.
const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], [role=textbox]");
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  if (event.key === "d") $(".at [data-complete]")?.click();
  else if (event.key === "n" && $("#quick-tab-note")) $("#quick-tab-note").click();
  else if (event.key === "e" && $("[data-edit]")) $("[data-edit]").click();
  else return;
  event.preventDefault();
});
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, successful } = event.detail;
  if (successful && elt.closest?.("[data-close-drawer]")) $("#drawer")?.close();
});

// A form on a page of its own leads on when its buttons have done their work.
document.addEventListener("close-modal", () => {
  const alone = $(".form-alone");
  if (alone) setTimeout(() => location.assign(alone.dataset.after), 600);
});
