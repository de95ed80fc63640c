"""compare.show.inline: charts that share a page, in two themes, and stay charts."""

import re
from functools import partial
from xml.etree import ElementTree as ET

import pytest
from made import HOSTS, run_row, subject_of, timings

from compare.show.charts import draw
from compare.show.inline import LINK, SVG, inline, marked, palette
from compare.show.theme import DARK, LIGHT

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9pt">'
SHORT = timings(n=15, fail={"zai": 0.3})


def svg(body):
    """Return what draws the same in every theme."""
    return lambda _: f"{HEAD}{body}</svg>".encode()


def made(paint, name="a"):
    return inline(paint, name, "Title", "Text")


def painted(kind, rows=SHORT):
    return partial(draw, kind, subject_of(rows, run_row(HOSTS)), "svg")


def drawn(kind, name="a"):
    return made(painted(kind), name)


def looks(picture):
    """Return what each part of a drawing looks like, in order."""
    styles = (each.get("style", "") for each in ET.fromstring(picture).iter())
    return [dict(re.findall(r"([\w-]+): ([^;]+)", style)) for style in styles]


@pytest.mark.parametrize("kind", ["ttft-ecdf", "errors", "over-time", "percentiles"])
def test_a_chart_is_one_drawing_with_the_colours_of_both_themes(kind):
    found = drawn(kind)
    assert found.dark == ""
    used = set(re.findall(r"var\((--[\w-]+)\)", found.light))
    assert len(used) > 3
    assert used <= set(palette())
    assert not re.search(r"#[0-9a-f]{6}", found.light)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_a_role_has_the_colour_that_its_theme_would_have_drawn(theme):
    paint, (marks, roles) = painted("errors"), marked()
    place = (LIGHT, DARK).index(theme)
    ours, theirs = looks(paint(marks)), looks(paint(theme))
    assert len(ours) == len(theirs) > 100
    n = 0
    for one, other in zip(ours, theirs, strict=True):
        for key in one.keys() & {"fill", "stroke"}:
            if role := roles.get(one[key]):
                n += 1
                wanted = palette()[f"--chart-{role}"][place].lower()
                # Black is what SVG begins with, and is left out.
                assert other.get(key, "#000000") == wanted
    assert n > 50


def test_every_role_of_a_theme_has_a_mark_and_two_colours():
    theme, roles = marked()
    assert len(roles) == len(set(roles.values())) == len(palette())
    assert theme.hosts[0] in roles
    assert palette()["--chart-paper"] == (LIGHT.paper, DARK.paper)
    assert palette()["--chart-hosts-1"] == (LIGHT.hosts[1], DARK.hosts[1])


def test_a_chart_that_mixes_colours_is_drawn_in_both_themes():
    def mixed(theme):
        both = f"fill: #123456; stroke: {theme.deep}"
        return svg(f'<path d="M 0 0" style="{both}"/>')(theme)

    found = made(mixed)
    assert LIGHT.deep in found.light
    assert DARK.deep in found.dark
    assert 'aria-labelledby="a-dark-title' in found.dark


def test_two_charts_share_a_page_and_no_id():
    pages = [drawn("errors", "a"), drawn("errors", "b")]
    ids = [re.findall(r' id="([^"]+)"', page.light) for page in pages]
    assert ids[0]
    assert len({*ids[0], *ids[1]}) == len(ids[0]) + len(ids[1])
    for page, own in zip(pages, ids, strict=True):
        pointed = re.findall(r"(?:url\(| href=\")#([\w-]+)", page.light)
        assert pointed
        assert set(pointed) <= {*own, *page.glyphs}


def test_what_it_shows_is_said_to_who_does_not_see_it():
    root = ET.fromstring(drawn("errors").light)
    said = {each.get("id"): each.text for each in root.iter() if each.text}
    assert [said[name] for name in root.get("aria-labelledby").split()] == [
        "Title", "Text"
    ]  # fmt: skip
    assert root.get("role") == "img"
    assert "width" not in root.attrib


def test_what_no_chart_is_made_of_is_left_out():
    body = (
        "<script>x</script><g onclick='x'><a href='javascript:x'><path/></a></g>"
        "<foreignObject/><style>*{}</style><text>x</text><!-- x --><path d='M 1 1'/>"
        f"<image xmlns:x='{LINK[1:-5]}' x:href='http://127.0.0.1/'/>"
    )
    found = made(svg(body)).light
    tags = [each.tag.removeprefix(SVG) for each in ET.fromstring(found).iter()]
    assert tags == ["svg", "title", "desc", "g", "path", "image"]
    assert "onclick" not in found
    assert "127" not in found


def test_looks_are_said_once_where_that_changes_nothing():
    def of_two(style):
        body = f'<g><path style="{style}"/><path style="{style}"/></g>'
        return made(svg(body)).light

    assert of_two("fill: none; fill-opacity: 0.5").count("fill-opacity") == 1
    assert of_two("fill: none; opacity: 0.5").count("opacity") == 2


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        ("M 1.004 2 \nL 3 2 \nL 3 5.126 \nL 4.5 6 \nz \n", "M1 2h2v3.13l1.5 0.87z"),
        ("M 0 0 \nL 0.004 0 \nL 0.008 0 \nL 0.012 0", "M0 0h0h0.01h0"),
        ("M 0 0 \nQ 1.2345 2 3 4", "M 0 0 Q 1.23 2 3 4"),
        ("M 1e3 0 \nL 2 2", "M 1e3 0 L 2 2"),
    ],
    ids=["lines", "steps do not add up errors", "curves", "odd"],
)
def test_a_path_is_shortened_and_stays_where_it_was(drawn, told):
    found = made(svg(f'<path d="{drawn}"/>')).light
    assert f'd="{told}"' in found
