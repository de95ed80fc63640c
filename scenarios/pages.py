"""The check of a web page that an answer is: rules that need no browser."""

from itertools import groupby
from typing import Annotated, Final

import msgspec

from scenarios.answer import Answer, Verdict
from scenarios.fences import code
from scenarios.texts import regex

Count = Annotated[int, msgspec.Meta(ge=1)]

# Python's own HTML parser takes minutes for 200 KB of "<a ": RE2 is linear in all.
_COMMENT: Final = r"(?s)<!--.*?-->"
_INSIDE: Final = r"(?is)(<(?:script|style)\b[^>]*>).*?(</(?:script|style)\s*>)"
_TAG: Final = r"""<(/?[a-zA-Z][a-zA-Z0-9-]*)((?:\s(?:"[^"]*"|'[^']*'|[^"'>])*)?)>"""
_ATTRIBUTE: Final = r"""(?i)\b([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
_REMOTE: Final = r"(?i)^\s*(?:https?:)?//"
_FETCHES: Final = (
    r"""(?i)\bimport\b[^;\n"'`]{0,80}["'`](?:https?:)?//|\bfetch\s*\(|@import|"""
    r"""\bXMLHttpRequest\b|\bWebSocket\s*\("""
)
_ROW: Final = r"""["'`]([^"'`\n\\]{8,200})["'`]\s*,?"""
_LOADING: Final = {"src", "href", "srcset", "data", "poster", "action"}
_PAIRED: Final = ("html", "body", "script", "style")


class Html(msgspec.Struct, frozen=True, kw_only=True, tag="html"):
    """The answer is one page of HTML, whole and self-contained, that has what is named.

    `elements` says how many there are of a tag; `ids` which are there; of each list in
    `words` one stands in the page, in any case of letters; `rows` is how many texts of
    one length stand one after the other in it (a maze), `dots` how often "." occurs in
    these rows, or their second commonest sign (the commonest is the wall). Sizes are in
    bytes.
    """

    elements: dict[str, Count] = {}
    ids: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    rows: int = 0
    dots: int = 0
    min_bytes: int = 0
    max_bytes: Count = 1_000_000
    name: str = ""

    def grade(self, answer: Answer) -> Verdict:
        """Return how many of its rules the page keeps, and which it does not."""
        text = code(answer.content, ("html", "htm"))
        page = _page(text)
        rules = [*_whole(page), *self._named(page), *self._maze(page)]
        wrong = [what for kept, what in rules if not kept]
        score = 1 - len(wrong) / len(rules)
        return Verdict(self.name, not wrong, "; ".join(wrong)[:400] or None, score)

    def _named(self, page: "_Page") -> list[tuple[bool, str]]:
        lower, size = page.text.lower(), len(page.text.encode())
        rules = [
            (page.tags.count(tag) == n, f"{page.tags.count(tag)} <{tag}>, not {n}")
            for tag, n in self.elements.items()
        ]
        rules += [(each in page.ids, f"no id {each!r}") for each in self.ids]
        for any_of in self.words:
            found = any(word.lower() in lower for word in any_of)
            rules.append((found, f"{' or '.join(any_of)} is not in it"))
        fits = self.min_bytes <= size <= self.max_bytes
        rules.append((fits, f"{size} bytes, not {self.min_bytes} to {self.max_bytes}"))
        return rules

    def _maze(self, page: "_Page") -> list[tuple[bool, str]]:
        if not self.rows:
            return []
        maze = _alike(regex(_ROW, False).findall(page.text))
        signs = sorted((maze.count(sign) for sign in set(maze)), reverse=True)
        n, second = maze.count("\n"), signs[1] if len(signs) > 1 else 0
        dots = max(maze.count("."), second)
        return [
            (n >= self.rows, f"{n} rows of one length, not {self.rows}"),
            (dots >= self.dots, f"{dots} dots, not {self.dots}"),
        ]


class _Page(msgspec.Struct, frozen=True):
    """What a page has: its text, tags and ids in order, and what it loads."""

    text: str
    tags: list[str]
    ids: set[str]
    loads: list[str]


def _page(text: str) -> _Page:
    clean = text.encode("utf-8", "replace").decode()
    bare = regex(_INSIDE, False).sub(r"\1\2", regex(_COMMENT, False).sub("", clean))
    tags, ids, loads = [], set(), []
    for tag, attributes in regex(_TAG, False).findall(bare):
        tags.append(tag.lower())
        for key, *values in regex(_ATTRIBUTE, False).findall(attributes):
            value = "".join(values)
            if key.lower() == "id":
                ids.add(value)
            elif key.lower() in _LOADING:
                loads.append(value)
    return _Page(clean, tags, ids, loads)


def _whole(page: _Page) -> list[tuple[bool, str]]:
    lower = page.text.strip().lower()
    remote = [each for each in page.loads if regex(_REMOTE, False).search(each)]
    torn = [t for t in _PAIRED if page.tags.count(t) != page.tags.count(f"/{t}")]
    fetches = regex(_FETCHES, False).search(page.text) is not None
    return [
        (lower.startswith("<!doctype html"), "no <!doctype html> at its start"),
        (lower.endswith("</html>"), "it does not end in </html>"),
        (not torn, f"<{(torn or [''])[0]}> is not closed"),
        (not remote, f"it loads {(remote or [''])[0][:80]!r}"),
        (not fetches, "it fetches or imports from elsewhere"),
    ]


def _alike(rows: list[str]) -> str:
    """Return the longest run of texts of one length, a line each."""
    runs = [list(run) for _, run in groupby(rows, key=len)]
    return "".join(row + "\n" for row in max(runs, key=len, default=[]))
