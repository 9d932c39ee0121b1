// The page works without this: it keeps what was filled in so far, and makes a second click on the button harmless.
(() => {
  const form = document.querySelector("form");
  if (!form) return;
  let timer = 0;
  let sent = false;

  const save = () => {
    if (sent) return;
    const data = new FormData(form);
    data.set("_partial", "1");
    fetch(window.location.href, { method: "POST", body: new URLSearchParams(data), keepalive: true }).catch(() => {});
  };

  if (form.hasAttribute("data-partial")) {
    form.addEventListener("change", () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(save, 600);
    });
  }
  form.addEventListener("submit", (event) => {
    if (sent) {
      event.preventDefault();
      return;
    }
    sent = true;
    window.clearTimeout(timer);
  });
  window.addEventListener("pageshow", () => {
    sent = false;
  });
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
})();
