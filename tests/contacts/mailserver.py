"""A real SMTP server for tests, as kind or as nasty as a test asks it to be."""

import asyncio
import email
import socket
from collections import Counter
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class Handler:
    """Takes mail in. ``answers`` are replies by stage (``rcpt``, ``data``), each used once, then all is well."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answers: dict[str, list[str]] = {"mail": [], "rcpt": [], "data": []}
        self.pause = 0.0
        self.hang_up_after_data = False

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self._next("mail")
        if answer == "hang up":
            server.transport.close()
        elif answer:
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if answer := self._next("rcpt"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        if answer := self._next("data"):
            return answer
        message = email.message_from_bytes(envelope.content)
        self.taken.append(str(message["Message-ID"]))
        if self.hang_up_after_data:
            self.hang_up_after_data = False
            server.transport.close()
        await asyncio.sleep(self.pause)
        return "250 OK"

    def _next(self, stage: str) -> str:
        waiting = self.answers[stage]
        return waiting.pop(0) if waiting else ""

    def counted(self) -> Counter[str]:
        """How often each Message-ID was taken in."""
        return Counter(self.taken)


class MailServer:
    """Started at once on a free port; ``stop`` and ``start`` keep the port."""

    def __init__(self) -> None:
        self.handler = Handler()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        self.controller = Controller(self.handler, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        self.controller.stop(no_assert=True)
