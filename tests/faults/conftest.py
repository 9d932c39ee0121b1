"""The command line in a folder of its own, for the walks with real processes."""

from tests.run.conftest import cli

__all__ = ["cli"]
