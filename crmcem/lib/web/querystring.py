"""The query string of a list: changed here, one parameter at a time, for every link on the page."""

from django.http import QueryDict

#: what belongs to one look at the list and not to the list itself
PASSING = ("cursor", "_part", "_bulk", "_all", "_confirmed", "_export", "_cell", "_row")


class ListQuery:
    """The parameters of a list's URL, without empty and passing ones."""

    def __init__(self, params: QueryDict) -> None:
        self.params = QueryDict(mutable=True)
        for name in params:
            values = [v for v in params.getlist(name) if v != ""]
            if values and name not in PASSING:
                self.params.setlist(name, values)

    def url(self, **changes: str | None) -> str:
        """``?...`` with ``changes``; None takes a parameter out."""
        params = self.params.copy()
        for name, value in changes.items():
            if value is None:
                params.pop(name, None)
            else:
                params[name] = value
        return f"?{params.urlencode()}" if params else "?"

    def without(self, name: str, value: str) -> str:
        """``?...`` without one value of a parameter that may have several."""
        params = self.params.copy()
        rest = list(params.getlist(name))
        if value in rest:
            rest.remove(value)
        params.setlist(name, rest)
        if not rest:
            params.pop(name, None)
        return f"?{params.urlencode()}" if params else "?"

    @property
    def text(self) -> str:
        """What a saved view stores: everything but the view that is open."""
        params = self.params.copy()
        params.pop("view", None)
        return str(params.urlencode())

    def pairs(self, *leave_out: str) -> list[tuple[str, str]]:
        """Name and value of each parameter, for hidden fields of a form."""
        return [(n, v) for n in self.params for v in self.params.getlist(n) if n not in leave_out]
