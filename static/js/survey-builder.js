// The survey editor: questions move in place, by drag or by their buttons, and the preview follows what is typed.
// Without this file the same buttons are submits of the form, and "Preview" opens a page of its own.
const form = document.getElementById("survey-form");
const list = document.getElementById("questions");
const frame = document.getElementById("preview");
const note = document.getElementById("preview-note");
const announce = (text) => { document.getElementById("announcer").textContent = text; };
const cards = () => [...list.querySelectorAll("[data-question]")];

// --- the preview ----------------------------------------------------------------------------------
let timer = 0;
let round = 0;
async function refresh() {
  const mine = ++round;
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = frame.contentDocument?.querySelector("main");
    if (mine === round && shown) shown.replaceWith(frame.contentDocument.importNode(page.querySelector("main"), true));
    note.textContent = "";
  } catch {
    note.textContent = note.dataset.failed;
  }
}
function later() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 300);
}
form.addEventListener("input", later);
form.addEventListener("change", later);
frame.addEventListener("load", later, { once: true });

document.querySelector(".preview-head").addEventListener("click", (event) => {
  const button = event.target.closest("[data-size]");
  if (!button) return;
  for (const each of document.querySelectorAll("[data-size]")) each.setAttribute("aria-pressed", String(each === button));
  const box = document.querySelector(".preview-frame");
  box.classList.toggle("is-phone", button.dataset.size === "phone");
  box.classList.toggle("is-desktop", button.dataset.size === "desktop");
});

// --- leaving with something unsaved -----------------------------------------------------------------
let touched = document.querySelector(".alert-danger, [data-at]") !== null;
form.addEventListener("input", () => { touched = true; });
form.addEventListener("submit", (event) => { if (event.submitter?.dataset.plain === undefined) touched = false; });
window.addEventListener("beforeunload", (event) => { if (touched) event.preventDefault(); });

// --- moving and removing ------------------------------------------------------------------------------
function ends() {
  const all = cards();
  for (const button of list.querySelectorAll("[data-move]")) {
    const card = button.closest("[data-question]");
    button.disabled = card === (button.dataset.move === "-1" ? all[0] : all.at(-1));
  }
}
ends();
function moved(card) {
  ends();
  touched = true;
  announce(list.dataset.moved.replace("%n", cards().indexOf(card) + 1));
  later();
}
list.addEventListener("click", (event) => {
  const button = event.target.closest("[data-move], [data-remove]");
  if (!button) return;
  event.preventDefault();
  const card = button.closest("[data-question]");
  if (button.dataset.remove !== undefined) {
    const all = cards();
    const next = all[all.indexOf(card) + 1] ?? all[all.indexOf(card) - 1];
    card.remove();
    ends();
    touched = true;
    announce(list.dataset.removed);
    singles();
    later();
    (next?.querySelector('input[name$="-text"]') ?? document.querySelector(".add-question button")).focus();
    return;
  }
  const up = button.dataset.move === "-1";
  const other = up ? card.previousElementSibling : card.nextElementSibling;
  if (!other) return;
  if (up) other.before(card);
  else other.after(card);
  moved(card);
  (button.disabled ? card.querySelector("[data-move]:enabled") : button).focus();
});
list.addEventListener("change", (event) => {
  if (!event.target.matches("[data-type-choice]")) return;
  event.target.closest("[data-question]").dataset.type = event.target.value;
  singles();
});

// --- adding: the server draws the new question, the page stays where it is ---------------------------
document.querySelector(".add-question").addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  event.preventDefault();
  const data = new URLSearchParams(new FormData(form));
  data.set("_do", button.value);
  try {
    const answer = await fetch(window.location.href, { method: "POST", body: data });
    if (!answer.ok) throw new Error(String(answer.status));
    const card = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-at]");
    if (!card) throw new Error("no new question");
    const added = document.importNode(card, true);
    list.append(added);
    document.getElementById("no-questions")?.remove();
    added.scrollIntoView({ block: "nearest" });
    added.querySelector('input[name$="-text"]').focus();
    touched = true;
    ends();
    singles();
    later();
  } catch {
    note.textContent = note.dataset.failed;
  }
});

// NPS, CSAT and CES are asked once in a survey: their buttons follow what is on the page.
function singles() {
  const taken = new Set(cards().map((card) => card.dataset.type));
  for (const button of document.querySelectorAll(".add-question button")) {
    const type = button.value.split(":")[1];
    button.disabled = ["nps", "csat", "ces"].includes(type) && taken.has(type);
  }
}

// --- drag: pointer events serve mouse, pen and touch ---------------------------------------------------
form.classList.add("has-drag");
list.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest("[data-grip]");
  if (!grip || event.button) return;
  event.preventDefault();
  const card = grip.closest("[data-question]");
  const before = cards().indexOf(card);
  card.classList.add("is-dragged");
  const move = (at) => {
    const over = cards().find((each) => each !== card && at.clientY >= each.getBoundingClientRect().top && at.clientY <= each.getBoundingClientRect().bottom);
    if (!over) return;
    const { top, height } = over.getBoundingClientRect();
    const down = cards().indexOf(over) > cards().indexOf(card);
    if (down && at.clientY > top + height / 2) over.after(card);
    if (!down && at.clientY < top + height / 2) over.before(card);
  };
  const drop = () => {
    card.classList.remove("is-dragged");
    for (const name of ["pointerup", "pointercancel"]) document.removeEventListener(name, drop);
    document.removeEventListener("pointermove", move);
    if (cards().indexOf(card) !== before) moved(card);
  };
  // On the document: a card that moves in the page would lose a captured pointer.
  document.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, drop);
});

// --- merge fields go where the cursor was ---------------------------------------------------------------
let field = form.elements.email_body;
form.addEventListener("focusin", (event) => {
  if (event.target === form.elements.email_subject || event.target === form.elements.email_body) field = event.target;
});
form.addEventListener("click", (event) => {
  const button = event.target.closest("[data-merge]");
  if (!button) return;
  field.setRangeText(`{{ ${button.dataset.merge} }}`, field.selectionStart, field.selectionEnd, "end");
  field.focus();
  touched = true;
});

document.querySelector("[data-at]")?.scrollIntoView({ block: "nearest" });
singles();
