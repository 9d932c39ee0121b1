"""The folder of the servers: disk, secrets, ports, and the account that PostgreSQL runs under."""

import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from crmcem.run import cli, postgres, profiles
from crmcem.run.errors import RunError
from crmcem.run.home import Home, free_port, port_is_free
from crmcem.run.postgres import Postgres
from crmcem.run.process import Signals, Watchdog


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=12 * 1024**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError) as caught:
        Home(tmp_path / "var").open()
    assert str(caught.value) == f"The disk of {tmp_path}/var is full: 12 MB are free, 300 MB are needed."


def test_a_disk_that_fills_up_on_the_way_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/var/secrets.json.new")

    monkeypatch.setattr(cli, "run", full)
    assert cli.main(["serve"]) == 1
    assert (
        capsys.readouterr().err == "/data/var/secrets.json.new cannot be written: No space left on device.\n"
    )


def test_secrets_are_random_private_and_kept(tmp_path: Path) -> None:
    one, two = Home(tmp_path / "one"), Home(tmp_path / "two")
    for home in (one, two):
        home.path.mkdir()
    secret = one.secret("secret_key")
    assert len(secret) >= 50
    assert Home(one.path).secret("secret_key") == secret
    assert len({secret, one.secret("postgres"), two.secret("secret_key")}) == 3
    assert stat.S_IMODE((one.path / "secrets.json").stat().st_mode) == 0o600


def test_a_file_that_was_cut_short_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"postgres": 54')
    port = Home(tmp_path).port("postgres")
    assert Home(tmp_path).port("postgres") == port == Home(tmp_path).known_port("postgres")


def test_a_port_that_somebody_took_meanwhile_is_changed(tmp_path: Path) -> None:
    import socket

    port = Home(tmp_path).port("postgres")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not port_is_free(port)
        assert Home(tmp_path).port("postgres") != port


def test_only_tests_run_without_fsync() -> None:
    assert "fsync" not in profiles.run_profile().postgres
    assert profiles.run_profile().postgres["idle_in_transaction_session_timeout"] == "60s"
    assert profiles.run_profile().valkey["appendonly"] == "yes"
    assert profiles.test_profile().postgres["fsync"] == "off"
    assert {make().folder for make in profiles.PROFILES.values()} == {"", "test", "bench"}


@pytest.mark.parametrize("within_reach", [True, False])
def test_where_user_namespaces_are_forbidden_root_runs_it_as_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within_reach: bool
) -> None:
    """An ordinary user runs it as itself, and the same test shows that."""
    monkeypatch.setattr(postgres, "user_namespaces_work", lambda: False)
    monkeypatch.setattr(postgres, "OUT_OF_REACH", tmp_path / "lib")
    monkeypatch.setattr(postgres, "reachable", lambda path: within_reach)
    for folder in (tmp_path, *tmp_path.parents):  # pytest's folders are for root alone, in every depth
        if os.geteuid() == 0 and folder.is_relative_to(tempfile.gettempdir()) and folder.name != "tmp":
            folder.chmod(folder.stat().st_mode | 0o055)
    home = Home(tmp_path / "var")
    home.open()
    watchdog = Watchdog(home.lock_descriptor)
    server = Postgres(home, profiles.test_profile())
    child = server.start(watchdog, Signals())
    try:
        owner = Path(f"/proc/{child.process.pid}").stat().st_uid
        assert owner == (65534 if os.geteuid() == 0 else os.geteuid())
    finally:
        child.stop(10)
        home.close()
        watchdog.close()
    assert child.process.returncode == 0


def test_free_ports_are_free() -> None:
    assert port_is_free(free_port())
