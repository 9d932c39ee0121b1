"""The token of public forms: what Django takes, never the same twice, and the cookie is sent once."""

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CSRF_ALLOWED_CHARS, CsrfViewMiddleware, _unmask_cipher_token
from django.test import RequestFactory

from crmcem.lib.web.csrf import form_token, masked

SECRET = CSRF_ALLOWED_CHARS[:16] + CSRF_ALLOWED_CHARS[-16:]


def test_django_takes_the_mask_off_again() -> None:
    tokens = {masked(SECRET) for _ in range(500)}
    assert len(tokens) == 500
    assert {_unmask_cipher_token(token) for token in tokens} == {SECRET}
    drawn = "".join(token[:32] for token in tokens)
    assert set(drawn) == set(CSRF_ALLOWED_CHARS)
    assert all(100 < drawn.count(char) < 450 for char in CSRF_ALLOWED_CHARS), "about 258 times each"


def _page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(form_token(request))


def _look(cookie: str | None) -> tuple[str, str | None]:
    """The token in the form and the cookie that is set, where one is."""
    request = RequestFactory().get("/")
    if cookie is not None:
        request.COOKIES["csrftoken"] = cookie
    response = CsrfViewMiddleware(_page)(request)
    set_cookie = response.cookies.get("csrftoken")
    return response.content.decode(), set_cookie.value if set_cookie else None


def test_the_cookie_is_set_for_who_has_none_or_a_broken_one() -> None:
    for cookie in (None, "short", "!" * 32):
        token, fresh = _look(cookie)
        assert fresh is not None
        assert fresh != cookie
        assert _unmask_cipher_token(token) == fresh


def test_who_has_the_cookie_keeps_it() -> None:
    token, fresh = _look(SECRET)
    assert fresh is None
    assert _unmask_cipher_token(token) == SECRET
    assert _look(SECRET)[0] != token
