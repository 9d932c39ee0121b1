// The drop zone of a new import, and the mapping's look while it is changed.
const zone = document.querySelector("[data-drop]");
if (zone) {
  const input = zone.querySelector("input[type=file]");
  const name = zone.querySelector(".drop-name");
  const problem = document.querySelector("[data-drop-error]");
  const limit = Number(zone.dataset.limit);
  zone.querySelector(".drop-hint").hidden = false;

  const size = (bytes) => new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: bytes < 1e6 ? "kilobyte" : "megabyte", maximumFractionDigits: 1,
  }).format(bytes / (bytes < 1e6 ? 1e3 : 1e6));

  const show = () => {
    const [file] = input.files;
    name.hidden = !file;
    name.textContent = file ? size(file.size) : "";
    const large = Boolean(file) && file.size > limit;
    problem.hidden = !large;
    problem.textContent = large ? zone.dataset.tooLarge : "";
    zone.classList.toggle("is-invalid", large);
    return !large;
  };
  input.addEventListener("change", show);
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("is-over"); });
  }
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) zone.classList.remove("is-over");
  });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    if (!event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    show();
  });
  // before app.js marks the form as sent
  window.addEventListener("submit", (event) => {
    if (event.target === input.form && !show()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      input.focus();
    }
  }, true);
}

document.addEventListener("change", (event) => {
  const select = event.target.closest?.(".mapping-table select");
  if (!select || select.matches(".new-type")) return;
  const row = select.closest("tr");
  row.classList.toggle("is-unused", !select.value);
  const type = row.querySelector(".new-type");
  if (type) type.hidden = select.value !== type.dataset.for;
});
