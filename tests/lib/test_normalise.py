import pytest

from crmcem.lib.normalise import is_normal, normalise_domain, normalise_email, normalise_phone


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
        ("1 415 555 2671", "US", "+14155552671"),
        ("416 555 0100", "US", "+14165550100"),  # Canada has the same country code
        ("011 49 30 123456", "US", "+4930123456"),
        ("0800 1234567", "DE", "+498001234567"),
        ("030 110", "DE", "+4930110"),  # short, and one of Berlin
        ("030 123456-12", "DE", "+493012345612"),
        ("030 123456 ext. 12", "DE", "+4930123456"),
        ("49 30 123456", "DE", "+4930123456"),
        ("555 123 4567", "US", "+15551234567"),  # no list has it, and its length is right
        ("0171 123456", "DE", "+49171123456"),
        ("06 6982", "IT", "+39066982"),  # zeros in front belong to numbers of Italy
        ("+49 171 123456", "US", "+49171123456"),  # with its code it is taken, whatever the lists say
    ],
)
def test_phone(text: str, country: str, expected: str) -> None:
    assert normalise_phone(text, country) == expected


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("030 1234", "US"),  # was +10301234
        ("030 1234567", "US"),  # was +10301234567
        ("112", "DE"),  # was +49112
        ("4412", "DE"),
    ],
)
def test_a_number_without_its_country_code_that_the_country_does_not_have_is_none(
    text: str, country: str
) -> None:
    with pytest.raises(ValueError, match=rf"not a phone number of this workspace's country \({country}\)"):
        normalise_phone(text, country)


@pytest.mark.parametrize(
    ("value", "normal"), [("+4930123456", True), ("+10301234", False), ("+49112", False), ("+1415", False)]
)
def test_numbers_that_lack_their_area_code_are_told_among_those_that_are_stored(
    value: str, normal: bool
) -> None:
    assert is_normal("phone", value) is normal


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
