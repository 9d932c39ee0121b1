// The page of a deal: its two quick forms, and facts that are changed in place.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.closest?.("[data-fact-form]")?.querySelector("[data-fact-cancel]").click();
});

// A fact's form takes the focus; a quick form that was sent is empty again.
document.addEventListener("htmx:afterSettle", (event) => {
  event.detail.target.querySelector?.("[data-fact-form] :is(input:not([type=hidden]), select)")?.focus();
  if (event.detail.target.matches?.("[data-fact-form]")) {
    document.querySelector("[data-fact-form] :is(input:not([type=hidden]), select)")?.focus();
  }
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt;
  if (!form.matches?.("[data-quick-reset]") || event.detail.xhr.status !== 204) return;
  for (const field of form.querySelectorAll("input:not([type=hidden]), textarea")) field.value = "";
  for (const error of form.querySelectorAll(".field-error")) error.remove();
});
