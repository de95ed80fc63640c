"""The page of `h2h report` in a real browser: what it does, asks for and shows.

REPORT_SHOTS=DIR keeps pictures of it, to be looked at.
"""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio
from browser import CHROMIUM, chromium
from made import run_row, store_run, timings

from compare.cli.main import main
from compare.show import report as pages

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
SHOTS = os.environ.get("REPORT_SHOTS")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory):
    async with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def h2h(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "h2h.db"
    prices = {"zai": {"id": "zai/x", "input_pusd": 840000, "date": "2026-06-01"}}
    row = run_row(
        prices=json.dumps(prices), validity="degraded",
        reasons='[{"code": "cpu", "text": "the generator used 90 % of its CPU"}]',
    )  # fmt: skip
    store_run(path, row, timings(n=140, fail={"zai": 0.1}))
    return path


@pytest.fixture(scope="module")
def written(stored):
    path = stored.with_name("report.html")
    assert h2h("report", "latest", "-o", path, "--db", stored) == 0
    return path


async def test_the_page_is_quiet_and_asks_for_nothing_but_itself(browser, written):
    async with browser.open(written.as_uri()) as page:
        for script in ("scrollTo(0, 1e6)", "document.fonts.ready.then(() => 1)"):
            await page.run(script)
        await keep(page, "desktop")
        outside = [url for url in page.asked if not url.startswith("data:")]
        assert outside == [written.as_uri()]
        assert page.said == []


async def keep(page, name):
    """Keep a picture of the page where one is wanted."""
    if SHOTS:
        Path(SHOTS, f"{name}.png").write_bytes(await page.picture())
