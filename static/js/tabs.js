// Tabs: `[role=tablist]` holds `[role=tab][data-tab]`, each names its pane by `aria-controls`; arrows walk through them.
function open(tab) {
  for (const each of tab.closest("[role=tablist]").querySelectorAll("[data-tab]")) {
    const on = each === tab;
    each.setAttribute("aria-selected", String(on));
    each.tabIndex = on ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = !on;
  }
}
document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-tab]");
  if (!tab) return;
  open(tab);
  document.getElementById(tab.getAttribute("aria-controls")).querySelector("input:not([type=hidden]), textarea")?.focus();
});
document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[data-tab]");
  if (!tab || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const all = [...tab.parentElement.querySelectorAll("[data-tab]")];
  const next = all[(all.indexOf(tab) + (event.key === "ArrowRight" ? 1 : -1) + all.length) % all.length];
  open(next);
  next.focus();
  event.preventDefault();
});
