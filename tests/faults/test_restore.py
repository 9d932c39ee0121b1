"""A backup taken while people work, restored into another cluster: whole, equal in figures, and nothing sent again."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from contacts.models import Activity, Contact
from contacts.services.contacts import contact_create
from contacts.services.outbox import send_messages
from crmcem.lib.actors import SYSTEM, person
from crmcem.lib.stream_runner import pump
from crmcem.run.binaries import postgres_folder
from crmcem.workspace.services.outbox import send_notifications
from feedback.services.invitations import invitation_create
from feedback.services.responses import response_submit
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import SurveyFactory
from tests.run.cli import Cli

SCORES = (10, 9, 9, 8, 3, 1)

#: what both databases are asked for
FIGURES = """
SELECT json_build_object(
    'nps', (SELECT json_agg(nps ORDER BY contact_id) FROM contacts_pulse WHERE nps IS NOT NULL),
    'rollup', (SELECT json_agg(r ORDER BY r::text) FROM (
        SELECT day::text, dimension, n FROM analytics_metricday) r),
    'cases', (SELECT count(*) FROM feedback_case),
    'sent', (SELECT json_object_agg(status, n) FROM (
        SELECT status, count(*) AS n FROM contacts_message GROUP BY 1) m),
    'notes', (SELECT json_object_agg(email_status, n) FROM (
        SELECT email_status, count(*) AS n FROM workspace_notification GROUP BY 1) n)
)
"""

#: In the restored cluster: restore, rebase as the manual says, then work as worker and beat would. The dump may come
#: from another build of PostgreSQL than restores it, whose catalogue carries options of columns that this one does not
#: know: the definitions go in as a script without them (we set none ourselves).
RESTORE = r"""
import json, os, re, subprocess, sys
dump, folder, figures = sys.argv[1:]
url = os.environ["DATABASE_URL"]
psql = [folder + "/psql" if os.path.exists(folder + "/psql") else "psql", "-qXd", url, "-v", "ON_ERROR_STOP=1"]
restore = [folder + "/pg_restore", "--no-owner", "--exit-on-error"]
subprocess.run([*psql, "-c", "DROP SCHEMA public CASCADE; CREATE SCHEMA public"], check=True)
defining = [*restore, "--section=pre-data", "-f", "-", dump]
script = subprocess.run(defining, check=True, capture_output=True, text=True).stdout
script = re.sub(r"(?m)^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(\w+=\d+\);$", "", script)
subprocess.run(psql, input=script, text=True, check=True, stdout=subprocess.DEVNULL)
for section in ("data", "post-data"):
    subprocess.run([*restore, "--section=" + section, "-d", url, dump], check=True)
import django
django.setup()
from django.core.management import call_command
from django.core import mail
from django.db import connection
from contacts.models import Activity, Contact
from contacts.services.outbox import send_messages
from contacts.services.reminders import reminders_send
from crmcem.lib.stream_runner import pump
from crmcem.workspace.services.outbox import send_notifications
call_command("migrate", verbosity=0)
call_command("stream_rebase")
mail.outbox = []
for _ in range(3):
    pump(); send_messages(); send_notifications(); reminders_send()
with connection.cursor() as cursor:
    cursor.execute(figures)
    found = cursor.fetchone()[0]
made = set(Activity.objects.filter(kind="contact.created").values_list("contact_id", flat=True))
print("FOUND", json.dumps({
    "figures": found if isinstance(found, dict) else json.loads(found),
    "mails": len(mail.outbox),
    "contacts": Contact.objects.count(),
    "whole": made <= set(Contact.objects.values_list("id", flat=True)),
    "activities": Activity.objects.count(),
}))
"""


def ask(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchone()[0]
    return found if isinstance(found, dict) else json.loads(found)


def dump_to(file: Path) -> None:
    values = connection.settings_dict
    url = (
        f"postgres://{values['USER']}:{values['PASSWORD']}@{values['HOST']}:{values['PORT']}/{values['NAME']}"
    )
    command = [str(postgres_folder() / "pg_dump"), "-Fc", "--no-owner", "-f", str(file), url]
    subprocess.run(command, check=True, timeout=120)


def run_ahead() -> None:
    """Give out more transaction ids than the cluster of the restore will have used: the offsets are foreign there."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(
            "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )
        cursor.execute("RESET synchronous_commit")


@pytest.mark.django_db(transaction=True)
def test_a_restored_backup_is_whole_and_sends_nothing_again(cast: Cast, cli: Cli, tmp_path: Path) -> None:
    run_ahead()
    survey = SurveyFactory()
    for score in SCORES:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        invitation_create(survey=survey, contact=contact, actor=person(cast.cx))
        response_submit(survey=survey, answers={"nps": score}, actor=SYSTEM, contact=contact)
    assert send_messages() == len(SCORES)
    for _ in range(3):
        pump()
    assert send_notifications() == 2
    assert len(mail.outbox) == len(SCORES) + 2
    before = ask(FIGURES)
    assert (len(before["nps"]), before["cases"], before["sent"]) == (6, 2, {"sent": 6})
    assert before["rollup"]

    over = threading.Event()

    def work() -> None:
        try:
            while not over.is_set():
                contact_create(data={"first_name": "Meanwhile"}, actor=SYSTEM)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        dump_to(tmp_path / "backup")
    finally:
        over.set()
        worker.join(30)

    done = cli.run(
        "exec",
        "--",
        "python",
        "-c",
        RESTORE,
        str(tmp_path / "backup"),
        str(postgres_folder()),
        FIGURES,
        EMAIL_URL="memory://",
        DJANGO_SETTINGS_MODULE="crmcem.settings",
    )
    assert "FOUND" in done.stdout, done.stderr[-3000:]
    found = json.loads(done.stdout.split("FOUND", 1)[1])
    assert "the stream goes on after" in done.stdout
    assert found["figures"] == before
    assert (found["mails"], found["whole"]) == (0, True)
    assert len(SCORES) <= found["contacts"] <= Contact.objects.count()
    assert found["activities"] <= Activity.objects.count()
