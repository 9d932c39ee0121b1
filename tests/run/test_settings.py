"""Settings that are missing or wrong are one plain sentence; right ones pass Django's own deployment checks."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.cli import ROOT, plain_environment

GOOD = {
    "SECRET_KEY": "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6",
    "DATABASE_URL": "postgres://crm:secret@127.0.0.1:5432/crm",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "BASE_URL": "https://crm.example",
    "ALLOWED_HOSTS": "crm.example",
    "EMAIL_URL": "smtp://mail.example:587?tls=1",
}


def environment_of(chosen: dict[str, str]) -> dict[str, str]:
    """The browser tests of the same run let Django's queries pass beside their loop: that is not for deployment."""
    return {k: v for k, v in plain_environment(**chosen).items() if k != "DJANGO_ALLOW_ASYNC_UNSAFE"}


def manage(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    chosen = {name: value for name, value in (GOOD | environment).items() if value}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment_of(chosen),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_production_settings_pass_the_checks_for_deployment() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout == "System check identified no issues (0 silenced).\n"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SECRET_KEY": ""}, "The environment variable SECRET_KEY (or SECRET_KEY_FILE) must be set."),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must have at least 32 characters outside DEBUG."),
        (
            {"SECRET_KEY": "", "SECRET_KEY_FILE": "/no/such/file"},
            "SECRET_KEY_FILE=/no/such/file can't be read: No such file or directory.",
        ),
        ({"SECRET_KEY_FILE": "/dev/null"}, "Both SECRET_KEY and SECRET_KEY_FILE are set: keep one of them."),
        ({"DATABASE_URL": ""}, "The environment variable DATABASE_URL (or DATABASE_URL_FILE) must be set."),
        (
            {"DATABASE_URL": "mysql://x/y"},
            "DATABASE_URL must look like postgres://user:password@host:5432/name.",
        ),
        (
            {"DATABASE_URL": "postgres://u:p@h:port/x"},
            "DATABASE_URL must name a port between 1 and 65535, or none.",
        ),
        ({"REDIS_URL": ""}, "The environment variable REDIS_URL (or REDIS_URL_FILE) must be set."),
        (
            {"EMAIL_URL": "mail.example"},
            "EMAIL_URL must look like smtp://user:password@host:587?tls=1, file:///folder or console://.",
        ),
        ({"DEBUG": "perhaps"}, "DEBUG must be true or false, not 'perhaps'."),
        ({"TRUSTED_PROXIES": "many"}, "TRUSTED_PROXIES must be a whole number, not 'many'."),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_one_sentence(environment: dict[str, str], sentence: str) -> None:
    done = manage("check", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence + "\n")


def test_a_secret_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe\x00")
    done = manage("check", SECRET_KEY="", SECRET_KEY_FILE=str(file))
    assert done.stderr == f"SECRET_KEY_FILE={file} can't be read: it is not UTF-8 text.\n"


def test_a_secret_from_a_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(GOOD["SECRET_KEY"] + "\n")
    done = manage("check", SECRET_KEY="", SECRET_KEY_FILE=str(file))
    assert (done.returncode, done.stderr) == (0, "")
