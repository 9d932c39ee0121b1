// Choosing a record by typing: [data-lookup] holds a hidden input with the id and a text input that finds it.
// With [data-many] there is no id: words are typed with commas between them, and the last one is completed;
// with [data-many=one] it is one word, which is completed.
const WAIT = 150;
const timers = new WeakMap();
const asked = new WeakMap();

const parts = (box) => ({
  id: box.querySelector("input[type=hidden]"),
  text: box.querySelector("input[type=text]"),
  list: box.querySelector(".lookup-list"),
});
const many = (box) => "many" in box.dataset;
const one = (box) => box.dataset.many === "one";
const lastWord = (text) => text.value.slice(text.value.lastIndexOf(",") + 1).trim();
const options = (list) => [...list.querySelectorAll(".lookup-option")];

function close(box) {
  const { text, list } = parts(box);
  list.hidden = true;
  text.setAttribute("aria-expanded", "false");
}

function mark(box, step) {
  const { text, list } = parts(box);
  const all = options(list);
  if (!all.length) return;
  const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
  const next = (at + step + all.length) % all.length;
  all.forEach((each, index) => {
    each.id ||= `${list.id}_${index}`;
    each.setAttribute("aria-selected", String(index === next));
  });
  text.setAttribute("aria-activedescendant", all[next].id);
  all[next].scrollIntoView({ block: "nearest" });
}

function choose(box, option) {
  const { id, text } = parts(box);
  if (many(box)) {
    const before = text.value.slice(0, text.value.lastIndexOf(",") + 1);
    text.value = one(box) ? option.dataset.text : `${before}${before ? " " : ""}${option.dataset.text}, `;
    text.dispatchEvent(new Event("change", { bubbles: true }));
    return close(box);
  }
  id.value = option.dataset.value;
  text.value = option.dataset.text;
  close(box);
  id.dispatchEvent(new Event("change", { bubbles: true }));
}

async function look(box) {
  const { text, list } = parts(box);
  const words = many(box) && !one(box) ? lastWord(text) : text.value.trim();
  if (!words) return close(box);
  const mine = (asked.get(box) ?? 0) + 1;
  asked.set(box, mine);
  const answer = await fetch(`${box.dataset.lookup}?q=${encodeURIComponent(words)}`, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok || asked.get(box) !== mine) return;
  list.innerHTML = await answer.text();
  if (many(box) && !options(list).length) return close(box);
  list.hidden = false;
  text.setAttribute("aria-expanded", "true");
  if (!many(box)) mark(box, 1);
}

document.addEventListener("input", (event) => {
  const box = event.target.closest("[data-lookup]");
  if (!box || event.target.type !== "text") return;
  if (!many(box)) parts(box).id.value = "";
  clearTimeout(timers.get(box));
  timers.set(box, setTimeout(look, WAIT, box));
});
document.addEventListener("keydown", (event) => {
  const box = event.target.closest?.("[data-lookup]");
  if (!box || parts(box).list.hidden) return;
  if (event.key === "ArrowDown") mark(box, 1);
  else if (event.key === "ArrowUp") mark(box, -1);
  else if (event.key === "Enter") {
    const chosen = options(parts(box).list).find((each) => each.getAttribute("aria-selected") === "true");
    if (!chosen) return close(box);
    choose(box, chosen);
  } else if (event.key === "Escape") close(box);
  else return;
  event.preventDefault();
  event.stopPropagation();
});
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest(".lookup-option");
  if (!option) return;
  event.preventDefault();
  choose(option.closest("[data-lookup]"), option);
});
document.addEventListener("focusout", (event) => {
  const box = event.target.closest?.("[data-lookup]");
  if (!box) return;
  const { id, text } = parts(box);
  close(box);
  if (id && !id.value) text.value = ""; // what was typed named nobody: an id or nothing
});
