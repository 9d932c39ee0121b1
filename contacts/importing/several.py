"""Several values in one cell: the signs between them, where nobody has chosen one."""

#: by the records of the file and the field; of the values the first is the record's own, the others stand beside it
BETWEEN = {"contacts": {"email": ";,|", "phone": ";|"}, "companies": {"domain": ";,|"}}
MAX_VALUES = 20


def signs(kind: str, key: str, chosen: str = "") -> str:
    """The signs that part the values of this field; empty where it has one value only.

    ``chosen`` is the only sign then, but for domains a slash: web addresses have some.
    """
    usual = BETWEEN[kind].get(key, "")
    if not usual or not chosen:
        return usual
    return "" if key == "domain" and chosen == "/" else chosen
