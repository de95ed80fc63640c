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
        await page.run("scrollTo(0, document.body.scrollHeight)")
        await keep(page, "desktop")
        outside = [url for url in page.asked if not url.startswith("data:")]
        assert outside == [written.as_uri()]
        assert page.said == []


async def test_a_page_may_not_fetch_run_or_send_anything_else(browser, written):
    """The policy holds: what it forbids is tried, and told as forbidden."""
    async with browser.open(written.as_uri()) as page:
        await page.run(
            """(async () => {
              const add = (tag, what) => document.body.append(
                Object.assign(document.createElement(tag), what));
              add("img", {src: "http://127.0.0.1:9/pixel"});
              add("script", {textContent: "window.ran = true"});
              add("iframe", {src: "http://127.0.0.1:9/"});
              add("div", {innerHTML: "<b onclick='window.ran = true'>x</b>"});
              document.body.lastChild.firstChild.click();
              await fetch("http://127.0.0.1:9/").catch(() => 0);
              try { window.ran = eval("1") } catch { }
            })()"""
        )
        assert await page.run("window.ran") is None
        assert (
            len([said for said in page.said if "Content Security Policy" in said]) > 4
        )


async def test_tables_sort_by_mouse_and_by_keyboard(browser, written):
    async with browser.open(written.as_uri()) as page:
        column = """[...document.querySelectorAll(
          "table.sortable:first-of-type tbody")][0].rows"""
        names = f"[...{column}].map(row => row.cells[0].textContent)"
        state = """[...document.querySelectorAll("table.sortable")[0].tHead.rows[0]
          .cells].map(each => each.getAttribute("aria-sort"))"""
        assert set(await page.run(state)) == {"none"}
        as_asked = ["ourtoken", "openrouter-auto", "zai"]
        assert await page.run(names) == as_asked
        await page.click("table.sortable th:nth-child(1) button")
        assert await page.run(names) == ["openrouter-auto", "ourtoken", "zai"]
        # By the median time to first token; then downwards, by the keyboard alone.
        await page.click("table.sortable th:nth-child(4) button")
        assert await page.run(names) == as_asked
        assert (await page.run(state))[:5] == ["none"] * 3 + ["ascending", "none"]
        await page.press("Enter")
        assert await page.run(names) == as_asked[::-1]
        assert (await page.run(state))[3] == "descending"
        # The 95th percentile of zai has too few answers: it is last both ways.
        await page.press("Tab")
        assert "TTFT p95" in await page.run("document.activeElement.textContent")
        for _ in range(2):
            await page.press(" ")
            assert (await page.run(names))[-1] == "zai"
        # With failures it lasts for ever: it is first downwards.
        await page.press("Tab")
        for last in ("zai", "ourtoken"):
            await page.press("Enter")
            assert (await page.run(names))[-1] == last


BASICS = """(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const ids = all("[id]").map(each => each.id);
  const levels = all("h1, h2, h3, h4").map(each => Number(each.tagName[1]));
  const named = (each) => each.ariaLabel || each.textContent.trim() ||
    (each.getAttribute("aria-labelledby") || "").split(" ").some(
      id => (document.getElementById(id) || {}).textContent);
  const targets = all("[href^='#']").map(each => each.getAttribute("href").slice(1))
    .concat(all("use").map(each => each.getAttribute("href").slice(1)));
  return {
    lang: document.documentElement.lang,
    title: document.title,
    h1: all("h1").length,
    jumps: levels.filter((level, n) => n && level > levels[n - 1] + 1),
    twice: ids.filter((id, n) => ids.indexOf(id) !== n),
    lost: targets.filter(id => !document.getElementById(id)),
    unnamed: all("button, a, [role], section h2, img, input").filter(
      each => !named(each)).map(each => each.outerHTML.slice(0, 99)),
    unscoped: all("th").filter(each => !each.scope).length,
    uncaptioned: all("table").filter(each => !each.caption).length,
    out: [document.scrollingElement.scrollWidth, innerWidth],
    scrolls: all("*").filter(each => each.scrollWidth > each.clientWidth + 1
      && getComputedStyle(each).overflowX === "auto" && each.tabIndex !== 0).length,
  };
})()"""

CONTRASTS = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const paper = (each) => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const each = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !each.checkVisibility()) continue;
    if (each.closest("svg, script")) continue;
    const [a, b] = [light(getComputedStyle(each).color), light(paper(each))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
      texts.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_everybody_can_read_it(browser, written, width, dark):
    async with browser.open(written.as_uri(), width=width, dark=dark) as page:
        await keep(page, f"{width}-{'dark' if dark else 'light'}")
        found = await page.run(BASICS)
        assert found.pop("lang") == "en"
        assert "zai" in found.pop("title")
        assert found.pop("h1") == 1
        inner, outer = found.pop("out")
        assert inner <= outer <= width
        assert not any(found.values()), found
        ratios = await page.run(CONTRASTS)
        assert len(ratios) > 100
        assert min(ratios)[0] >= 4.5, min(ratios)


async def test_the_theme_can_be_turned_and_charts_turn_with_it(browser, written):
    colours = """[getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.querySelector(".charts path")).fill]"""
    async with browser.open(written.as_uri(), dark=True) as page:
        dark = await page.run(colours)
        await page.click("#theme")
        light = await page.run(colours)
        assert set(light) == {"rgb(255, 255, 255)"}
        assert set(dark) == {"rgb(21, 24, 28)"}
        await page.wear(dark=False)
        await page.click("#theme")
        assert await page.run(colours) == dark
        await page.wear(dark=False, medium="print")
        assert await page.run(colours) == light


async def test_focus_can_be_seen(browser, written):
    async with browser.open(written.as_uri()) as page:
        for _ in range(12):
            await page.press("Tab")
            shown = await page.run(
                """[document.activeElement.tagName,
                  getComputedStyle(document.activeElement).outlineStyle,
                  parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"""
            )
            assert shown[1] == "solid", shown
            assert shown[2] >= 2, shown


async def test_it_prints(browser, written):
    async with browser.open(written.as_uri(), width=1032) as page:
        paper = await page.printed()
        if SHOTS:
            Path(SHOTS, "page.pdf").write_bytes(paper)  # noqa: ASYNC240 - to look at
        assert paper.startswith(b"%PDF")
        assert 2 <= paper.count(b"/Type /Page\n") <= 12
        await page.wear(dark=False, medium="print")
        await keep(page, "print")
        assert not await page.run("document.getElementById('theme').checkVisibility()")
        cut = """[...document.querySelectorAll("table, svg")].filter(
          each => each.getBoundingClientRect().right > document.body.clientWidth + 1)"""
        assert await page.run(f"{cut}.length") == 0


ATTACKS = [
    "<script>pwned=1</script>",
    '"><img src=x onerror=pwned=1>',
    "' autofocus onfocus=pwned=1 x='",
    "</script><script>pwned=1</script>",
    "</style></title></textarea><script>pwned=1</script>",
    "--></desc></g></svg><script>pwned=1</script>",
    "]]><svg onload=pwned=1>",
    "<a href=javascript:pwned=1>x</a> javascript:pwned=1",
    "<base href=http://127.0.0.1:9/><link rel=stylesheet href=//127.0.0.1:9>",
    "<iframe srcdoc='<script>top.pwned=1</script>'>",
    "{{ 7 * 191 }}{% for x in y %}",
    "\u202eexe.txt\u2066 \x1b[31mred\x1b[0m \x9b1m",
    "url(http://127.0.0.1:9/) &lt;b&gt; &#x3c;script&#x3e;",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A database in which every text is an attack."""
    path = tmp_path_factory.mktemp("hostile") / "h2h.db"
    every = " ".join(ATTACKS)
    host = {"name": every, "model": every, "base_url": every, "headers": {every: every},
            "api_key_env": every, "withheld": [every], every: every}  # fmt: skip
    job = {
        "providers": [host],
        "scenarios": [{"name": every, "version": every, "source": every + "x"}],
        "load": {"rates": [every], "arrival": every, every: every},
        "connection": every,
    }
    price = {"model_id": every, "source": every, "date": "2026-01-01", "id": every}
    table = json.dumps({every: every})
    row = run_row(
        ATTACKS, run_id=every, kind=every, started_at=every, status=every,
        validity="degraded", reasons=json.dumps([{"text": each} for each in ATTACKS]),
        job=json.dumps(job), versions=table, machine=table, tags=table, health=table,
        plan_hash=every, prices=json.dumps(dict.fromkeys(ATTACKS, price)),
        ended_at=every,
    )  # fmt: skip
    store_run(path, row, timings(ATTACKS, n=20, fail=dict.fromkeys(ATTACKS, 0.3)))
    with closing(sqlite3.connect(path)) as db:
        given = (every, every, every, row.run_id)
        db.execute(
            "UPDATE requests SET error_excerpt = ?, error_code = ?, scenario = ? "
            "WHERE run_id = ?", given
        )  # fmt: skip
        db.execute("UPDATE runs SET ended_at = ?", (every,))
        db.commit()
    return path


async def test_what_a_stranger_wrote_is_text(browser, hostile, tmp_path):
    path = tmp_path / "report.html"
    assert h2h("report", "latest", "-o", path, "--db", hostile) == 0
    async with browser.open(path.as_uri()) as page:
        await keep(page, "hostile")
        assert await page.run("window.pwned") is None
        assert page.said == []
        assert [url for url in page.asked if not url.startswith("data:")] == [
            path.as_uri()
        ]
        held = await page.run(
            """({
              scripts: document.scripts.length,
              events: [...document.querySelectorAll("*")].flatMap(
                each => each.getAttributeNames()).filter(name => /^on/.test(name)),
              links: [...document.querySelectorAll("[href], [src]")].map(
                each => each.getAttribute("href") || each.getAttribute("src")).filter(
                link => !/^#|^data:image/.test(link)),
              odd: document.querySelectorAll("iframe, base, link, img, form").length,
              text: document.body.innerText + document.title,
              out: document.scrollingElement.scrollWidth > innerWidth,
            })"""
        )
    text = held.pop("text")
    assert held == {
        "scripts": 1, "events": [], "links": [], "odd": 0, "out": False
    }  # fmt: skip
    for attack in ATTACKS[:-2]:
        assert attack in text
    assert "1337" not in text
    assert not {"\u202e", "\u2066", "\x1b", "\x9b"} & set(text)
    assert "&lt;b&gt; &#x3c;script&#x3e;" in text


@pytest.mark.parametrize("policy", [False, True], ids=["no guard", "policy alone"])
async def test_what_a_stranger_wrote_runs_without_the_guard(
    browser, hostile, tmp_path, monkeypatch, policy
):
    """Or the test above would show nothing; the policy alone stops it too."""
    template = pages.Environment(trim_blocks=True, lstrip_blocks=True)
    source = pages._asset("report.html")
    if not policy:
        source = source.replace("Content-Security-Policy", "X-Nothing")
    monkeypatch.setattr(pages, "_template", lambda: template.from_string(source))
    monkeypatch.setattr("compare.show.pictures.drawable", lambda _: ([], {}))
    path = tmp_path / "report.html"
    assert h2h("report", "latest", "-o", path, "--db", hostile) == 0
    async with browser.open(path.as_uri()) as page:
        assert await page.run("window.pwned") == (None if policy else 1)
        assert not policy or any(
            "Content Security Policy" in each for each in page.said
        )


async def keep(page, name):
    """Keep a picture of the page where one is wanted."""
    if SHOTS:
        picture = await page.picture()
        Path(SHOTS, f"{name}.png").write_bytes(picture)  # noqa: ASYNC240 - to look at
