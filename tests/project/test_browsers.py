"""A browser that stops answering ends its test."""

from __future__ import annotations

import time

import pytest
from browsers import browsers_end_after, missing, open_visit

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing("chromium")), reason=missing("chromium"))]


def test_a_page_that_never_answers_is_ended():
    from playwright.sync_api import Error

    began = time.monotonic()
    with pytest.raises(Error), browsers_end_after(10), open_visit("chromium") as visit:
        visit.page.evaluate("() => { while (true); }")
    assert time.monotonic() - began < 40
    with open_visit("chromium") as visit:
        assert visit.run("1 + 1") == 2
