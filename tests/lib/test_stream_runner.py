"""The consumer framework inside one transaction: ranges, kinds, failures, offsets."""

import re
from typing import Any

import pytest
from django.db import connection

from contacts.models import Activity, ConsumerOffset
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib import stream_runner
from crmcem.lib.actors import SYSTEM
from crmcem.lib.registry import Registry
from crmcem.lib.stream import Batch, Consumer
from crmcem.lib.stream_runner import Reach, pump, run
from tests.plans import options_of, plans_in

pytestmark = pytest.mark.django_db
HERE = Reach(settled=True)


class Collector(Consumer):
    name = "test.collector"
    batch_size = 3

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.batches: list[tuple[int, frozenset[str]]] = []
        self.broken = False

    def handle(self, batch: Batch) -> None:
        if self.broken:
            raise RuntimeError("out of order")
        with connection.cursor() as cursor:
            cursor.execute(f"{batch.cte} SELECT id FROM batch ORDER BY txid, id", batch.params)
            self.seen += [row[0] for row in cursor.fetchall()]
        self.batches.append((batch.size, batch.kinds))


class Choosy(Collector):
    name = "test.choosy"
    kinds = ("order.*", "deal.won")
    batch_size = 100


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry[Consumer]:
    own: Registry[Consumer] = Registry("consumer")
    monkeypatch.setattr(stream_runner, "consumers", own)
    return own


def write(*kinds: str) -> list[int]:
    activities_append(actor=SYSTEM, activities=[NewActivity(kind) for kind in kinds])
    return list(Activity.objects.order_by("id").values_list("id", flat=True))


def test_every_activity_is_handled_once_in_batches() -> None:
    consumer = Collector()
    ids = write(*["a.b"] * 7)
    assert run(consumer, reach=HERE) == 7
    assert consumer.seen == ids
    assert [size for size, _kinds in consumer.batches] == [3, 3, 1]
    assert run(consumer, reach=HERE) == 0
    more = write("a.b")
    assert run(consumer, reach=HERE) == 1
    assert consumer.seen == more
    offset = ConsumerOffset.objects.get(pk="test.collector")
    assert (offset.last_id, offset.handled) == (more[-1], 8)


def explained(consumer: Consumer, starts: str) -> list[str]:
    """The nodes of the plans of the statements that begin so, in one run of the consumer."""
    found: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        at = sql.find(starts)
        if at >= 0:
            with connection.cursor() as cursor:
                cursor.cursor.execute(sql[:at] + "EXPLAIN " + sql[at:].split(";")[0], params)
                found.extend(row[0] for row in cursor.cursor.fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert run(consumer, 1, reach=HERE) > 0
    return found


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def test_a_backlog_is_not_sorted_for_every_batch() -> None:
    write(*["a.b"] * 2000)
    types = {"o.since": "timestamptz", "before": "timestamptz", "o.txid": "xid8", "o.last_id": "bigint"}
    types |= {"settled": "boolean", "size": "integer"}
    with connection.cursor() as cursor:
        options = options_of(cursor, "contacts_stream_next")
        assert options == ["plan_cache_mode=force_generic_plan", "enable_sort=off", "jit=off"]
        calls = [
            f"{since}, 'infinity', '0', 0, true, 1000"
            for since in ("now() - interval '1 day'", "now() + interval '40 days'")
        ]
        plan, later = plans_in(cursor, "contacts_stream_next", "WITH r AS", types, *calls, into="INTO n\n")
    the_range = plan.split("CTE r", 1)[1].split("->  Limit", 2)[1]
    assert "Merge Append" in the_range, plan
    assert "->  Sort" not in the_range, plan
    assert "Subplans Removed: " in later, "old partitions are not even looked at"


def test_a_step_leaves_the_planner_as_it_was() -> None:
    write(*["a.b"] * 3)
    names = ("enable_sort", "jit", "plan_cache_mode", "enable_hashjoin")
    before = [setting(name) for name in names]
    assert run(Collector(), reach=HERE) == 3
    assert run(Collector(), reach=HERE) == 0
    assert [setting(name) for name in names] == before


def test_a_batch_is_looked_for_in_its_own_partitions_only() -> None:
    write(*["a.b"] * 3)
    plan = "\n".join(explained(Collector(), "WITH batch AS"))
    # a bitmap names its index beside its table, whichever plan the statistics of the moment lead to
    assert len(set(re.findall(r" on contacts_activity_(\d+|default)", plan))) == 1, plan
    assert "Append" not in plan, plan


def test_max_batches_bounds_a_run() -> None:
    consumer = Collector()
    ids = write(*["a.b"] * 7)
    assert run(consumer, max_batches=2, reach=HERE) == 6
    assert consumer.seen == ids[:6]


def test_only_the_kinds_it_asked_for_reach_a_consumer() -> None:
    consumer = Choosy()
    write("order.placed", "deal.lost", "deal.won", "orders.x", "order")
    run(consumer, reach=HERE)
    assert consumer.batches == [(2, frozenset({"order.placed", "deal.won"}))]
    kinds = list(Activity.objects.filter(pk__in=consumer.seen).values_list("kind", flat=True).order_by("id"))
    assert kinds == ["order.placed", "deal.won"]
    before = ConsumerOffset.objects.get(pk="test.choosy").last_id
    write("deal.lost")
    run(consumer, reach=HERE)
    assert len(consumer.batches) == 1
    assert ConsumerOffset.objects.get(pk="test.choosy").last_id == before + 1


def test_an_open_transaction_is_not_settled() -> None:
    consumer = Collector()
    write("a.b")
    assert run(consumer) == 0
    assert consumer.seen == []


def test_a_failing_consumer_pauses_and_blocks_no_other(registry: Registry[Consumer]) -> None:
    bad, good = Collector(), Choosy()
    bad.broken = True
    registry.add(bad.name, bad)
    registry.add(good.name, good)
    ids = write("deal.won")
    pump(reach=HERE)
    assert good.seen == ids
    row = ConsumerOffset.objects.get(pk=bad.name)
    assert (row.last_id, row.failures, row.last_error) == (0, 1, "RuntimeError: out of order")
    assert row.retry_at is not None
    bad.broken = False
    assert run(bad, reach=HERE) == 0, "it pauses first"
    ConsumerOffset.objects.filter(pk=bad.name).update(retry_at=None)
    assert run(bad, reach=HERE) == 1
    row.refresh_from_db()
    assert (row.failures, row.last_error, row.retry_at) == (0, "", None)
    assert bad.seen == ids


def test_the_pause_doubles_up_to_five_minutes() -> None:
    consumer = Collector()
    consumer.broken = True
    write("a.b")
    pauses = []
    for failures in (0, 3, 30):
        run(consumer, max_batches=0)
        ConsumerOffset.objects.filter(pk=consumer.name).update(retry_at=None, failures=failures)
        run(consumer, reach=HERE)
        row = ConsumerOffset.objects.get(pk=consumer.name)
        pauses.append(round((row.retry_at - row.updated_at).total_seconds()))
    assert pauses == [1, 8, 300]


def test_a_new_trigger_starts_now_and_a_new_rollup_at_the_beginning() -> None:
    class Late(Collector):
        name = "test.late"
        from_beginning = False

    stream_runner.ensure(Late())
    stream_runner.ensure(Collector())
    rows = dict(ConsumerOffset.objects.values_list("name", "txid"))
    assert rows["test.collector"] == "0"
    assert int(rows["test.late"]) > 0


def test_offsets_of_another_cluster_stop_the_runner(registry: Registry[Consumer]) -> None:
    consumer = Collector()
    registry.add(consumer.name, consumer)
    stream_runner.ensure(consumer)
    ConsumerOffset.objects.update(txid=str(2**62))
    with pytest.raises(stream_runner.ForeignStream, match=r"test.collector .* stream_rebase"):
        pump()
