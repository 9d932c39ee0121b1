"""Large data for benchmarks, set-based: everything that the small demo has, from 10,000 to a million customers."""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from analytics.services.rollups import rebuild
from crmcem.lib import stream_rebase
from crmcem.lib.activities import kinds
from crmcem.workspace.models import Role, User
from feedback import sentiment
from sales.models import Pipeline

from . import bulk_sql as sql
from . import names
from .answers import make_surveys
from .cast import DOMAIN, make_cast
from .comments import DAYS, EN, GENRES
from .customers import PAGES
from .deals import OFFERS
from .finish import save_views, start_automations
from .indexes import without_indexes
from .words import CARE_TALKS, CUSTOMER_TASKS, DEAL_TASKS, SALES_TALKS
from .world import World, world

MONTHS_DAYS = 730
CHUNK = 250_000
SELLERS = 30
TRACKED = ["order.placed", "page.viewed", "account.signed_in"]
TABLES = [
    "contacts_company",
    "contacts_contact",
    "contacts_contactpoint",
    "contacts_activity",
    "contacts_interaction",
    "contacts_task",
    "contacts_pulse",
    "feedback_invitation",
    "feedback_response",
    "feedback_case",
    "sales_deal",
    "sales_dealcontact",
    "sales_stagechange",
    "workspace_auditentry",
]
AUDITED = [
    "contacts_company",
    "contacts_contact",
    "feedback_response",
    "feedback_case",
    "sales_deal",
    "contacts_interaction",
    "contacts_task",
]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. ``activities`` counts the whole stream."""

    contacts: int
    activities: int
    responses: int
    deals: int

    @property
    def companies(self) -> int:
        return max(100, self.contacts // 10)


SIZES = {
    "medium": Size(100_000, 1_000_000, 100_000, 20_000),
    "large": Size(1_000_000, 10_000_000, 1_000_000, 200_000),
}
Say = Callable[[str], None]


class Bulk:
    """One load into an empty database."""

    def __init__(self, size: Size, today: dt.date | None = None, say: Say = lambda text: None) -> None:
        self.size, self.say = size, say
        self.world: World = world(today or timezone.localdate(), timezone.now())
        self.begin = time.monotonic()
        self.params: dict[str, Any] = {}

    def run(self) -> None:
        """Everything. What was begun must not be gone on with: fill an empty database again."""
        with transaction.atomic():
            people = self._people()
            surveys = make_surveys(self.world)
        self._prepare(people, [survey.pk for survey in surveys.values()])
        with without_indexes(TABLES):
            self._customers()
            self._experience()
            self._sales()
            self._events()
            self._step("pulse", sql.PULSES)
            for table in AUDITED:
                self._step("audit", sql.AUDIT.format(table=table), plain=True)
            self._sequences()
            self.say(f"indexes … {self._seconds()}")
        self._tidy()
        # What the consumers would have made of all this is there: they go on behind it.
        stream_rebase.restart(at_end=True)
        rebuild()
        self.say(f"rollups {self._seconds()}")
        save_views(people)
        start_automations(people["cx"], surveys["nps"], follow_up=False)
        self._tidy()
        self.say(f"done {self._seconds()}")

    # --- preparing ------------------------------------------------------------------------------
    def _people(self) -> dict[str, User]:
        people = self.world.people = make_cast()
        role, locked = Role.objects.get(key="rep"), make_password(None)
        teams = [people["rep"].team, people["rep2"].team]
        User.objects.bulk_create(
            User(
                username=f"seller{number}",
                email=f"seller{number}@{DOMAIN}",
                first_name=names.FIRST["en"][number],
                last_name=names.LAST["en"][number],
                password=locked,
                role=role,
                team=teams[number % 2],
                email_notifications=False,
            )
            for number in range(1, SELLERS + 1)
        )
        return people

    def _prepare(self, people: dict[str, User], surveys: list[int]) -> None:
        size = self.size
        pipeline = Pipeline.objects.filter(is_default=True).first() or Pipeline.objects.earliest("position")
        owners = User.objects.filter(role__key__in=["rep", "sales_manager"]).order_by("pk")
        bases = {
            "company_base": "contacts_company",
            "all_base": "contacts_contact",
            "invitation_base": "feedback_invitation",
            "response_base": "feedback_response",
            "deal_base": "sales_deal",
        }
        with connection.cursor() as cursor:
            for name, table in bases.items():
                cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - names of the code
                self.params[name] = cursor.fetchone()[0]
            first = (self.world.now - dt.timedelta(days=MONTHS_DAYS + 1)).date()
            cursor.execute("SELECT contacts_activity_partitions(%s, %s)", [first, self.world.now.date()])
            cursor.execute(sql.FUNCTIONS)
        self.params |= {
            "now": self.world.now,
            "days": MONTHS_DAYS,
            "contacts": size.contacts,
            "companies": size.companies,
            "deals": size.deals,
            "invitations": size.responses * 3 // 2,
            "interactions": size.contacts // 5,
            "tasks": size.contacts // 10,
            "owners": list(owners.values_list("pk", flat=True)),
            "shop": people["integrator"].pk,
            "surveys": surveys,
            "stage_ids": list(pipeline.stages.order_by("position").values_list("pk", flat=True)),
            "first_names": names.FIRST["en"] + names.FIRST["de"],
            "last_names": names.LAST["en"] + names.LAST["de"],
            "starts": names.STARTS,
            "ends": names.ENDS,
            "firsts": names.FIRST_WORDS,
            "seconds": sorted({word for _i, words, _l, _h in names.FIRMS.values() for word in words}),
            "industries": [industry for industry, _w, _l, _h in names.FIRMS.values()],
            "areas": names.AREAS,
            "jobs": names.JOBS,
            "stages": ["lead", "qualified", "opportunity", "former", "customer"],
            "tags": ["loyal", "lapsed", "newsletter", "wholesale", "gift", "collector"],
            "plans": ["basic", "plus", "pro"],
            "pages": PAGES,
            "touchpoints": ["order", "delivery", "shop", "support", "returns"],
            "offers": [offer.split(" {")[0].rsplit(" ", 1)[0] for offer, _low, _high in OFFERS],
            "talk_kinds": ["call", "email", "meeting", "note"],
            "talk_subjects": [talk[2] for talk in (*SALES_TALKS, *CARE_TALKS)],
            "task_titles": [task[0] for task in (*DEAL_TASKS, *CUSTOMER_TASKS)],
            "seen": [*TRACKED, *(kind.key for kind in kinds if kind.seen)],
            "touch": [kind.key for kind in kinds if kind.touch],
        }
        self._comments()

    def _comments(self) -> None:
        """The texts with what the engine makes of them, once each. Place 0 is no comment."""
        engine = sentiment.engine()
        by = f"{engine.name} {engine.version}"
        rows: list[tuple[Any, ...]] = []
        bands = [
            [t for texts in EN[band].values() for t in texts] for band in ("promoter", "passive", "detractor")
        ]
        places = max(len(texts) for texts in bands)
        for band, texts in enumerate(bands):
            rows.append((band, 0, "", None, "", ""))
            full = [
                texts[n % len(texts)].format(
                    day=DAYS["en"][n % 5], genre=GENRES["en"][n % 8], weeks=2 + n % 4
                )
                for n in range(places)
            ]
            scores = engine.score(full, "en")
            rows += [
                (band, n + 1, t, s.score, s.label, by)
                for n, (t, s) in enumerate(zip(full, scores, strict=True))
            ]
        self.params["places"] = places
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS demo_comments; {sql.COMMENTS}")
            cursor.executemany("INSERT INTO demo_comments VALUES (%s, %s, %s, %s, %s, %s)", rows)

    # --- loading --------------------------------------------------------------------------------
    def _customers(self) -> None:
        self._chunks("companies", sql.COMPANIES, self.size.companies, self.params["company_base"])
        self._chunks("contacts", sql.CONTACTS, self.size.contacts, self.params["all_base"])
        self._chunks("contact points", sql.POINTS, self.size.contacts, self.params["all_base"])
        self._chunks("contact.created", sql.CREATED, self.size.contacts, self.params["all_base"])

    def _experience(self) -> None:
        invitations = self.params["invitations"]
        self._chunks("invitations", sql.INVITATIONS, invitations)
        self._step("responses", sql.RESPONSES)
        self._chunks("survey.invited", sql.INVITED, invitations)
        self._chunks("survey.answered", sql.ANSWERED, self.size.responses)
        self._step("cases", sql.CASES)
        self._step("case.opened", sql.CASES_OPENED)

    def _sales(self) -> None:
        self._chunks("deals", sql.DEALS, self.size.deals, self.params["deal_base"])
        for text, statement in (
            ("deal contacts", sql.MEMBERS),
            ("stage changes", sql.STAGES),
            ("deal activities", sql.DEALS_TOLD),
            ("interactions", sql.INTERACTIONS),
            ("interaction.logged", sql.TALKED),
            ("tasks", sql.TASKS),
        ):
            self._step(text, statement)

    def _events(self) -> None:
        """As many tracked events as are missing from the stream's full size."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM contacts_activity")
            events = max(0, self.size.activities - cursor.fetchone()[0])
        self.params["events"] = events
        self._chunks("events", sql.EVENTS, events)

    def _chunks(self, text: str, statement: str, count: int, base: int = 0) -> None:
        for start in range(0, count, CHUNK):
            self._execute(statement, {"base": base + start, "n": min(CHUNK, count - start)})
        self.say(f"{count:,} {text} {self._seconds()}")

    def _step(self, text: str, statement: str, plain: bool = False) -> None:
        rows = self._execute(statement, None if plain else {})
        self.say(f"{rows:,} {text} {self._seconds()}")

    def _execute(self, statement: str, more: dict[str, Any] | None) -> int:
        """One chunk, one transaction. References are right by construction: checking each row would take hours."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '256MB'; SET LOCAL jit = off"
            )
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if cursor.fetchone()[0]:
                cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement, None if more is None else self.params | more)
            return int(cursor.rowcount)

    def _sequences(self) -> None:
        """Ids were given by hand: the next ones come behind them."""
        with connection.cursor() as cursor:
            for table in TABLES:
                if table in ("contacts_pulse", "contacts_activity"):
                    continue
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) > 0"  # noqa: S608
                )

    def _tidy(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        self.say(f"vacuum {self._seconds()}")

    def _seconds(self) -> str:
        return f"({time.monotonic() - self.begin:.0f} s)"


def seed_bulk(size: Size, today: dt.date | None = None, say: Say = lambda text: None) -> None:
    """Fill an empty database with ``size``."""
    Bulk(size, today, say).run()
