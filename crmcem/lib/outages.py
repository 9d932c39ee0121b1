"""What a failing machine means for people: an error of the database or the disk as one plain sentence."""

import errno

from django.db import InterfaceError, InternalError, OperationalError
from django.utils.translation import gettext as _

_FULL_DISK = {"53100", "58030"}
_BUSY = {"53000", "53200", "53300", "53400"}
_CONTENDED = {"40001", "40P01", "55P03"}
CUT_OFF = "57014"
READ_ONLY = "25006"


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's five characters for an error of Django's; empty where there are none (no connection)."""
    return getattr(error.__cause__, "pgcode", None) or ""


def was_cut_off(error: BaseException) -> bool:
    """Whether the statement took longer than its bound."""
    return sqlstate(error) == CUT_OFF


def outage(error: BaseException) -> str | None:
    """Why the request can't be served right now, and what to do; None where the machine is not to blame.

    The answer to such an error is a 503: whatever the request wanted to change was rolled back.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _("The server has no room left on its disk. Nothing was saved; tell an administrator.")
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return None
    code = sqlstate(error)
    if code in _FULL_DISK:
        return _("The database has no room left on its disk. Nothing was saved; tell an administrator.")
    if code == CUT_OFF:
        return _("This took too long and was cut off. Narrow the filter or the search.")
    if code in _CONTENDED:
        return _("Others are changing the same records right now. Nothing was saved; try again.")
    if code in _BUSY:
        return _("The database is too busy right now. Nothing was saved; try again in a moment.")
    if code == READ_ONLY:
        return _("The database takes no changes right now. Nothing was saved; try again in a moment.")
    if isinstance(error, InternalError):
        return None
    return _("The database can't be reached right now. Try again in a moment.")
