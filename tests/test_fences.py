from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.fences import PatchError, blocks, code, files, patched

PROSE = """Here is the function.

```python
def f():
    return "```"
```

Try it so:

```
f()
```
"""


def test_code_is_the_longest_block_of_its_language():
    assert code(PROSE, ("python",)) == 'def f():\n    return "```"\n'
    assert code(PROSE, ("rust",)) == "f()\n"
    assert code("def f(): pass", ("python",)) == "def f(): pass"
    assert code("```js\nlet a\n```", ("python",)) == "let a\n"


def test_a_block_that_is_not_closed_ends_with_the_text():
    assert code("```python\ndef f():\n    retu", ("python",)) == "def f():\n    retu"
    assert blocks("```") == blocks("~~~") != []


def test_fences_inside_of_longer_fences_are_text():
    assert code("````python\n```\nx\n```\n````", ("python",)) == "```\nx\n```\n"


@pytest.mark.parametrize(
    "head",
    [
        "```python src/a.py",
        "```python file=src/a.py",
        '```python title="src/a.py"',
        "**src/a.py**\n\n```python",
        "### `./src/a.py`:\n```python",
        "File: src/a.py\n```",
    ],
)
def test_files_are_named_by_their_fence_or_the_line_before(head):
    assert files(f"{head}\nX = 1\n```\n") == {"src/a.py": "X = 1\n"}


@pytest.mark.parametrize("name", ["../a.py", "/etc/a.py", "a/../../b.py", "~/a.py"])
def test_no_file_is_named_outside(name):
    assert all(".." not in path for path in files(f"```python {name}\nX\n```"))
    assert not any(
        path.startswith(("/", "~")) for path in files(f"`{name}`\n```\nX\n```")
    )


OLD = {"a.py": "one\ntwo\nthree\nfour\nfive\n", "b.py": "x\n"}
PATCH = """--- a/a.py
+++ b/a.py
@@ -2,3 +2,3 @@ def somewhere
 two
-three
+THREE
 four
--- a/b.py
+++ b/b.py
@@ -1 +1,2 @@
 x
+y
"""


def test_a_patch_is_applied_hunk_by_hunk():
    made = patched(OLD, PATCH)
    assert made == {"a.py": "one\ntwo\nTHREE\nfour\nfive\n", "b.py": "x\ny\n"}
    assert OLD["b.py"] == "x\n"


def test_line_numbers_are_a_hint():
    assert patched(OLD, PATCH.replace("-2,3 +2,3", "-90,3 +90,3")) == patched(
        OLD, PATCH
    )
    twice = {"a.py": "x\nsame\nx\nsame\n"}
    late = "+++ b/a.py\n@@ -4 +4 @@\n-same\n+other\n"
    assert patched(twice, late)["a.py"] == "x\nsame\nx\nother\n"


def test_a_patch_may_make_a_new_file():
    new = "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+a\n+b\n"
    assert patched({}, new)["new.py"].startswith("a\nb")


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ("no patch at all", "no patch"),
        ("@@ -1 +1 @@\n-x\n", "a hunk before any"),
        ("+++ b/../../etc/passwd\n@@ -1 +1 @@\n", "no path in"),
        (PATCH.replace("-three", "-3"), "a.py: no place has the lines"),
    ],
)
def test_a_patch_that_does_not_fit_says_where(patch, told):
    with pytest.raises(PatchError, match=told):
        patched(OLD, patch)


@given(
    st.text() | st.lists(st.sampled_from(["```", "~~~", "x", "``` py"])).map("\n".join)
)
def test_no_text_breaks_the_reading(text):
    blocks(text)
    files(text)
    code(text, ("python",))
    with suppress(PatchError):
        patched(OLD, text)
