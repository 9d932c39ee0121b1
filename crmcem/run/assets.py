"""Fetch the browser files: `npm ci`, then copy the few that are served into `static/vendor/`.

Usage: `python -m crmcem.run assets [--force]`. Nothing of `node_modules` is ever served or committed.
Where the machine has no node, the hashed `requirements-node.lock` brings one into the virtual environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from crmcem.run.errors import RunError

OLDEST_NODE = 18

#: npm package -> (folder below static/vendor, {file inside the package: file below the folder})
FILES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "@tabler/core": (
        "tabler",
        {
            "dist/css/tabler.min.css": "tabler.min.css",
            "dist/js/tabler.min.js": "tabler.min.js",
        },
    ),
    "@tabler/icons-webfont": (
        "tabler-icons",
        {
            "dist/tabler-icons.min.css": "tabler-icons.min.css",
            "dist/fonts/tabler-icons.woff2": "fonts/tabler-icons.woff2",
        },
    ),
    "htmx.org": (
        "htmx",
        {
            "dist/htmx.min.js": "htmx.min.js",
        },
    ),
    # The admin's theme brings an Alpine that needs unsafe-eval; the settings serve alpine.js in its place.
    "@alpinejs/csp": ("alpine", {"dist/cdn.min.js": "alpine-csp.min.js", "dist/cdn.js": "alpine.js"}),
    "echarts": ("echarts", {"dist/echarts.min.js": "echarts.min.js"}),
    "sortablejs": ("sortable", {"Sortable.min.js": "sortable.min.js"}),
    "tom-select": (
        "tom-select",
        {
            "dist/js/tom-select.complete.min.js": "tom-select.min.js",
            "dist/css/tom-select.bootstrap5.min.css": "tom-select.min.css",
        },
    ),
    "flatpickr": (
        "flatpickr",
        {"dist/flatpickr.min.js": "flatpickr.min.js", "dist/flatpickr.min.css": "flatpickr.min.css"},
    ),
}

LICENCE_NAMES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "NOTICE")

_SOURCE_MAP = re.compile(
    rb"(?m)^[ \t]*(?://[#@][ \t]*sourceMappingURL=[^\n]*|/\*[#@][ \t]*sourceMappingURL=.*?\*/)\n?"
)
_FONT_SOURCES = re.compile(
    rb'src:url\("(\./fonts/[^"?]+\.woff2)[^"]*"\) format\("woff2"\)(?:,url\([^)]*\) format\("[^"]*"\))+'
)


def fetch(root: Path, *, force: bool = False) -> bool:
    """Bring `root/static/vendor` up to date. Returns whether anything had to be done."""
    vendor = (root / "static" / "vendor").resolve()
    stamp = vendor / ".stamp"
    wanted = fingerprint(root)
    if not force and stamp.is_file() and stamp.read_text() == wanted:
        return False
    for parent in (vendor.parent, root / "var"):
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assets-", dir=root / "var") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(root / name, work / name)
        install(work, npm_command(root))
        fresh = work / "vendor"
        copy(work / "node_modules", fresh, mit=(root / "LICENSE").read_text())
        (fresh / ".stamp").write_text(wanted)
        if vendor.exists():
            shutil.move(vendor, work / "old")
        shutil.move(fresh, vendor)
    return True


def fingerprint(root: Path) -> str:
    """A digest of everything that decides what ends up in `static/vendor`."""
    digest = hashlib.sha256()
    digest.update((root / "package-lock.json").read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def copy(modules: Path, target: Path, *, mit: str) -> None:
    """Copy the served files and each package's licence from `node_modules` into the new folder `target`.

    `mit` is a text of the MIT licence, for packages that name it without shipping it.
    """
    for package, (folder, files) in FILES.items():
        for source, name in files.items():
            origin = modules / package / source
            if not origin.is_file():
                raise RunError(
                    f"The npm package {package} has no file {source}; check its version in package.json."
                )
            destination = target / folder / name
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(
                clean(origin.read_bytes()) if origin.suffix != ".woff2" else origin.read_bytes()
            )
        copy_licences(modules / package, target / folder, mit=mit)


def clean(text: bytes) -> bytes:
    """Drop references to files that are not served: source maps and the older font formats.

    The manifest storage refuses a stylesheet that names a file that is not there.
    """
    return _FONT_SOURCES.sub(rb'src:url("\1") format("woff2")', _SOURCE_MAP.sub(b"", text))


def copy_licences(package: Path, target: Path, *, mit: str) -> None:
    """Put the licence beside the files; a package that ships none gets the text that its metadata names."""
    found = [package / name for name in LICENCE_NAMES if (package / name).is_file()]
    for path in found:
        shutil.copy(path, target / f"{path.stem}.txt")
    if (package / "licenses").is_dir():
        shutil.copytree(package / "licenses", target / "licenses")
    if found:
        return
    meta = json.loads((package / "package.json").read_text())
    if meta.get("license") != "MIT":
        raise RunError(
            f"The npm package {meta.get('name')} ships no licence text; add one to crmcem/run/assets.py."
        )
    author = meta.get("author") or "the contributors"
    if isinstance(author, dict):
        author = author.get("name", "the contributors")
    text = re.sub(r"(?m)^Copyright .*$", f"Copyright (c) {author} and contributors", mit)
    head = f"{meta['name']} {meta['version']}\n{meta.get('homepage', '')}\n\n"
    (target / "LICENSE.txt").write_text(head + text)


def npm_command(root: Path) -> Sequence[str]:
    """The npm to use: the machine's own where node is new enough, else the one of the virtual environment."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node and node_major(node) >= OLDEST_NODE:
        return [npm]
    own = Path(sys.prefix) / "bin" / "npm"
    if not own.is_file():
        say("No node on this machine: installing one into the virtual environment …")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "-q",
                "--require-hashes",
                "-r",
                str(root / "requirements-node.lock"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RunError(f"Node could not be installed for the browser files: {last_line(done.stderr)}")
    return [str(own)]


def node_major(node: str) -> int:
    """The major version of the given node, 0 where it does not run."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"v(\d+)\.", done.stdout)
    return int(match.group(1)) if match else 0


def install(folder: Path, npm: Sequence[str]) -> None:
    """Run `npm ci` in `folder`: exactly the locked packages, checked by their hashes, no install scripts."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    if not os.access(Path("~").expanduser(), os.W_OK):
        environment["npm_config_cache"] = str(folder / ".npm-cache")
    say("Fetching the browser files (npm ci) …")
    done = subprocess.run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RunError(f"The browser files could not be fetched with npm: {last_line(done.stderr)}")


def last_line(text: str) -> str:
    """The last line of a tool's output that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log" not in line]
    errors = [line for line in lines if "err" in line.lower()]
    return (errors or lines or ["no message"])[-1]


def say(text: str) -> None:
    """One line for the person who waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
