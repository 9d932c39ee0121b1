from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


def without_nul(value: Any) -> bool:
    """Whether no text in this JSON value carries a NUL byte, which PostgreSQL can't store."""
    if isinstance(value, str):
        return "\x00" not in value
    if isinstance(value, dict):
        return all(without_nul(k) and without_nul(v) for k, v in value.items())
    if isinstance(value, list):
        return all(without_nul(item) for item in value)
    return True


class StrictJSONParser(JSONParser):
    """UTF-8 JSON without NaN, duplicate-free nesting bombs or NUL bytes; errors say where."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.read()
        try:
            data = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON in UTF-8: {error}.") from error
        if b"\\u0000" in raw and not without_nul(data):
            raise ParseError("The body contains a NUL character, which text can't hold. Remove it.")
        return data
