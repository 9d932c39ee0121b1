"""The whole product as `make run` starts it, in a folder of its own."""

import http.client
import threading
from pathlib import Path

from tests.run.cli import SQL, Cli, cmdline, eventually


class Running:
    """A started `serve` with its output collected, so that the pipe never fills."""

    def __init__(self, cli: Cli, port: int, **extra: str) -> None:
        self.cli = cli
        self.port = port
        self.process = cli.start("serve", PORT=str(port), DEMO="0", DEBUG="1", **extra)
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def said(self, words: str) -> bool:
        return any(words in line for line in list(self.lines))

    def wait_ready(self) -> None:
        assert eventually(lambda: self.said("crmcem is ready") or self.process.poll() is not None, 300)
        assert self.process.poll() is None, self.process.communicate()[1]

    def status(self, path: str) -> int:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            line.request("GET", path, headers={"Host": f"localhost:{self.port}"})
            return line.getresponse().status
        except OSError:
            return 0
        finally:
            line.close()

    def master(self, module: bytes, word: bytes = b"") -> int:
        """The process that `serve` itself started for that module."""
        for pid in self.cli.left():
            try:
                parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            except FileNotFoundError:  # it has gone meanwhile
                continue
            if int(parent) == self.process.pid and module in cmdline(pid) and word in cmdline(pid):
                return pid
        return 0


def sql(cli: Cli, statement: str) -> str:
    """Run a statement on the servers that `serve` runs."""
    done = cli.run("exec", "--", "python", "-c", SQL, statement)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
