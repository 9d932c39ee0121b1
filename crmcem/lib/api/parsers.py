import re
from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

#: an escaped NUL character, and not the text "\\u0000" (a backslash and letters)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class StrictJSONParser(JSONParser):
    """UTF-8 JSON without NaN, nesting bombs or NUL characters; errors say where.

    Nothing deeper than orjson writes (254 levels) comes in: what can't be written back is not taken.
    """

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
        if b"\\u0000" in raw and _NUL.search(raw):
            raise ParseError("The body contains a NUL character, which text can't hold. Remove it.")
        try:
            orjson.dumps(data)
        except orjson.JSONEncodeError as error:
            raise ParseError("The body is nested too deeply: send at most 250 levels.") from error
        return data
