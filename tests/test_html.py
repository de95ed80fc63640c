import time

import pytest
from growth import assert_growth
from hypothesis import given
from hypothesis import strategies as st

from scenarios import checks
from scenarios.answer import Answer
from scenarios.checks import is_late, judge

MAZE = ",\n".join(f'"{row}"' for row in ["##########", "#.o....o.#", "##########"])
PAGE = f"""<!DOCTYPE html>
<html><head><style>canvas {{ color: red }}</style></head>
<body><div id="score">0</div><canvas id='game'></canvas>
<!-- <canvas> -->
<script>
const maze = [{MAZE}];
const ghosts = ["Blinky", "Pinky"];
if (1<canvas>2) requestAnimationFrame(loop);
</script></body></html>
"""
RULES = {
    "kind": "html",
    "elements": {"canvas": 1, "script": 1},
    "ids": ["score", "game"],
    "words": [["requestanimationframe"], ["blinky", "red ghost"]],
    "rows": 3,
    "dots": 6,
    "min_bytes": 100,
    "max_bytes": 2000,
}


def verdict(text, **changes):
    return judge(checks.compile(RULES | changes, "here"), Answer(content=text))


def test_a_page_that_keeps_all_rules_passes():
    found = verdict(f"```html\n{PAGE}```")
    assert (found.passed, found.score, found.detail) == (True, 1.0, None)
    assert is_late(checks.compile(RULES, "here"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("<!DOCTYPE html>\n", "", "no <!doctype html>"),
        ("</html>", "", "it does not end in </html>"),
        ("</script>", "", "<script> is not closed"),
        (
            "<body>",
            '<body><script src="https://a.b/c.js"></script>',
            "it loads 'https:",
        ),
        ("<body>", "<body><img src=//a.b/c.png>", "it loads '//a.b"),
        ("const ghosts", "import x from 'https://a.b'; const ghosts", "imports from"),
        ("const ghosts", "fetch('/x'); const ghosts", "it fetches"),
        ("</canvas>", "</canvas><canvas></canvas>", "2 <canvas>, not 1"),
        ('id="score"', 'class="score"', "no id 'score'"),
        ("Blinky", "Inky", "blinky or red ghost is not in it"),
        ("#.o....o.#", "#.o...o.#", "1 rows of one length, not 3"),
        ("#.o....o.#", "#.o..o.o.#", "5 dots, not 6"),
        ("red", "red" * 700, "bytes, not 100 to 2000"),
    ],
)
def test_each_rule_is_told_when_it_is_broken(old, new, told):
    found = verdict(PAGE.replace(old, new, 1))
    assert found.passed is False
    assert told in found.detail
    assert 0 < found.score < 1


def test_what_is_no_page_breaks_many_rules():
    assert verdict("I would rather not.").score < 0.5


@given(st.text(st.characters() | st.sampled_from("<>!-/='\"\ud800")))
def test_no_text_raises(text):
    assert verdict(text).passed is False


@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<a ", "<a href='", "</", "<script>", "'"]
)
def test_time_grows_no_faster_than_the_page(piece):
    # Half a megabyte of "<a " takes Python's own parser the better part of an hour.
    def spent(n):
        began = time.process_time()
        verdict((piece * n)[:n])
        return time.process_time() - began

    assert_growth(spent, 20_000, 200_000, below=50)
