import pytest

from crmcem.lib.normalise import normalise_domain, normalise_email, normalise_phone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Ada@Example.ORG ", "ada@example.org"),
        ("o'brien+tag@mail.example.co.uk", "o'brien+tag@mail.example.co.uk"),
        ("jürgen@bücher.example.de", "jürgen@bücher.example.de"),
    ],
)
def test_email(text: str, expected: str) -> None:
    assert normalise_email(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "a b@example.org",
        "a@b",
        "a..b@example.org",
        ".a@example.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada@example.org\r\n",
        "a@-x.example",
        "x" * 250 + "@example.org",
    ],
)
def test_bad_email(text: str) -> None:
    if text.endswith("\r\n"):
        assert normalise_email(text) == "ada@example.org"  # blanks around are trimmed, not inside
        return
    with pytest.raises(ValueError, match="e-mail"):
        normalise_email(text)


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+49 (30) 123-456", "US", "+4930123456"),
        ("0049 30 123456", "US", "+4930123456"),
        ("030 123456", "DE", "+4930123456"),
        ("(415) 555-2671", "US", "+14155552671"),
    ],
)
def test_phone(text: str, country: str, expected: str) -> None:
    assert normalise_phone(text, country) == expected


@pytest.mark.parametrize("text", ["", "abc", "12", "+0123456", "+1" + "2" * 40, "=cmd()"])
def test_bad_phone(text: str) -> None:
    with pytest.raises(ValueError, match="phone number"):
        normalise_phone(text, "US")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.Example.org/path?q=1", "example.org"),
        ("shop.example.co.uk:8080", "shop.example.co.uk"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_domain(text: str, expected: str) -> None:
    assert normalise_domain(text) == expected


@pytest.mark.parametrize("text", ["", "localhost", "a b.example", "-x.example", "javascript:alert(1)"])
def test_bad_domain(text: str) -> None:
    with pytest.raises(ValueError, match="domain"):
        normalise_domain(text)
