"""`exec`: servers around a command, and nothing left of them afterwards."""

import os
import signal
import stat
from pathlib import Path

from tests.run.cli import SQL, Cli, cmdline, eventually


def sql(statement: str) -> list[str]:
    return ["exec", "--profile", "test", "--", "python", "-c", SQL, statement]


def durable(statement: str) -> list[str]:
    return ["exec", "--profile", "bench", "--", "python", "-c", SQL, statement]


def test_the_command_finds_both_servers_and_its_exit_code_comes_back(cli: Cli) -> None:
    script = (
        "import os, redis, psycopg2; psycopg2.connect(os.environ['DATABASE_URL']);"
        "print(redis.Redis.from_url(os.environ['REDIS_URL']).ping(), len(os.environ['SECRET_KEY']) >= 50);"
        "raise SystemExit(7)"
    )
    done = cli.run("exec", "--profile", "test", "--", "python", "-c", script)
    assert (done.returncode, done.stdout) == (7, "True True\n"), done.stderr
    assert cli.left() == []


def test_servers_listen_on_loopback_only_and_secrets_are_private(cli: Cli) -> None:
    process = cli.start("exec", "--profile", "test", "--", "sleep", "60")
    home = cli.var / "test"
    assert eventually((home / "secrets.json").is_file)
    assert eventually(lambda: cli.runs(b"sleep"))
    secret = (home / "secrets.json").read_text().split('"')[3]
    for pid in cli.left():
        assert secret.encode() not in cmdline(pid)
    for name in ("secrets.json", "ports.json", "valkey.conf", "lock"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    ports = {
        int(word) for word in (home / "ports.json").read_text().replace("}", "").split() if word.isdigit()
    }
    addresses = listening()
    for port in ports:
        assert {address for address, one in addresses if one == port} <= {"0100007F"}
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert cli.left() == []


def listening() -> list[tuple[str, int]]:
    """(address in hexadecimal, port) of every listening socket."""
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                address, port = words[1].split(":")
                found.append((address, int(port, 16)))
    return found


def test_a_second_run_finds_the_data_of_the_first(cli: Cli) -> None:
    assert cli.run(*sql("CREATE TABLE kept AS SELECT 42 AS answer")).returncode == 0
    done = cli.run(*sql("SELECT answer FROM kept"))
    assert (done.returncode, done.stdout) == (0, "[(42,)]\n"), done.stderr


def test_kill_9_leaves_no_child_and_committed_data_survives(cli: Cli) -> None:
    process = cli.start(*durable("CREATE TABLE kept AS SELECT 42 AS answer; SELECT pg_sleep(60)"))
    pid_file = cli.var / "bench" / "pg" / "postmaster.pid"
    assert eventually(pid_file.is_file)
    done = cli.run(*durable("SELECT 1"))
    assert done.returncode == 1
    assert (
        done.stderr
        == f"crmcem is already running in {cli.var / 'bench'} (process {process.pid}); stop it first.\n"
    )
    process.kill()
    process.communicate()
    assert eventually(lambda: not cli.left()), cli.left()
    assert cli.run(*durable("CREATE TABLE after AS SELECT 1 AS one")).returncode == 0
    process = cli.start(*durable("INSERT INTO after VALUES (2); SELECT pg_sleep(60)"))
    assert eventually(lambda: cli.runs(b"postgres: crmcem crmcem", b"SELECT"))
    os.kill(process.pid, signal.SIGKILL)
    done = cli.run(
        *durable("SELECT one FROM after ORDER BY one")
    )  # at once: it waits for the old servers to end
    assert done.stdout == "[(1,)]\n", done.stderr


def test_killing_the_watchdog_too_leaves_no_server(cli: Cli) -> None:
    process = cli.start("exec", "--profile", "test", "--", "sleep", "60")
    assert eventually(lambda: cli.runs(b"sleep"))
    for pid in cli.left():
        if b"watchdog.py" in cmdline(pid):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    assert eventually(lambda: not cli.left()), cli.left()


def test_test_data_of_a_killed_run_is_not_trusted(cli: Cli) -> None:
    assert cli.run(*sql("CREATE TABLE kept AS SELECT 42 AS answer")).returncode == 0
    process = cli.start("exec", "--profile", "test", "--", "sleep", "60")
    assert eventually(lambda: cli.runs(b"sleep"))
    process.kill()
    process.communicate()
    done = cli.run(*sql("SELECT to_regclass('kept')"))
    assert done.stdout == "[(None,)]\n", done.stderr


def test_a_stale_pid_file_of_a_reused_process_id_does_not_block(cli: Cli) -> None:
    assert cli.run(*durable("SELECT 1")).returncode == 0
    (cli.var / "bench" / "pg" / "postmaster.pid").write_text(f"{os.getpid()}\n/elsewhere\n")
    assert cli.run(*durable("SELECT 1")).stdout == "[(1,)]\n"


def test_servers_that_are_given_are_used_and_none_is_started(cli: Cli) -> None:
    script = (
        "import os, subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'crmcem.run', '--var',"
        " sys.argv[1], 'exec', '--', 'sh', '-c', 'echo \"$DATABASE_URL $REDIS_URL\"']))"
    )
    inner = cli.var / "inner"
    done = cli.run("exec", "--profile", "test", "--", "python", "-c", script, str(inner))
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1" in done.stdout
    assert not inner.exists()


def test_an_unreachable_database_is_one_sentence(cli: Cli) -> None:
    done = cli.run("exec", "--", "true", DATABASE_URL="postgres://nobody@127.0.0.1:9/x")
    assert (done.returncode, done.stderr) == (
        1,
        "The database at 127.0.0.1:9 does not answer (Connection refused); check DATABASE_URL.\n",
    )


def test_an_unreachable_broker_is_one_sentence(cli: Cli) -> None:
    done = cli.run("exec", "--", "true", REDIS_URL="redis://127.0.0.1:9/0")
    assert (done.returncode, done.stderr) == (
        1,
        "The broker at 127.0.0.1:9 does not answer (Connection refused); check REDIS_URL.\n",
    )
    assert cli.left() == []


def test_addresses_that_are_none_are_one_sentence(cli: Cli) -> None:
    for wrong in ("nonsense", "postgres://host:port/x", "postgres://"):
        done = cli.run("exec", "--", "true", DATABASE_URL=wrong)
        assert done.returncode == 1
        assert done.stderr.startswith("DATABASE_URL is not an address")
        assert done.stderr.count("\n") == 1


def test_a_secret_file_that_is_missing_is_one_sentence(cli: Cli) -> None:
    done = cli.run("exec", "--", "true", DATABASE_URL_FILE="/nowhere/database")
    assert done.returncode == 1
    assert done.stderr == (
        "DATABASE_URL_FILE names /nowhere/database, which cannot be read: No such file or directory.\n"
    )


def test_a_command_that_does_not_exist_is_one_sentence(cli: Cli) -> None:
    done = cli.run("exec", "--profile", "test", "--", "no-such-program")
    assert (done.returncode, done.stderr) == (
        1,
        "no-such-program could not be started: No such file or directory.\n",
    )
    assert cli.left() == []


def test_no_command_is_one_sentence(cli: Cli) -> None:
    done = cli.run("exec")
    assert done.returncode == 1
    assert done.stderr == "Say which command to run: python -m crmcem.run exec -- COMMAND …\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = Cli(tmp_path / "file" / "var").run("exec", "--profile", "test", "--", "true")
    assert done.returncode == 1
    assert done.stderr == f"The folder {tmp_path}/file/var/test cannot be written: Not a directory.\n"
