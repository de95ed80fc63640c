"""A chart as a part of a page: its SVG made safe, small, and of two themes at once."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from compare.show.theme import DARK, LIGHT, Theme

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
DRAWN = frozenset(
    f"{SVG}{tag}"
    for tag in (
        "svg", "g", "defs", "path", "use", "rect", "circle", "clipPath", "pattern",
        "image",
    )
)  # fmt: skip
"""What matplotlib draws with. Anything else is left out."""

LINKED = ("#", "data:image/png;base64,")
"""How what a chart points to begins: in itself."""

GLYPH = "scale(0.015625)"
"""How matplotlib marks the outline of a letter."""

_POINTS = re.compile(r"url\(#([^)]+)\)")
_LONG = re.compile(r"(\.\d\d)\d+")
_LINES = re.compile(r"(?:[ML] -?[\d.]+ -?[\d.]+ *|z *)+")
_PARTS = re.compile(r"([MLz])(?: (-?[\d.]+) (-?[\d.]+))?")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")

ET.register_namespace("", SVG[1:-1])
ET.register_namespace("xlink", LINK[1 : LINK.index("}")])


MARKED = "marked"
"""The theme of a chart whose every colour stands for a role in a theme."""


class Inline(msgspec.Struct, frozen=True, kw_only=True):
    """A chart as markup, and what that needs of its page.

    `light` is for both themes where `dark` is empty. `glyphs` are the outlines of
    letters by id.
    """

    light: str
    dark: str = ""
    glyphs: dict[str, str]


def inline(draw: Callable[[Theme], bytes], name: str, title: str, text: str) -> Inline:
    """Return a chart as a part of a page, from what draws it in a theme as SVG.

    Every id begins with `name`, so that charts can share a page; `title` and `text`
    are read where the chart cannot be seen. Its colours become the page's custom
    properties (`palette`). One that mixes colours, or holds a picture, is drawn in
    both themes instead.
    """
    theme, roles = marked()
    root = _read(draw(theme))
    if _recoloured(root, roles):
        roots = {name: root}
    else:
        roots = {name: _read(draw(LIGHT)), f"{name}-dark": _read(draw(DARK))}
    glyphs: dict[str, str] = {}
    made = []
    for prefix, each in roots.items():
        glyphs |= _without_glyphs(each)
        _shorten(each)
        _rename(each, prefix)
        _explain(each, prefix, title, text)
        made.append(ET.tostring(each, encoding="unicode").replace(" />", "/>"))
    return Inline(light=made[0], dark="".join(made[1:]), glyphs=glyphs)


def palette() -> dict[str, tuple[str, str]]:
    """Return the custom properties that charts use: each on light and on dark paper."""
    light, dark = (dict(_colours(each)) for each in (LIGHT, DARK))
    return {f"--chart-{role}": (light[role], dark[role]) for role in light}


@cache
def marked() -> tuple[Theme, dict[str, str]]:
    """Return a theme in which no two roles share a colour, and the role of each."""
    roles = {f"#fe{n:04x}": role for n, (role, _) in enumerate(_colours(LIGHT))}
    left = iter(roles)
    fields: dict[str, Any] = {
        name: tuple(next(left) for _ in value)
        if isinstance(value, tuple)
        else next(left)
        for name, value in msgspec.structs.asdict(LIGHT).items()
        if name != "name"
    }
    return Theme(name=MARKED, **fields), roles


def _colours(theme: Theme) -> Iterator[tuple[str, str]]:
    """Yield the roles of a theme with their colours, in the order of its fields."""
    for name, value in msgspec.structs.asdict(theme).items():
        if isinstance(value, tuple):
            yield from ((f"{name}-{n}", each) for n, each in enumerate(value))
        elif name != "name":
            yield name.replace("_", "-"), value


def _recoloured(root: ET.Element, roles: Mapping[str, str]) -> bool:
    """Put the page's properties in the place of colours; False if some are no role."""
    for each in root.iter():
        style = each.get("style", "")
        if each.tag == f"{SVG}image" or set(_COLOUR.findall(style)) - roles.keys():
            return False
        each.set("style", _COLOUR.sub(lambda c: f"var(--chart-{roles[c[0]]})", style))
        if not style:
            del each.attrib["style"]
    return True


def _read(svg: bytes) -> ET.Element:
    """Return a drawing, without anything that no chart is made of."""
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing, just made
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag not in DRAWN:
                parent.remove(child)
        for key, value in list(parent.items()):
            if key.startswith("on") or (key == LINK and not value.startswith(LINKED)):
                del parent.attrib[key]
        if "fill" in parent.attrib:  # of a hatch's ground; elsewhere it is style
            fill, style = parent.attrib.pop("fill"), parent.get("style", "")
            parent.set("style", f"fill: {fill}; {style}")
    return root


def _declared(style: str) -> dict[str, str]:
    parts = (each.partition(":") for each in style.split(";") if each.strip())
    return {key.strip(): value.strip() for key, _, value in parts}


def _without_glyphs(root: ET.Element) -> dict[str, str]:
    """Take the letters' outlines out and return them; all charts share them."""
    found = {}
    for group in list(root.iter()):
        for defs in group.findall(f"{SVG}defs"):
            for child in list(defs):
                if child.get("transform") == GLYPH:
                    outline = child.get("d", "").replace("\n", " ")
                    found[f"glyph-{child.get('id')}"] = outline
                    defs.remove(child)
            if not len(defs):
                group.remove(defs)
    return found


def _shorten(root: ET.Element) -> None:
    """Say once what all parts of a group say of their looks, and round to 0.01 pt."""
    for group in root.iter(f"{SVG}g"):
        styles = {each.get("style", "") for each in group}
        shared = (
            styles.pop() if len(styles) == 1 and "style" not in group.attrib else ""
        )
        # Opacity is of a whole group; everything else that is drawn with is inherited.
        if shared and "opacity" not in _declared(shared):
            group.set("style", shared)
            for each in group:
                del each.attrib["style"]
    for each in root.iter():
        each.text = each.tail = None
        for key, value in each.items():
            if key in {"d", "x", "y"}:
                each.set(key, _path(" ".join(value.split())))


def _path(drawn: str) -> str:
    """Return a path, rounded; one of straight lines by its steps, which are short."""
    if not _LINES.fullmatch(drawn):
        return _LONG.sub(r"\1", drawn)
    told, x, y, start = [], 0, 0, (0, 0)
    for letter, *ends in _PARTS.findall(drawn):
        if letter == "z":
            told.append("z")
            x, y = start
            continue
        # In whole hundredths: what is rounded in one step is made up for in the next.
        to_x, to_y = (round(100 * float(end)) for end in ends)
        if letter == "M":
            told.append(f"M{_hundredths(to_x)} {_hundredths(to_y)}")
            start = to_x, to_y
        elif to_y == y:
            told.append(f"h{_hundredths(to_x - x)}")
        elif to_x == x:
            told.append(f"v{_hundredths(to_y - y)}")
        else:
            told.append(f"l{_hundredths(to_x - x)} {_hundredths(to_y - y)}")
        x, y = to_x, to_y
    return "".join(told)


def _hundredths(n: int) -> str:
    return f"{n / 100:.2f}".rstrip("0").rstrip(".")


def _rename(root: ET.Element, name: str) -> None:
    """Name what is pointed to NAME-1, NAME-2 and so on, and the rest not at all."""
    used = {each.get(LINK, "")[1:] for each in root.iter()}
    for each in root.iter():
        used.update(*(_POINTS.findall(value) for value in each.attrib.values()))
    own: dict[str, str] = {}
    for each in root.iter():
        if (old := each.attrib.pop("id", None)) in used and old is not None:
            own[old] = f"{name}-{len(own) + 1}"
            each.set("id", own[old])
    for each in root.iter():
        for key, value in list(each.items()):
            if key == LINK:
                del each.attrib[LINK]
                old = value[1:]
                points = (
                    value if value[0] != "#" else f"#{own.get(old, f'glyph-{old}')}"
                )
                each.set("href", points)
            elif "url(#" in value:
                each.set(key, _POINTS.sub(lambda c: f"url(#{own[c[1]]})", value))


def _explain(root: ET.Element, name: str, title: str, text: str) -> None:
    """Say what the chart shows to who does not see it, and let the page size it."""
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title {name}-text"}
    for place, (tag, end, words) in enumerate(
        (("title", "title", title), ("desc", "text", text))
    ):
        told = ET.Element(f"{SVG}{tag}", id=f"{name}-{end}")
        told.text = words
        root.insert(place, told)
