"""The repository's own rules: what no linter off the shelf looks for.

Every rule takes the tracked files (path below the root and content) and yields findings as `path: sentence`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Files = Mapping[str, bytes]
Rule = Callable[[Files], Iterator[str]]

#: a file above this size is data or somebody else's code
LARGEST_FILE = 600_000
#: our own files must stay readable
LONGEST_CODE = 420

# Spelled in parts, so that this file does not break its own rule.
_HOSTS = (
    "registry.npmjs" + ".org",
    "files.python" + "hosted.org",
    "pypi" + ".org/simple",
    "npm.pkg.github" + ".com",
)


def machine_path(root: Path) -> re.Pattern[bytes]:
    """Homes of people, and the folder that this checkout stands in."""
    around = str(root.parent).encode()
    here = [re.escape(around)] if len(root.parts) > 2 and around != b"/tmp" else []
    return re.compile(
        rb"(?<![\w.])(?:" + b"|".join([*here, rb"/(?:home|Users)/[a-z]\w*"]) + rb")(?=[/'\"\s])"
    )


_FOREIGN = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|vendor|third_party|dist-packages)(?:/|$)|\.min\.(?:js|css)$|\.whl$"
)
_FORBIDDEN_NAMES = ("uv.lock", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", ".env", ".npmrc", "pip.conf")

_TEMPLATE_COMMENT = re.compile(r"\{#.*?#\}|\{%\s*comment\b.*?endcomment\s*%\}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<([a-zA-Z][\w-]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>", re.DOTALL)
_HANDLER = re.compile(r"(?:^|\s)on[a-z]+\s*=", re.IGNORECASE)
_STYLE = re.compile(r"(?:^|\s)style\s*=", re.IGNORECASE)
_SCRIPT_URL = re.compile(r"=\s*[\"']?\s*javascript:", re.IGNORECASE)
_DATA_SCRIPT = re.compile(r"type\s*=\s*[\"'](?:application/json|application/ld\+json|text/template)[\"']")


def tracked(root: Path = ROOT) -> dict[str, bytes]:
    """The files that git knows or would take in, with their content: of a link, where it leads."""
    said = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git
        cwd=root,
        capture_output=True,
        check=True,
    )
    paths = [name for name in said.stdout.decode().split("\0") if name]
    return {
        name: _content(root / name) for name in paths if (root / name).is_symlink() or (root / name).is_file()
    }


def _content(path: Path) -> bytes:
    return str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()


def no_foreign_code(files: Files) -> Iterator[str]:
    """Third-party code is fetched by its lock, never committed."""
    for path, content in files.items():
        if _FOREIGN.search(path):
            yield f"{path}: third-party code does not belong in git"
        elif len(content) > LARGEST_FILE:
            yield f"{path}: {len(content) // 1000} kB; large data does not belong in git"


def no_registry_and_no_machine(files: Files) -> Iterator[str]:
    """No file names a package registry's host or a path of somebody's machine."""
    machine_paths = machine_path(ROOT)
    for path, content in files.items():
        for host in _HOSTS:
            if host.encode() in content:
                yield f"{path}: names the registry {host}"
        found = machine_paths.search(content)
        if found:
            yield f"{path}: names the machine path {found.group().decode()}"


def no_forbidden_files(files: Files) -> Iterator[str]:
    """One lock per language, and no settings of a machine."""
    for path in files:
        if path.rpartition("/")[2] in _FORBIDDEN_NAMES:
            yield f"{path}: must not be in git"


def locks_are_hashed(files: Files) -> Iterator[str]:
    """Every line of a lock pins a version and carries hashes."""
    for path, content in files.items():
        if not re.fullmatch(r"requirements[\w-]*\.lock", path):
            continue
        for requirement in re.split(r"\n(?=\S)", content.decode().strip()):
            if "==" not in requirement or "--hash=sha256:" not in requirement:
                yield f"{path}: {requirement.split()[0]} is not pinned by hash"
    if "package-lock.json" in files and b'"resolved"' in files["package-lock.json"]:
        yield "package-lock.json: names download addresses"


def strict_templates(files: Files) -> Iterator[str]:
    """The content security policy allows no inline script, style or handler."""
    for path, content in files.items():
        if not path.endswith(".html"):
            continue
        text = _TEMPLATE_COMMENT.sub(lambda found: "\n" * found.group().count("\n"), content.decode())
        mail = "/email/" in path or path.startswith("templates/email/")
        for tag in _TAG.finditer(text):
            problem = tag_problem(tag.group(1).lower(), tag.group(2), mail=mail)
            if problem:
                yield f"{path}:{text.count(chr(10), 0, tag.start()) + 1}: {problem}"


def tag_problem(name: str, attributes: str, *, mail: bool) -> str:
    """What the policy would block about an opening tag; empty where it is fine. Mails have no policy."""
    if _HANDLER.search(attributes):
        return f"<{name}> has an inline event handler"
    if _SCRIPT_URL.search(attributes):
        return f"<{name}> has a javascript: address"
    if name == "script" and not re.search(r"\bsrc\s*=", attributes) and not _DATA_SCRIPT.search(attributes):
        return "inline <script>"
    if mail:
        return ""
    if name == "style":
        return "inline <style>"
    if _STYLE.search(attributes):
        return f"<{name}> has an inline style"
    return ""


def short_files(files: Files) -> Iterator[str]:
    """A file that fits in the head; tests and migrations may be longer."""
    for path, content in files.items():
        if path.endswith(".py") and not re.search(r"(?:^|/)(?:tests|migrations)/", path):
            lines = content.count(b"\n")
            if lines > LONGEST_CODE:
                yield f"{path}: {lines} lines; split it by screen or by noun"


def nothing_left_over(files: Files) -> Iterator[str]:
    """No note to oneself, no test that is switched off."""
    notes = re.compile(rb"(?:#|//|/\*|<!--).*\b(?:TO" + rb"DO|FIX" + rb"ME|XX" + rb"X)\b")
    switched_off = re.compile(rb"pytest\.mark\.(?:sk" + rb"ip|xf" + rb"ail)\b|unittest\.sk" + rb"ip")
    for path, content in files.items():
        if path.endswith((".py", ".html", ".js", ".css", ".sh", "Makefile")):
            if notes.search(content):
                yield f"{path}: has a note to oneself"
            if path.endswith(".py") and switched_off.search(content):
                yield f"{path}: switches a test off"


RULES: tuple[Rule, ...] = (
    no_foreign_code,
    no_registry_and_no_machine,
    no_forbidden_files,
    locks_are_hashed,
    strict_templates,
    short_files,
    nothing_left_over,
)


def main() -> int:
    """Print the findings; 1 where there are any."""
    files = tracked()
    findings = [finding for rule in RULES for finding in rule(files)]
    findings += ["uv.lock: must not exist, it names a registry"] if (ROOT / "uv.lock").exists() else []
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
