"""Exceptions and warnings that are shown to users as one line."""

from __future__ import annotations


class D2MError(Exception):
    """Something a user can put right.

    The message says what is wrong and what to do, in one line; the command line prints it as
    ``error: <message>`` and exits with status 1.
    """


class D2MWarning(UserWarning):
    """Something that was mended or left out of what was read; the work goes on.

    The message is one line; the command line prints it once as ``warning: <message>``.
    """
