from .access import ApiToken, Role, Team, User
from .edits import BulkEdit, BulkEditRow
from .exports import Export
from .marks import Mark
from .organisation import Organisation
from .records import AuditEntry, IdempotencyKey, Notification
from .trash import Trash

__all__ = [
    "ApiToken",
    "AuditEntry",
    "BulkEdit",
    "BulkEditRow",
    "Export",
    "IdempotencyKey",
    "Mark",
    "Notification",
    "Organisation",
    "Role",
    "Team",
    "Trash",
    "User",
]
