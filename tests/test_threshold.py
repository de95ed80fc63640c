import math

import pytest

from compare.judge.grammar import parse, parse_objectives
from compare.judge.threshold import ThresholdError


@pytest.mark.parametrize(
    ("text", "host", "metric", "aggregate", "sign", "value", "confidence"),
    [
        ("ourtoken.ttft:p(95)<1500ms", "ourtoken", "ttft", 0.95, "<", 1500, None),
        ("ttft:p(95)<1500", None, "ttft", 0.95, "<", 1500, None),
        ("errors<1%", None, "errors", None, "<", 0.01, None),
        ("errors < 0.01 with 95%", None, "errors", None, "<", 0.01, 0.95),
        ("cost<0.002", None, "cost", "avg", "<", 0.002, None),
        ("zai.cost:max<=$.5", "zai", "cost", "max", "<=", 0.5, None),
        ("my.host:1.e2e:p99 <= 2.5s", "my.host:1", "e2e", 0.99, "<=", 2500, None),
        ("a@b/fp8.tpot:med<1m", "a@b/fp8", "tpot", 0.5, "<", 60_000, None),
        ("decode_tps:p(5)>30", None, "decode_tps", 0.05, ">", 30, None),
        ("goodput>=95%", None, "goodput", None, ">=", 0.95, None),
        ("tokens!=1e2", None, "tokens", "avg", "!=", 100, None),
        ("ttft:p95<1500us", None, "ttft", 0.95, "<", 1.5, None),
        ("ttft:p95<1500µs", None, "ttft", 0.95, "<", 1.5, None),
        (" ttft : p( 95 )\t<  1.5 s ", None, "ttft", 0.95, "<", 1500, None),
        ("日本.ok>=99.5%", "日本", "ok", None, ">=", 0.995, None),
    ],
)
def test_a_threshold_means_what_it_says(
    text, host, metric, aggregate, sign, value, confidence
):
    found = parse(text)
    assert (found.host, found.metric, found.aggregate) == (host, metric, aggregate)
    assert (found.sign, found.confidence) == (sign, confidence)
    assert found.value == pytest.approx(value)
    assert found.against is None


def test_a_ratio_names_two_hosts():
    found = parse("ratio(ourtoken/openrouter, ttft, p50)<1.1 with 95%")
    assert (found.host, found.against) == ("ourtoken", "openrouter")
    assert (found.metric, found.aggregate, found.value) == ("ttft", 0.5, 1.1)
    assert found.confidence == 0.95
    quoted = parse("ratio('openrouter@deepinfra/fp8'/zai, e2e, avg)<2")
    assert (quoted.host, quoted.against) == ("openrouter@deepinfra/fp8", "zai")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("ttft:q(95)<1500ms", 5, "expected an aggregate"),
        ("ttft<5", 4, "expected : and an aggregate"),
        ("ttff:p(5)<1", 0, "expected a metric; did you mean ttft? known: ttft"),
        ("zai.ttff:p(5)<1", 4, "did you mean ttft?"),
        ("TTFT:p95<1", 0, "did you mean ttft?"),
        ("http_req_duration:p(95)<3", 0, "expected a metric; known: ttft"),
        ("ttft:p95<1e400", 9, "too large a number"),
        ("ttft:p95<1e308s", 9, "too large a number"),
        ("ttft:p95<nan", 9, "expected a number"),
        ("ttft:p95<-1", 9, "expected a number"),
        ("ttft:p95<5,000", 10, "expected the end"),
        ("ttft:p95=<5", 8, "expected one of <="),
        ("ratio(a/b, tttf, p50)<1", 11, "did you mean ttft?"),
        ("errors:p(95)<1", 6, "takes no aggregate"),
        ("ttft:p(95)<", 11, "expected a number"),
        ("ttft:p(95)1", 10, "expected one of <="),
        ("ttft:p(95)<5s foo", 14, "expected the end, or with 95%"),
        ("ttft:p(0)<5", 5, "a percentile is 0.1 to 99.9"),
        ("ttft:p(1.2.3)<5", 5, "a percentile"),
        ("ttft:avg<5 with 95%", 11, "needs an interval"),
        ("errors<5", 7, "a share is 0 to 1"),
        ("errors<1% with 95", 17, "expected '%'"),
        ("errors<1% with 5%", 14, "50% to below 100%"),
        ("errors<1% with 95% x", 19, "expected the end"),
        ("ratio(a, ttft, p50)<1", 6, "expected two hosts"),
        ("ratio(a/b, ok, p50)<1", 11, "expected a metric"),
        ("ratio(a/b, ttft, p99)<1", 16, "a ratio is of p50, p90, p95 or avg"),
        ("", 0, "expected a metric"),
    ],
)
def test_a_mistake_has_a_caret_under_its_place(text, place, words):
    with pytest.raises(ThresholdError) as caught:
        parse(text)
    said, shown, caret = str(caught.value).split("\n")
    assert words in said
    assert shown == f"  {text}"
    assert caret == " " * (2 + place) + "^"


def test_nothing_unprintable_gets_into_an_error():
    with pytest.raises(ThresholdError) as caught:
        parse("\x1b[31mttft\t:q<1")
    assert "\x1b" not in str(caught.value)
    assert "\t" not in str(caught.value)


def test_objectives_are_times_in_ms():
    assert parse_objectives("ttft:500,tpot:50") == {"ttft": 500, "tpot": 50}
    assert parse_objectives("ttft: 1.5s , e2e:5s") == {"ttft": 1500, "e2e": 5000}
    for text, place in (("ttft", 4), ("foo:1", 0), ("ttft:5,", 7), ("ttft:5;e2e:1", 6),
                        ("ttft:5,ttft:6", 7)):  # fmt: skip
        with pytest.raises(ThresholdError) as caught:
            parse_objectives(text)
        assert str(caught.value).split("\n")[2] == " " * (2 + place) + "^"


@pytest.mark.parametrize(
    ("text", "columns"),
    [("日本.ttff:p95<1", 5), ("e\u0301.ttff:p95<1", 2), ("🚀.ttff:p95<1", 3)],
)
def test_the_caret_counts_columns_and_not_characters(text, columns):
    with pytest.raises(ThresholdError) as caught:
        parse(text)
    assert str(caught.value).split("\n")[2] == " " * (2 + columns) + "^"


def test_of_a_long_text_only_the_place_is_shown():
    with pytest.raises(ThresholdError) as caught:
        parse("x" * 5_000 + ".ttff<1")
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 130
    assert shown[caret.index("^") :] == "ttff<1"


@pytest.mark.parametrize(
    ("text", "low", "high", "throughout", "nowhere"),
    [
        ("tokens<5", 1, 4, True, False),
        ("tokens<5", 4, 6, False, False),
        ("tokens<5", 6, math.inf, False, True),
        ("tokens>5", -math.inf, 4, False, True),
        ("tokens==5", 4, 6, False, False),
        ("tokens==5", 5, 5, True, False),
        ("tokens==5", 6, 7, False, True),
        ("tokens!=5", 4, 6, False, False),
        ("tokens!=5", 6, 7, True, False),
        ("tokens!=5", 5, 5, False, True),
        ("tokens>=5", -math.inf, math.inf, False, False),
    ],
)
def test_an_interval_is_wholly_right_wholly_wrong_or_neither(
    text, low, high, throughout, nowhere
):
    found = parse(text)
    assert found.holds_throughout(low, high) is throughout
    assert found.holds_nowhere(low, high) is nowhere
