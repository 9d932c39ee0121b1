"""What the documents say is there is there, and what is there is in the documents."""

import re
from pathlib import Path

import pytest

from crmcem.lib.activities import kinds
from crmcem.lib.stream import consumers
from crmcem.workspace.demo import PASSWORD, PEOPLE

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_setting_is_in_the_readme() -> None:
    used = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "crmcem" / "settings.py").read_text()))
    table = README.partition("## Configuration")[2].partition("\n## ")[0]
    told = set(
        re.findall(r"`([A-Z_]+)`", "\n".join(row.split("|")[1] for row in re.findall(r"^\|.*", table, re.M)))
    )
    assert len(used) > 15
    assert told == used | {"PORT", "EMAIL_URL"}


def test_every_sign_in_of_the_demo_is_in_the_readme() -> None:
    assert PASSWORD in README
    assert [name for name in PEOPLE if f"`{name}`" not in README] == []


def test_every_command_of_make_is_told() -> None:
    commands = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    assert [name for name in commands if name not in ("help", "clean") and f"make {name}" not in text] == []


def test_every_kind_and_every_consumer_is_in_the_architecture() -> None:
    assert [kind.key for kind in kinds if f"`{kind.key}`" not in ARCHITECTURE] == []
    assert [each.name for each in consumers if f"`{each.name}`" not in ARCHITECTURE] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text()
    named = [*re.findall(r"\]\(([^)#]+)[^)]*\)", text), *re.findall(r'src="([^"]+)"', text)]
    links = [link for link in named if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []
    files = re.findall(r"`((?:tests|crmcem|static|templates|docs|deploy|bench)/[\w./-]+)`", text)
    made = ("static/vendor", "deploy/secrets", "crmcem/run/venv.sh")
    assert [name for name in files if not name.startswith(made) and not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for file in files:
        assert file.read_text().startswith(f"# {int(file.name[:4])}. ")
