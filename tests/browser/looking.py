"""What a look at a page finds: sideways scrolling, and what axe counts against WCAG 2.2 AA."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
#: two looks are enough: each theme and each width is seen once
LOOKS: list[tuple[int, Any]] = [(1280, "light"), (390, "dark")]
_OVERFLOW = """() => {
  const html = document.documentElement, over = html.scrollWidth - html.clientWidth
  if (over <= 0) return ""
  const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > html.clientWidth)
  const names = wide.slice(-3).map(e => `${e.tagName.toLowerCase()}.${e.className}`)
  return `scrolls ${over} px sideways (${names.join(", ")})`
}"""
_DRESSED = "theme => [undefined, theme].includes(document.documentElement.dataset.bsTheme)"
_PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))"
_SETTLED = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"


def settle(tab: Page) -> None:
    """Until the parts that the page asks for by itself are there."""
    tab.wait_for_function(_SETTLED)


def looks(tab: Page) -> list[str]:
    """What every width and theme finds on the page that is open, which is left as it was."""
    before = tab.viewport_size
    found: list[str] = []
    for width, theme in LOOKS:
        tab.set_viewport_size({"width": width, "height": 844 if width < 600 else 900})
        tab.emulate_media(color_scheme=theme)
        tab.wait_for_function(_DRESSED, arg=theme)
        tab.evaluate("scrollTo(0, 0)")  # what stands half below the bar at the top would count as too small
        tab.evaluate(_PAINTED)
        lines = violations(tab)
        if any(line.startswith("color-contrast") for line in lines):
            # Under load Chromium may still paint a part in the colours of before; drawn anew it tells the truth.
            tab.reload(wait_until="load")
            settle(tab)
            lines = violations(tab)
        found += [f"at {width} in {theme}: {line}" for line in overflow(tab) + lines]
    if before:
        tab.set_viewport_size(before)
    return found


def overflow(tab: Page) -> list[str]:
    found: str = tab.evaluate(_OVERFLOW)
    return [found] if found else []


def violations(tab: Page) -> list[str]:
    """One line for each rule that is broken, with the first element that breaks it."""
    options = {"runOnly": WCAG, "resultTypes": ["violations"]}
    broken: list[dict[str, Any]] = _AXE.run(tab, options=options).response["violations"]
    return [
        f"{rule['id']} {len(rule['nodes'])} times: {rule['nodes'][0]['html'][:160]}"
        f" ({' '.join(rule['nodes'][0]['failureSummary'].split())[:300]})"
        for rule in broken
    ]
