"""data.prices: three states a class, whole numbers only, and never below the truth."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.prices import (
    LIST,
    Price,
    PriceError,
    cost,
    find,
    from_table,
    load,
    official,
    parse,
    worst_case,
)

NOW = dt.date(2026, 11, 23)
PRICES = load()

rates = st.integers(0, 10**8)
counts = st.integers(0, 2_000_000)


def price(**classes):
    return from_table(classes, name="x")


def listed(host, model="glm-5.2", day=NOW):
    found = find(PRICES, host, model, day)
    assert found is not None
    return found


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


ROW = 'host = "h", model_id = "m", model_family = "f", source = "s", date = 2026-01-01'


# --- the list that comes along


def test_ourtoken_is_sixty_percent_of_the_official_price_in_all_three_classes():
    ours, theirs = listed("ourtoken"), official(PRICES, "glm-5.2")
    assert theirs is not None
    assert theirs.host == "zai"
    for name in ("input_pusd", "output_pusd", "cache_read_pusd"):
        assert getattr(ours, name) * 10 == getattr(theirs, name) * 6


def test_listed_free_and_unlisted_are_three_states():
    assert listed("ourtoken").cache_write_pusd == 0
    assert listed("databricks", "databricks-glm-5-2").cache_write_pusd == 1_400_000
    assert listed("nebius", "zai-org/GLM-5.2").cache_read_pusd is None


def test_five_decimals_are_kept():
    assert listed("neuralwatt", "glm-5.2-flex").cache_read_pusd == 181_250


@pytest.mark.parametrize(
    ("host", "model", "before", "after"),
    [
        ("deepinfra", "zai-org/GLM-5.2", 950_000, 750_000),
        ("deepinfra", "zai-org/GLM-4.6", 430_000, 500_000),
    ],
)
def test_a_moved_price_holds_until_the_newer_was_seen(host, model, before, after):
    assert listed(host, model, dt.date(2026, 10, 31)).input_pusd == before
    assert listed(host, model, dt.date(2026, 11, 1)).input_pusd == after


def test_a_subscription_is_never_a_price_per_token():
    plans = [p for p in PRICES if p.subscription]
    assert {p.host for p in plans} >= {"zai-coding-plan", "alibaba-token-plan"}
    assert all(find(PRICES, p.host, p.model_id, NOW) is None for p in plans)


def test_ids_are_unique_and_every_row_is_dated_and_sourced():
    assert len({p.id for p in PRICES}) == len(PRICES)
    assert all(p.source and p.date and p.model_family for p in PRICES)
    assert all(p.host == "zai" for p in PRICES if p.official)


def test_a_model_id_is_matched_to_the_letter():
    assert find(PRICES, "deepinfra", "zai-org/glm-5.2", NOW) is None
    assert find(PRICES, "nowhere", "glm-5.2", NOW) is None


def test_every_family_has_an_official_price():
    families = {p.model_family for p in PRICES}
    assert all(official(PRICES, family) for family in families)
    assert official(PRICES, "gpt") is None


# --- reading


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('cache_inputt = "1"', "cache_inputt; did you mean"),
        ("input = 0.84", "input"),
        ('input = "1e3"', "'1e3' is no price"),
        ('input = "-1"', "'-1' is no price"),
        ('input = "0.1234567"', "six places"),
        ('input = "NaN"', "'NaN' is no price"),
        ('valid_from = "soon"', "valid_from"),
    ],
)
def test_a_bad_row_is_refused_by_file_and_key(tmp_path, row, said):
    path = write(tmp_path / "p.toml", f"price = [\n{{ {ROW}, {row} }},\n]")
    with pytest.raises(PriceError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: price 1")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pric = []", "did you mean price?"),
        ("price = 1", "list of tables"),
        ("price = [1]", "must be a table"),
        ("price = [", "cannot be read"),
        ('price = [{host = "h"}]', "missing required"),
        (f"price = [{{ {ROW} }}, {{ {ROW} }}]", "valid_to"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, text, said):
    with pytest.raises(PriceError, match=r"p\.toml") as caught:
        load(write(tmp_path / "p.toml", text))
    assert said in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(PriceError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_parse_reads_classes_and_leaves_empty_ones_unlisted():
    given_price = parse("openrouter@deepinfra/fp8=0.75,2.40,,0")
    assert given_price.host == "openrouter@deepinfra/fp8"
    assert given_price.input_pusd == 750_000
    assert given_price.output_pusd == 2_400_000
    assert given_price.cache_read_pusd is None
    assert given_price.cache_write_pusd == 0
    assert given_price.id == "given:openrouter@deepinfra/fp8"


@pytest.mark.parametrize(
    "text", ["", "x", "x=", "=1,2", "x=1", "x=1,2,3,4,5", "x=,,,", "x=a,2", "x=1;2,3"]
)
def test_parse_refuses_with_an_example(text):
    with pytest.raises(PriceError, match="--price"):
        parse(text)


def test_a_number_in_a_job_file_is_taken_as_typed():
    table = from_table({"input": 0.84, "output": 3, "cache_read": 1e-06}, name="x")
    assert (table.input_pusd, table.output_pusd) == (840_000, 3_000_000)
    assert table.cache_read_pusd == 1


@pytest.mark.parametrize(
    "table",
    [{}, {"in": "1"}, {"input": True}, {"input": []}, {"input": float("inf")}],
)
def test_a_bad_job_price_is_refused_where_it_stands(table):
    with pytest.raises(PriceError, match=r"job\.toml: provider x: price"):
        from_table(table, name="x", where="job.toml: provider x: price")


# --- cost


def test_cost_of_a_known_request():
    # 1000 prompt tokens, 600 of them cached; 100 out: by hand from the price page
    bill = cost(listed("ourtoken"), 1_000, 600, 0, 100)
    assert bill.input_nusd == 400 * 840
    assert bill.cached_nusd == 600 * 156
    assert bill.cache_write_nusd == 0
    assert bill.output_nusd == 100 * 2_640
    assert bill.total_nusd == 336_000 + 93_600 + 264_000


@given(rates, counts)
def test_each_class_is_rounded_half_up(pico, tokens):
    exact = Decimal(pico * tokens) / 1000
    one = Price(id="x", host="x", source="s", input_pusd=pico, output_pusd=0)
    bill = cost(one, tokens, 0, 0, 0)
    assert bill.input_nusd == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


prices = st.builds(
    Price,
    id=st.just("x"),
    host=st.just("x"),
    source=st.just("s"),
    input_pusd=rates,
    output_pusd=rates,
    cache_read_pusd=st.none() | rates,
    cache_write_pusd=st.none() | rates,
)


@given(prices, counts, counts, counts)
def test_a_request_never_costs_more_than_its_reserve(given_price, a, b, c):
    reserve = worst_case(given_price, a + b + c, 77)
    bill = cost(given_price, a + b + c, b, c, 77)
    assert reserve is not None
    assert bill.total_nusd is None or bill.total_nusd <= reserve


def test_the_reserve_takes_the_dearest_class():
    dear_write = price(input="1", output="2", cache_write="1.25")
    assert worst_case(dear_write, 1_000, 10) == 1_000 * 1_250 + 10 * 2_000
    assert worst_case(price(input="1", output="2"), 5, 0) == 5_000
    assert worst_case(price(input="1"), 5, 5) is None
    assert worst_case(price(output="1"), 5, 5) is None


def test_unknown_counts_leave_the_total_unknown():
    bill = cost(listed("ourtoken"), None, None, None, 10)
    assert bill.input_nusd is None
    assert bill.total_nusd is None
    assert bill.output_nusd == 26_400
    assert cost(listed("ourtoken"), 10, 0, 0, None).total_nusd is None


def test_an_unknown_cache_count_is_charged_as_input_and_stays_unknown():
    bill = cost(listed("ourtoken"), 1_000, None, None, 0)
    assert bill.input_nusd == bill.total_nusd == 840_000
    assert bill.cached_nusd is None
    assert bill.cache_write_nusd is None


def test_an_unlisted_class_matters_only_where_it_was_used():
    nebius = listed("nebius", "zai-org/GLM-5.2")
    assert cost(nebius, 100, 0, 0, 1).total_nusd == 144_400
    used = cost(nebius, 100, 40, 0, 1)
    assert used.cached_nusd is None
    assert used.total_nusd is None
    assert used.input_nusd == 60 * 1_400


def test_parts_larger_than_the_whole_cannot_be_charged():
    bill = cost(listed("ourtoken"), 100, 101, 0, 1)
    assert bill.input_nusd is None
    assert bill.total_nusd is None


def test_the_list_is_the_one_beside_the_module():
    assert LIST.name == "prices.toml"
    assert load(LIST) == PRICES
