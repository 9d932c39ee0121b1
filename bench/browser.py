"""Clients in this very process, signed in as the people of the demo, whose requests must succeed."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.test import Client, override_settings
from rest_framework.test import APIClient

from crmcem.workspace.models import ApiToken, User
from crmcem.workspace.tokens import digest, new_secret

settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]


def with_bare_views() -> None:
    """From now on the bare views of ``bench.urls`` are there too."""
    override_settings(ROOT_URLCONF="bench.urls").enable()


def web(name: str = "admin") -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name), backend="crmcem.workspace.backends.PersonBackend")
    return client


def api(name: str = "integrator") -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token(name)}")
    return client


def token(name: str = "integrator") -> str:
    """The secret of a fresh token that may do everything the person may."""
    user, secret = User.objects.get(username=name), new_secret()
    ApiToken.objects.filter(user=user, name="bench").delete()
    ApiToken.objects.create(user=user, name="bench", prefix=secret[:10], digest=digest(secret), scopes=["*"])
    return secret


def getter(client: Any, url: str) -> Callable[[], Any]:
    """A run that fetches ``url``. Raises for anything but 200."""

    def run() -> Any:
        response = client.get(url)
        if response.status_code != 200:
            raise RuntimeError(f"{url} answered {response.status_code}: {response.content[:500]!r}")
        return response

    return run
