// Blocking and tiny: decides light or dark before the first paint where the person leaves it to the system.
(function () {
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var choice = root.dataset.themeChoice || "auto";
    root.dataset.bsTheme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  }
  window.crmcemTheme = apply;
  apply();
  dark.addEventListener("change", apply);
  try {
    if (localStorage.getItem("side") === "narrow") root.classList.add("side-narrow");
  } catch (error) {
    // Storage may be forbidden; the navigation then starts wide.
  }
})();
