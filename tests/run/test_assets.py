"""The copy step of the browser files, on made-up packages."""

import json
import subprocess
from pathlib import Path

import pytest

from crmcem.run import assets
from crmcem.run.errors import RunError

ROOT = Path(__file__).resolve().parents[2]
MIT = "MIT License\n\nCopyright (c) 2026 us\n\nPermission is hereby granted\n"


def packages(folder: Path) -> Path:
    """A node_modules with every file that is copied, each one byte, and its licence."""
    for name, (_, files) in assets.FILES.items():
        for file in files:
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        (folder / name / "LICENSE").write_text(f"licence of {name}")
    return folder


def test_exactly_the_listed_files_are_copied_with_their_licences(tmp_path: Path) -> None:
    assets.copy(packages(tmp_path / "node_modules"), tmp_path / "vendor", mit=MIT)
    copied = {
        str(path.relative_to(tmp_path / "vendor"))
        for path in (tmp_path / "vendor").rglob("*")
        if path.is_file()
    }
    expected = {f"{folder}/{name}" for folder, files in assets.FILES.values() for name in files.values()}
    assert copied == expected | {f"{folder}/LICENSE.txt" for folder, _ in assets.FILES.values()}
    assert (tmp_path / "vendor/htmx/LICENSE.txt").read_text() == "licence of htmx.org"


def test_references_to_files_that_are_not_served_are_dropped() -> None:
    script = b"a()\n//# sourceMappingURL=a.min.js.map\n"
    style = b"a{b:c}\n/*# sourceMappingURL=a.css.map */"
    font = (
        b'@font-face{src:url("./fonts/i.woff2?v1") format("woff2"),url("./fonts/i.woff?") format("woff"),'
        b'url("./fonts/i.ttf?v1") format("truetype")}.a{}'
    )
    assert assets.clean(script) == b"a()\n"
    assert assets.clean(style) == b"a{b:c}\n"
    assert assets.clean(font) == b'@font-face{src:url("./fonts/i.woff2") format("woff2")}.a{}'


def test_a_package_without_a_licence_file_gets_the_text_its_metadata_names(tmp_path: Path) -> None:
    modules = packages(tmp_path / "node_modules")
    (modules / "htmx.org" / "LICENSE").unlink()
    meta = {
        "name": "htmx.org",
        "version": "2.0.1",
        "license": "MIT",
        "author": {"name": "Ann"},
        "homepage": "h",
    }
    (modules / "htmx.org" / "package.json").write_text(json.dumps(meta))
    assets.copy(modules, tmp_path / "vendor", mit=MIT)
    assert (tmp_path / "vendor/htmx/LICENSE.txt").read_text() == (
        "htmx.org 2.0.1\nh\n\nMIT License\n\nCopyright (c) Ann and contributors\n\nPermission is hereby granted\n"
    )
    (modules / "htmx.org" / "package.json").write_text(json.dumps(meta | {"license": "Apache-2.0"}))
    with pytest.raises(RunError, match=r"^The npm package htmx\.org ships no licence text"):
        assets.copy(modules, tmp_path / "again", mit=MIT)


def test_a_file_that_a_package_has_lost_is_one_sentence(tmp_path: Path) -> None:
    modules = packages(tmp_path / "node_modules")
    (modules / "htmx.org/dist/htmx.min.js").unlink()
    with pytest.raises(RunError) as caught:
        assets.copy(modules, tmp_path / "vendor", mit=MIT)
    assert str(caught.value) == (
        "The npm package htmx.org has no file dist/htmx.min.js; check its version in package.json."
    )


def checkout(tmp_path: Path) -> Path:
    for name in ("LICENSE", "package.json", "package-lock.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def fake_npm(folder: Path, body: str) -> list[str]:
    script = folder / "npm"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return [str(script)]


def test_fetching_is_done_once_and_again_when_the_lock_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout(tmp_path)
    packages(root / "made" / "node_modules")
    npm = fake_npm(root, f"cp -r {root}/made/node_modules . && echo ran >>{root}/calls")
    monkeypatch.setattr(assets, "npm_command", lambda root: npm)
    assert [assets.fetch(root), assets.fetch(root), assets.fetch(root, force=True)] == [True, False, True]
    (root / "package-lock.json").write_text("{}")
    assert assets.fetch(root)
    assert (root / "calls").read_text().count("ran") == 3
    assert (root / "static/vendor/htmx/htmx.min.js").read_bytes() == b"x"
    assert list((root / "var").iterdir()) == []  # nothing of node_modules stays


def test_a_failing_npm_is_one_sentence_and_keeps_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout(tmp_path)
    (root / "static/vendor/htmx").mkdir(parents=True)
    npm = fake_npm(root, "echo 'npm error network timeout' >&2; exit 1")
    monkeypatch.setattr(assets, "npm_command", lambda root: npm)
    with pytest.raises(RunError) as caught:
        assets.fetch(root)
    assert str(caught.value) == "The browser files could not be fetched with npm: npm error network timeout"
    assert (root / "static/vendor/htmx").is_dir()


def test_an_old_node_is_not_used(tmp_path: Path) -> None:
    for version, major in (("v16.20.0", 16), ("v20.1.0", 20), ("nonsense", 0)):
        node = tmp_path / "node"
        node.write_text(f"#!/bin/sh\necho {version}\n")
        node.chmod(0o755)
        assert assets.node_major(str(node)) == major
    assert assets.node_major(str(tmp_path / "none")) == 0


def test_the_served_files_are_in_place_and_complete() -> None:
    """What `make test` has fetched: every file, no source map, and no font format that is not there."""
    vendor = ROOT / "static" / "vendor"
    for folder, files in assets.FILES.values():
        for name in files.values():
            content = (vendor / folder / name).read_bytes()
            assert content
            assert b"sourceMappingURL" not in content, name
    tracked = subprocess.run(["git", "ls-files", "static/vendor"], cwd=ROOT, capture_output=True, check=True)
    assert tracked.stdout == b""
