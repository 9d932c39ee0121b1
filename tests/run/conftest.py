from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.cli import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The command line, with its data in a temporary folder."""
    one = Cli(tmp_path / "var")
    yield one
    one.cleanup()
