"""What the stream does to deals: talking with the customer takes the rot off."""

from typing import ClassVar

from django.db import connection

from crmcem.lib.stream import Batch, Consumer
from sales.services.ranks import many_lock


class FreshDeals(Consumer):
    """A logged interaction or a completed task of a deal starts its days until rotting anew."""

    name: ClassVar[str] = "sales.fresh_deals"
    kinds: ClassVar[tuple[str, ...]] = ("interaction.logged", "task.completed")

    def handle(self, batch: Batch) -> None:
        statement = f"""
            {batch.cte},
            touched AS (
                SELECT coalesce(i.deal_id, t.deal_id) AS deal_id, max(b.occurred_at) AS at
                FROM batch b
                LEFT JOIN contacts_interaction i ON b.subject_type = 'interaction' AND i.id = b.subject_id
                LEFT JOIN contacts_task t ON b.subject_type = 'task' AND t.id = b.subject_id
                WHERE b.kind IN ('interaction.logged', 'task.completed')
                  AND coalesce(i.deal_id, t.deal_id) IS NOT NULL
                GROUP BY 1
            )
            UPDATE sales_deal d SET rots_at = touched.at + make_interval(days => s.rot_days)
            FROM touched, sales_stage s
            WHERE d.id = touched.deal_id AND s.id = d.stage_id AND d.status = 'open' AND s.rot_days IS NOT NULL
              AND d.rots_at < touched.at + make_interval(days => s.rot_days)
        """  # noqa: S608 - the CTE is the framework's own text
        many_lock()
        with connection.cursor() as cursor:
            cursor.execute(statement, batch.params)
