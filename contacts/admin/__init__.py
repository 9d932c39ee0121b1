"""What administrators look up and set right."""

from . import parts, records

__all__ = ["parts", "records"]
