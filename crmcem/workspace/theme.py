"""The organisation's accent colour as a small style sheet, readable on light and on dark."""

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
FALLBACK = "#0054a6"
#: the surfaces that accent-coloured text stands on (see static/css/app.css)
LIGHT, DARK = (255, 255, 255), (30, 33, 39)
#: and how much of the accent they are tinted with at most
TINT = 0.16
READABLE = 4.6

RGB = tuple[int, int, int]


def parse(colour: str) -> RGB:
    """``#rrggbb`` as numbers; anything else is the house's own accent."""
    text = colour if _HEX.fullmatch(colour) else FALLBACK
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _luminance(colour: RGB) -> float:
    parts = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: RGB, other: RGB) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def readable(colour: RGB, ground: RGB) -> RGB:
    """``colour``, moved towards white or black until text in it is readable on ``ground`` and on a tint of it."""
    target = 255 if _luminance(ground) < 0.2 else 0
    for step in range(21):
        share = step / 20
        result = _mixed(colour, (target, target, target), share)
        if contrast(result, _mixed(ground, result, TINT)) >= READABLE:
            break
    return result


def _mixed(one: RGB, other: RGB, share: float) -> RGB:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _css(colour: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _on(fill: RGB) -> RGB:
    """Text on a surface filled with ``fill``."""
    return (255, 255, 255) if contrast(fill, (255, 255, 255)) >= 4.5 else (16, 18, 22)


def _darker(colour: RGB) -> RGB:
    return round(colour[0] * 0.86), round(colour[1] * 0.86), round(colour[2] * 0.86)


def theme_css(accent: str) -> str:
    """The variables that Tabler and our own styles take the accent from, for both themes."""
    light, dark = readable(parse(accent), LIGHT), readable(parse(accent), DARK)

    def both(change: Callable[[RGB], RGB] = lambda colour: colour) -> str:
        return f"light-dark({_css(change(light))},{_css(change(dark))})"

    values = {
        "--crm-accent": both(),
        "--crm-on-accent": both(_on),
        "--tblr-primary": both(),
        "--tblr-primary-fg": both(_on),
        "--tblr-primary-darken": both(_darker),
        "--tblr-link-color": both(),
        "--tblr-link-hover-color": both(_darker),
    }
    body = "".join(f"{name}:{value};" for name, value in values.items())
    return f":root,[data-bs-theme]{{{body}}}\n"


@lru_cache(maxsize=64)
def theme_version(accent: str) -> str:
    """What changes when the style sheet changes."""
    return sha256(theme_css(accent).encode()).hexdigest()[:12]
