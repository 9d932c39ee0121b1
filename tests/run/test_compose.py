"""docker-compose.yml: valid, closed by default, and its commands really serve.

No container engine is needed: the file is read, and the very same commands are started as processes against the
PostgreSQL and the broker that the tests run on, over TCP, with their addresses in files as in the containers.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import yaml
from django.conf import settings
from django.db import connection, connections
from psycopg2 import sql

from crmcem.run.home import free_port
from crmcem.run.serve import answers, programs
from tests.run.cli import eventually, plain_environment

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "beat")


def test_every_part_is_there() -> None:
    assert set(SERVICES) == {*OURS, "postgres", "pgbouncer", "redis", "caddy"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_a_lasting_service_has_a_healthcheck_and_restarts(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_runs_as_root(name: str) -> None:
    user = str(SERVICES[name]["user"])
    assert user.split(":")[0] not in ("", "0", "root")


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_read_only_and_powerless(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["depends_on"]) >= (
        {"postgres"} if name == "migrate" else {"migrate", "pgbouncer", "redis"}
    )


def test_only_the_proxy_is_reachable_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]


def test_every_secret_volume_and_file_that_is_used_is_declared() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file(), source
            else:
                assert source in COMPOSE["volumes"], source
        for value in service.get("environment", {}).values():
            found = re.fullmatch(r"/run/secrets/(\w+)", str(value))
            assert found is None or found.group(1) in service["secrets"], (name, value)


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|secret_key|token)\s*:\s*[\"']?[A-Za-z0-9]{8,}", text)
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", "deploy/secrets/secret_key"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0


def test_the_secrets_are_made_once_and_fit_together(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "deploy" / "make-secrets").read_bytes())
    script.chmod(0o755)
    subprocess.run([str(script)], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    first = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run([str(script)], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert set(COMPOSE["secrets"]) <= set(first)
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= set(first)
    assert len(first["secret_key"]) == 96
    password = first["postgres_password"]
    assert first["database_url"] == f"postgres://crmcem:{password}@pgbouncer:6432/crmcem"
    assert first["pgbouncer_users"] == f'"crmcem" "{password}"'
    assert f"requirepass {urlsplit(first['redis_url']).password}\n" in first["redis_config"]
    assert folder.stat().st_mode & 0o077 == 0


def test_the_image_is_built_in_stages_and_ends_as_an_ordinary_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    stages = [index for index, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 3
    users = [line for line in lines[stages[-1] :] if line.startswith("USER ")]
    assert users == ["USER crmcem"]
    assert "uid 10001" in "\n".join(lines)
    assert SERVICES["web"]["user"] == "10001:10001"
    assert any("--require-hashes -r requirements.lock" in line for line in lines)


def command(name: str) -> list[str]:
    """The service's command with the defaults of its variables filled in, as compose does."""
    return [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(word)) for word in SERVICES[name]["command"]]


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_make_run_starts_the_same_program(name: str) -> None:
    """What people try out on their machine is what serves in production, but for addresses and numbers."""
    local = next(one for one in programs(ROOT, ROOT, {}, 8000) if one.name == name).command[2:]
    deployed = command(name)
    ours = {"--bind=0.0.0.0:8000", "--worker-tmp-dir=/tmp"}
    assert [word for word in deployed if word not in ours] == [
        word for word in local if word != "--bind=127.0.0.1:8000"
    ]


# --- the commands, for real ----------------------------------------------------------------------


class Deployment:
    """A database of its own on the server of the tests, and the environment of the containers."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        given = connection.settings_dict
        self.server = {
            "host": given["HOST"],
            "port": given["PORT"] or None,
            "user": given["USER"],
            "password": given["PASSWORD"] or None,
        }
        self.name = f"crmcem_compose_{os.getpid()}"
        connections.close_all()  # a database that somebody is connected to cannot be copied
        # In a run of the whole suite the test database is there: its copy is migrated already.
        template = given["NAME"] if given["NAME"].startswith("test_") else "template1"
        self._admin("CREATE DATABASE {} TEMPLATE {}", self.name, template)
        credentials = f"{given['USER']}:{given['PASSWORD']}" if given["PASSWORD"] else given["USER"]
        address = f"{given['HOST']}:{given['PORT']}" if given["PORT"] else given["HOST"]
        broker = urlsplit(settings.REDIS_URL)
        secrets = {
            "database_url": f"postgres://{credentials}@{address}/{self.name}",
            "redis_url": urlunsplit(broker._replace(path="/15")),
            "secret_key": "x" * 64,
            "email_url": f"file://{folder}/mail",
            "metrics_token": "figures",
        }
        secrets["database_direct_url"] = secrets["database_url"]
        for name, value in secrets.items():
            (folder / name).write_text(value + "\n")
        self._variables = {
            "BASE_URL": f"http://localhost:{self.port}",
            "STATIC_ROOT": str(folder / "static"),
            "MEDIA_ROOT": str(folder / "media"),
            "PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self._folder = folder

    def environment(self, name: str) -> dict[str, str]:
        """The service's environment with each secret in a file, like in its container."""
        chosen = {
            key: value.replace("/run/secrets", str(self._folder))
            for key, value in SERVICES[name]["environment"].items()
            if key.endswith("_FILE")
        }
        return plain_environment(**chosen, **self._variables)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        words = [word.replace("0.0.0.0:8000", f"127.0.0.1:{self.port}") for word in command(name)]
        return subprocess.Popen(words, cwd=ROOT, env=self.environment(name), start_new_session=True)

    def healthy(self, name: str) -> bool:
        """What the container's health check says."""
        words = SERVICES[name]["healthcheck"]["test"][1:]
        done = subprocess.run(words, cwd=ROOT, env=self.environment(name), capture_output=True, check=False)
        return done.returncode == 0

    def close(self) -> None:
        self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)

    def _admin(self, statement: str, *names: str) -> None:
        line = psycopg2.connect(dbname="postgres", **self.server)
        line.autocommit = True
        with line.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        line.close()


@pytest.fixture
def deployment(tmp_path: Path, django_db_setup: None) -> Iterator[Deployment]:
    one = Deployment(tmp_path)
    yield one
    one.close()


def test_the_commands_of_the_containers_serve_and_stop_cleanly(deployment: Deployment) -> None:
    migrate = deployment.start("migrate")
    assert migrate.wait(120) == 0
    started = {name: deployment.start(name) for name in ("web", "worker", "beat")}
    try:
        assert eventually(lambda: answers(deployment.port, f"localhost:{deployment.port}"), 60)
        assert deployment.healthy("web")
        assert eventually(lambda: deployment.healthy("worker"), 60)
        assert [name for name, process in started.items() if process.poll() is not None] == []
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 30
        codes = {name: process.wait(max(1, until - time.monotonic())) for name, process in started.items()}
        for process in started.values():
            with_group_gone(process.pid)
    assert codes == {"web": 0, "worker": 0, "beat": 0}


def with_group_gone(pid: int) -> None:
    """Nothing of the process group is left."""
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
