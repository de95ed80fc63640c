"""compare.show.inline: charts that share a page, in two themes, and stay charts."""

import re
from xml.etree import ElementTree as ET

import pytest
from made import HOSTS, run_row, timings

from compare.judge.frame import of
from compare.show.charts import draw
from compare.show.inline import LINK, SVG, inline
from compare.show.subject import Subject

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9pt">'


def svg(body):
    return f"{HEAD}{body}</svg>".encode()


def drawn(kind, name="a", **changes):
    rows = timings(n=15, fail={"zai": 0.3})
    subject = Subject(run=run_row(HOSTS, **changes), frame=of(rows))
    pair = (draw(kind, subject, "svg", theme) for theme in ("light", "dark"))
    return inline(*pair, name, "Title", "Text")


@pytest.mark.parametrize("kind", ["ttft-ecdf", "errors", "over-time", "raster"])
def test_a_chart_is_one_drawing_with_the_colours_of_both_themes(kind):
    found = drawn(kind)
    assert found.dark == ""
    assert found.colours["--cffffff-15181c"] == ("#ffffff", "#15181c")
    used = set(re.findall(r"var\((--[\w-]+)\)", found.light))
    assert used == set(found.colours)


def test_two_charts_share_a_page_and_no_id():
    pages = [drawn("errors", "a"), drawn("errors", "b")]
    ids = [re.findall(r' id="([^"]+)"', page.light) for page in pages]
    assert ids[0]
    assert len({*ids[0], *ids[1]}) == len(ids[0]) + len(ids[1])
    for page, own in zip(pages, ids, strict=True):
        pointed = re.findall(r"(?:url\(|href=\")#([\w-]+)", page.light)
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


def test_shapes_that_differ_are_kept_twice():
    light = svg('<path id="x" d="M 0 0" style="fill: #ffffff"/>')
    dark = svg('<path d="M 0 1" style="fill: #000000"/><path d="M 0 0"/>')
    found = inline(light, dark, "a", "T", "T")
    assert "M 0 0" in found.light
    assert "var(" not in found.light
    assert "M 0 1" in found.dark
    assert found.colours == {}


def test_a_default_black_is_a_colour_like_any_other():
    found = inline(
        svg('<path d="M 0 0"/>'), svg('<path d="M 0 0" style="fill: #f0f0f0"/>'),
        "a", "T", "T",
    )  # fmt: skip
    assert "fill:var(--c000000-f0f0f0)" in found.light


def test_what_no_chart_is_made_of_is_left_out():
    body = (
        "<script>x</script><g onclick='x'><a href='javascript:x'><path/></a></g>"
        "<foreignObject/><style>*{}</style><text>x</text><!-- x --><path d='M 1 1'/>"
        f"<image xmlns:x='{LINK[1:-5]}' x:href='http://127.0.0.1/'/>"
    )
    found = inline(svg(body), svg(body), "a", "T", "T").light
    tags = [each.tag.removeprefix(SVG) for each in ET.fromstring(found).iter()]
    assert tags == ["svg", "title", "desc", "g", "path", "image"]
    assert "onclick" not in found
    assert "127" not in found


def test_looks_are_said_once_where_that_changes_nothing():
    def of_two(style):
        body = f'<g><path style="{style}"/><path style="{style}"/></g>'
        return inline(svg(body), svg(body), "a", "T", "T").light

    assert of_two("fill: #ffffff; fill-opacity: 0.5").count("fill-opacity") == 1
    assert of_two("fill: #ffffff; opacity: 0.5").count("opacity") == 2


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
    found = inline(svg(f'<path d="{drawn}"/>'), svg(""), "a", "T", "T").light
    assert f'd="{told}"' in found
