"""Settings from the environment: typed, each also as ``NAME_FILE``, and loud when wrong."""

import os
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str | None = None) -> str:
    """The value of ``name``, else the content of the file that ``name_FILE`` names, else ``default``.

    Raises ImproperlyConfigured when there is none of them, or the file can't be read.
    """
    value = os.environ.get(name)
    path = os.environ.get(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set: keep one of them.")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path} can't be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path} can't be read: it is not UTF-8 text.") from error
    if value is not None:
        return value
    if default is None:
        raise ImproperlyConfigured(f"The environment variable {name} (or {name}_FILE) must be set.")
    return default


def flag(name: str, default: bool = False) -> bool:
    """A boolean: 1/true/yes/on or 0/false/no/off."""
    value = text(name, "1" if default else "0").strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def number(name: str, default: int, *, low: int = 0, high: int = 2**31) -> int:
    """A whole number between ``low`` and ``high``."""
    value = text(name, str(default)).strip()
    try:
        result = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if not low <= result <= high:
        raise ImproperlyConfigured(f"{name} must be between {low} and {high}, not {result}.")
    return result


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def _port(name: str, parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} must name a port between 1 and 65535, or none.") from None


def database(name: str = "DATABASE_URL") -> dict[str, object]:
    """Django's settings for a ``postgres://user:password@host:port/name`` address.

    A host of ``%2Frun%2Fpostgresql`` is a socket folder. Query parameters become driver options.
    """
    url = text(name)
    parts = urlsplit(url)
    port = _port(name, parts)
    if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
        raise ImproperlyConfigured(f"{name} must look like postgres://user:password@host:5432/name.")
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "OPTIONS": {key: unquote(value) for key, value in options.items()},
    }


def email(url: str) -> dict[str, object]:
    """Django's e-mail settings for ``console://``, ``memory://``, ``file:///folder``, ``smtp(s)://…``."""
    parts = urlsplit(url)
    port = _port("EMAIL_URL", parts)
    backend = "django.core.mail.backends"
    if parts.scheme in {"console", "memory", "dummy"}:
        names = {"console": "console", "memory": "locmem", "dummy": "dummy"}
        return {"EMAIL_BACKEND": f"{backend}.{names[parts.scheme]}.EmailBackend"}
    if parts.scheme == "file" and parts.path:
        return {"EMAIL_BACKEND": f"{backend}.filebased.EmailBackend", "EMAIL_FILE_PATH": unquote(parts.path)}
    if parts.scheme in {"smtp", "smtps"} and parts.hostname:
        secure = parts.scheme == "smtps"
        tls = "tls=1" in parts.query or "tls=true" in parts.query
        return {
            "EMAIL_BACKEND": f"{backend}.smtp.EmailBackend",
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": port or (465 if secure else 587 if tls else 25),
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_TLS": tls,
            "EMAIL_USE_SSL": secure,
        }
    raise ImproperlyConfigured(
        "EMAIL_URL must look like smtp://user:password@host:587?tls=1, file:///folder or console://."
    )
