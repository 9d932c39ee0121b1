"""Whatever serves or runs commands sends its messages to our own broker, not to Celery's default one."""

import subprocess
import sys

import pytest

SAY = """
from celery import current_app
from django.conf import settings
print(current_app.main, current_app.conf.broker_url == settings.REDIS_URL)
"""
WAYS = {
    "web": [sys.executable, "-c", f"import crmcem.wsgi{SAY}"],
    "command": [sys.executable, "manage.py", "shell", "-v", "0", "-c", SAY],
}


@pytest.mark.parametrize("way", WAYS)
def test_messages_go_to_our_broker(way: str) -> None:
    done = subprocess.run(WAYS[way], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip().splitlines()[-1:] == ["crmcem True"], done.stderr[-2000:]
