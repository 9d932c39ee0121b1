// The admin's theme speaks to Alpine in expressions that a strict content security policy does not allow: calls of
// global functions, several statements, functions. Here each of them gets a name that the safe build understands.
(function () {
  "use strict";

  /** What the theme's markup says → what is said instead. */
  const instead = new Map([
    ["sidebarDesktopOpen = !sidebarDesktopOpen; localStorage.setItem('sidebarDesktopOpen', sidebarDesktopOpen ? '1' : '0');", "toggleSidebar()"],
    ["openSearchResults = true;", "openSearchResults = true"],
    ["openSearchResults = true; currentIndex = 0", "beginSearch()"],
    ["openSearchResults = false; if ($refs.searchInput.value === '') { $refs.searchInput.blur() } else { $refs.searchInput.value = '' }", "leaveSearch()"],
    ["if (!$event.metaKey && !$event.ctrlKey) selectItem(false, false)", "pressEnter($event, false)"],
    ["if (!$event.metaKey && !$event.ctrlKey) selectItem(true, false)", "pressEnter($event, true)"],
    ["toggleFavorite($event, index);", "toggleFavorite($event, index)"],
    ["removeFromHistory($event, index);", "removeFromHistory($event, index)"],
    ["'width: ' + changeListWidth + 'px'", "{ width: changeListWidth + 'px' }"],
    ["activeTab && activeTab !== 'general' ? window.location.pathname + window.location.search + '#' + activeTab : window.location.pathname + window.location.search", "addressOfTab()"],
  ]);

  // htmx would write a <style> of its own and evaluate expressions.
  const config = document.createElement("meta");
  config.name = "htmx-config";
  config.content = '{"includeIndicatorStyles":false,"allowEval":false}';
  document.head.append(config);

  const stored = (key, fallback) => {
    try {
      return localStorage.getItem(key) ?? fallback;
    } catch {
      return fallback; // storage may be forbidden
    }
  };
  const store = (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Then it is the same again on the next page.
    }
  };

  /** State of the whole page: the theme's `x-data` of the body, as an object. */
  function shell(firstTab) {
    return {
      activeTab: firstTab,
      sidebarMobileOpen: false,
      sidebarDesktopOpen: stored("sidebarDesktopOpen", "1") === "1",
      init() {
        const chosen = typeof window.getCurrentTab === "function" ? window.getCurrentTab() : "";
        if (firstTab && chosen) this.activeTab = chosen;
      },
      toggleSidebar() {
        this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
        store("sidebarDesktopOpen", this.sidebarDesktopOpen ? "1" : "0");
      },
      addressOfTab() {
        const here = location.pathname + location.search;
        return this.activeTab && this.activeTab !== "general" ? `${here}#${this.activeTab}` : here;
      },
    };
  }

  const search = () => ({
    ...window.searchDropdown(),
    beginSearch() {
      this.openSearchResults = true;
      this.currentIndex = 0;
    },
    leaveSearch() {
      this.openSearchResults = false;
      const input = this.$refs.searchInput;
      if (input.value === "") input.blur();
      else input.value = "";
    },
  });

  const command = () => ({
    ...window.searchCommand(),
    pressEnter(event, history) {
      if (!event.metaKey && !event.ctrlKey) this.selectItem(history, false);
    },
  });

  function translate(element) {
    for (const attribute of [...element.attributes]) {
      if (!attribute.name.startsWith("x-")) continue;
      const found = instead.get(attribute.value.trim().replace(/\s+/g, " "));
      if (found) element.setAttribute(attribute.name, found);
    }
  }

  document.addEventListener("alpine:init", () => {
    const { Alpine } = window;
    Alpine.data("theme", window.theme);
    Alpine.data("searchForm", window.searchForm);
    Alpine.data("searchDropdown", search);
    Alpine.data("searchCommand", command);
    const { body } = document;
    const first = /activeTab:\s*'([^']*)'/.exec(body.getAttribute("x-data") ?? "");
    Alpine.data("adminShell", () => shell(first ? first[1] : ""));
    body.setAttribute("x-data", "adminShell");
    body.removeAttribute("x-init");
    for (const element of body.querySelectorAll("*")) translate(element);
    // What htmx brings in later is translated before Alpine sees it.
    document.addEventListener("htmx:beforeSwap", () => {
      new MutationObserver((changes, observer) => {
        for (const change of changes) {
          for (const node of change.addedNodes) {
            if (node.nodeType !== 1) continue;
            translate(node);
            for (const element of node.querySelectorAll("*")) translate(element);
          }
        }
        observer.disconnect();
      }).observe(body, { childList: true, subtree: true });
    });
  });
})();
