"""The browser check: a page is opened and played without a network, or skipped."""

import socket

import pytest

from scenarios import app, chromium
from scenarios.answer import Answer
from scenarios.app import Browser
from scenarios.chromium import BrowserError, opened, probe
from scenarios.sandbox import NoSandboxError

CHECK = Browser(name="browser", moves="score", lists={"ghosts": 4}, seconds=3)
GAME = """<!doctype html><html><body><canvas width=20 height=20></canvas>
<script>
window.__state = {score: 0, ghosts: [1, 2, 3, 4]};
const pen = document.querySelector("canvas").getContext("2d");
DRAW pen.fillRect(2, 2, 9, 9);
addEventListener("keydown", e => { if (e.key === "ArrowRight") __state.score += 10; });
MORE
</script></body></html>"""


def graded(text, check=CHECK):
    return check.grade(Answer(content=f"Here it is:\n```html\n{text}\n```"))


def game(draw="", more="", text=GAME):
    return text.replace("DRAW", draw).replace("MORE", more)


@pytest.fixture(scope="module", autouse=True)
def browser():
    try:
        return probe()
    except NoSandboxError as error:
        pytest.skip(str(error))


def test_a_game_that_runs_passes():
    verdict = graded(game())
    assert (verdict.passed, verdict.detail, verdict.score) == (True, None, 1.0)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (game(more="undefinedThing();"), "errors in the console: ReferenceError"),
        (game(more="console.error('no such thing');"), "no such thing"),
        (game(draw="//"), "nothing is drawn"),
        (
            game().replace("1, 2, 3, 4", "1, 2, 3"),
            "__state.ghosts has 3 entries, not 4",
        ),
        (game().replace("+= 10", "+= 0"), "__state.score does not rise"),
        (game().replace("window.__state", "const hidden"), "has None entries"),
        ("<p>no game", "nothing is drawn"),
    ],
)
def test_a_game_that_lacks_something_fails_by_name(page, words):
    verdict = graded(page)
    assert verdict.passed is False
    assert words in verdict.detail
    assert 0 <= verdict.score < 1


def test_a_page_cannot_say_that_it_has_drawn():
    lie = "HTMLCanvasElement.prototype.toDataURL = () => String(Math.random());"
    assert "nothing is drawn" in graded(game(draw="//", more=lie)).detail


def test_a_page_that_hangs_ends_and_fails(monkeypatch):
    monkeypatch.setattr(app, "LOADING_S", 4.0)
    verdict = graded(game(more="while (true) {}"))
    assert verdict.passed is False
    assert "in time" in verdict.detail


def test_a_page_reaches_no_host_not_even_this_machine():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        opened("<!doctype html><script>window.told = 'nothing'</script>", 30) as page,
    ):
        server.settimeout(0.0)
        port = server.getsockname()[1]
        page.value(
            f"fetch('http://127.0.0.1:{port}/', {{mode: 'no-cors'}})"
            ".then(() => window.told = 'reached', () => window.told = 'refused')"
        )
        page.rest(1.0)
        assert page.value("window.told") == "refused"
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_page_finds_no_file_of_ours(tmp_path):
    secret = tmp_path / "h2h.db"
    secret.write_text("secret")
    with opened("<!doctype html>", 30) as page:
        for path in (secret, "/etc/passwd", "/root", "/home", "/sys"):
            told = page.ask("Page.navigate", url=f"file://{path}")
            assert "errorText" in told, path


def test_without_chromium_it_is_skipped_and_nothing_runs(monkeypatch):
    def nowhere():
        raise NoSandboxError("no chromium; on Debian: apt-get install chromium")

    monkeypatch.setattr(chromium, "probe", nowhere)
    verdict = graded(game())
    assert verdict.passed is None
    assert verdict.detail.startswith("skipped: no chromium")


def test_a_page_that_says_too_much_is_cut_off(monkeypatch):
    monkeypatch.setattr(chromium, "MOST_BYTES", 1 << 16)
    with (
        opened("<!doctype html>", 30) as page,
        pytest.raises(BrowserError, match="more"),
    ):
        page.value("'x'.repeat(1 << 20)")


def test_a_page_that_takes_all_memory_ends(monkeypatch):
    monkeypatch.setattr(chromium, "MOST_MIB", 50)
    verdict = graded(game())
    assert (verdict.passed, verdict.detail) == (False, "it used more than 50 MiB")
