"""The demo of `make run`: a record shop with 2,357 real customers, their purchases, and what came of them."""

import datetime as dt

from django.db import transaction
from django.utils import timezone

from contacts.services.quality_watch import quality_note
from feedback.models import Survey

from .answers import make_answers
from .cases import make_cases
from .cast import make_cast
from .customers import make_customers
from .deals import make_deals
from .finish import run_consumers, save_views, start_automations, write_stream
from .segments import make_segments
from .work import make_work
from .world import World, world


def story(today: dt.date | None = None) -> World:
    """All rows in one transaction: all or nothing. The same every time, but for the day it ends on."""
    here = world(today or timezone.localdate(), timezone.now())
    with transaction.atomic():
        here.people = make_cast()
        make_customers(here)
        sales = make_deals(here)
        make_work(here, sales)
        make_cases(here, make_answers(here))
        write_stream(here)
        save_views(here.people)
    return here


def seed_small(today: dt.date | None = None) -> None:
    """The story, then what the consumers make of it, then the segments and automations that go on from here."""
    here = story(today)
    run_consumers()
    make_segments(here.people["cx"])
    start_automations(here.people["cx"], Survey.objects.get(kind=Survey.Kind.NPS))
    quality_note()
