// Rows of the settings of fields (choices, layouts): added, removed and put in order by button.
const list = document.querySelector("[data-choice-rows]");

if (list) {
  const blank = document.querySelector("[data-choice-blank]");
  document.querySelector("[data-choice-add]")?.addEventListener("click", () => {
    list.append(blank.content.cloneNode(true));
    list.lastElementChild.querySelector("[name=choice_label]").focus();
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const row = button?.closest("li");
    if (!row) return;
    if (button.matches("[data-choice-remove]")) {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      next?.querySelector("[name=choice_label]").focus();
      return;
    }
    if (button.matches("[data-choice-up]")) row.previousElementSibling?.before(row);
    if (button.matches("[data-choice-down]")) row.nextElementSibling?.after(row);
    button.focus();
  });
}
