"""The repository's own rules find what they are for, and nothing in this repository."""

import subprocess
from pathlib import Path

import pytest

from crmcem.run import checks


def test_this_repository_keeps_the_rules() -> None:
    files = checks.tracked()
    assert [finding for rule in checks.RULES for finding in rule(files)] == []


@pytest.mark.parametrize(
    "path",
    [
        "static/vendor/htmx/htmx.js",
        "node_modules/a/index.js",
        "node_modules",
        "static/js/chart.min.js",
        "wheels/a.whl",
    ],
)
def test_third_party_code_is_found(path: str) -> None:
    assert list(checks.no_foreign_code({path: b"x"})) == [f"{path}: third-party code does not belong in git"]


def test_a_link_counts_by_where_it_leads(tmp_path: Path) -> None:
    """Also one that leads nowhere here: it names a folder of another machine."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "packages").symlink_to("/" + "home/ann/packages")
    files = checks.tracked(tmp_path)
    assert files == {"packages": ("/" + "home/ann/packages").encode()}
    assert list(checks.no_registry_and_no_machine(files)) == [
        "packages: names the machine path /" + "home/ann"
    ]


def test_large_files_are_found() -> None:
    assert list(checks.no_foreign_code({"data.csv": b"x" * 700_000})) == [
        "data.csv: 700 kB; large data does not belong in git"
    ]


def test_registries_and_machine_paths_are_found() -> None:
    host = "registry.npmjs" + ".org"
    files = {
        "a.json": f"https://{host}/a".encode(),
        "b.py": b"open('/" + b"home/ann/x')",
        "c.md": b"https://example.org/home/x and ./home and /homework/",
    }
    assert list(checks.no_registry_and_no_machine(files)) == [
        f"a.json: names the registry {host}",
        "b.py: names the machine path /" + "home/ann",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open('/srv/me/shared/x')", True),
        ("cd /srv/me", False),
        ("cd /srv/me\n", True),
        ("./srv/me/x", False),
        ("/srv/mezzanine/x", False),
        ("https://example.org/srv/me/x", False),
    ],
)
def test_the_folder_that_the_checkout_stands_in_is_found(text: str, found: bool) -> None:
    assert bool(checks.machine_path(Path("/srv/me/crmcem")).search(text.encode())) is found


def test_forbidden_files_are_found() -> None:
    files = {"uv.lock": b"", "deploy/.env": b"", ".npmrc": b"", "package-lock.json": b""}
    assert list(checks.no_forbidden_files(files)) == [
        f"{name}: must not be in git" for name in list(files)[:3]
    ]


def test_a_lock_without_a_hash_is_found() -> None:
    good = b"django==5.2 \\\n    --hash=sha256:00\n"
    assert list(checks.locks_are_hashed({"requirements.lock": good})) == []
    assert list(checks.locks_are_hashed({"requirements-dev.lock": good + b"celery>=5\n"})) == [
        "requirements-dev.lock: celery>=5 is not pinned by hash"
    ]
    assert list(checks.locks_are_hashed({"package-lock.json": b'{"resolved": "x"}'})) == [
        "package-lock.json: names download addresses"
    ]


@pytest.mark.parametrize(
    ("markup", "finding"),
    [
        ("<div style='x'>", "<div> has an inline style"),
        ('<div\n  class="a"\n  style="width: {{ x }}%">', "<div> has an inline style"),
        ("<style>a{}</style>", "inline <style>"),
        ("<script>alert(1)</script>", "inline <script>"),
        ('<button onclick="go()">', "<button> has an inline event handler"),
        ("<a href='javascript:go()'>", "<a> has a javascript: address"),
        ("<body ONLOAD=go()>", "<body> has an inline event handler"),
    ],
)
def test_markup_that_the_policy_blocks_is_found(markup: str, finding: str) -> None:
    assert list(checks.strict_templates({"templates/a.html": b"\n" + markup.encode()})) == [
        f"templates/a.html:2: {finding}"
    ]


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="{% static "app.js" %}" defer></script>',
        '<script type="application/json" id="data">{}</script>',
        '<div data-style="x" x-on:click="go" hx-on="x" class="onclick=">',
        '<a title="style=none" href="/x?one=1">',
        "{# <div style='x'> #}<!-- <script>x</script> -->{% comment %}<style>{% endcomment %}",
    ],
)
def test_markup_that_the_policy_allows_passes(markup: str) -> None:
    assert list(checks.strict_templates({"templates/a.html": markup.encode()})) == []


def test_mails_may_carry_styles_but_no_script() -> None:
    files = {"templates/email/a.html": b"<p style='x'>", "templates/email/b.html": b"<script>x</script>"}
    assert list(checks.strict_templates(files)) == ["templates/email/b.html:1: inline <script>"]


def test_long_files_and_leftovers_are_found() -> None:
    note = b"# TO" + b"DO: later\n"
    off = b"@pytest.mark.sk" + b"ip\n"
    assert list(checks.short_files({"a.py": b"\n" * 500, "tests/a.py": b"\n" * 500})) == [
        "a.py: 500 lines; split it by screen or by noun"
    ]
    assert list(checks.nothing_left_over({"a.py": note, "b.py": b'TODO = "todo"', "c.py": off})) == [
        "a.py: has a note to oneself",
        "c.py: switches a test off",
    ]


def test_only_files_that_git_would_take_in_are_read(tmp_path: Path) -> None:
    import subprocess

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("var/\n")
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret").write_text("x")
    (tmp_path / "new.py").write_text("x")
    assert sorted(checks.tracked(tmp_path)) == [".gitignore", "new.py"]
