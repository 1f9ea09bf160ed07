"""Errors that the API answers."""

from __future__ import annotations

from typing import Any

from d2m.errors import D2MError
from d2m.plans.types import PlanError


class Problem(Exception):
    """Error with its HTTP status.

    Args:
        status: HTTP status.
        code: short name.
        message: what is wrong and what to do, in one line.
        more: further fields of the answer.
    """

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


def invalid(error: D2MError) -> Problem:
    """Return the problem of a value that cannot be used.

    Args:
        error: what is wrong with it.
    """
    if isinstance(error, PlanError):
        return Problem(422, "invalid", str(error), table=error.table, index=error.index, key=error.key)
    return Problem(422, "invalid", str(error))


NOT_FOUND = Problem(404, "not_found", "there is nothing here; it may have expired")
