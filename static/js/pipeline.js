// The stages of a pipeline: added, removed and put in order, by drag or by button.
const list = document.querySelector("[data-stage-rows]");
const blank = document.querySelector("[data-stage-blank]");

document.querySelector("[data-stage-add]").addEventListener("click", () => {
  list.append(blank.content.cloneNode(true));
  list.lastElementChild.querySelector("[name=stage_name]").focus();
});
list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const row = button?.closest("li");
  if (!row) return;
  if (button.matches("[data-stage-remove]")) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    next?.querySelector("[name=stage_name]").focus();
    return;
  }
  if (button.matches("[data-stage-up]")) row.previousElementSibling?.before(row);
  if (button.matches("[data-stage-down]")) row.nextElementSibling?.after(row);
  button.focus();
});
Sortable.create(list, { handle: ".stage-grip", animation: 120, forceFallback: true });
