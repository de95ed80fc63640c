"""What a prompt cache did: hits of later turns, their time, and what a prompt cost."""

from collections.abc import Mapping

import msgspec
import numpy as np

from compare.judge.economy import cache_line, needed
from compare.judge.estimate import estimated
from compare.judge.frame import Floats, Frame, Ints, Segment
from compare.judge.pair import PRIMARY, Sides
from compare.judge.stats import share_interval
from data.prices import Price


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the `n` answers that stated cached tokens read any from the cache.

    `low` and `high` are the 95 % Wilson interval of their share. `tokens` is the share
    of all their prompt tokens that was read from it. None: of nothing.
    """

    n_hit: int
    n: int
    low: float | None
    high: float | None
    tokens: float | None

    @property
    def share(self) -> float | None:
        """Return the share that hit the cache."""
        return self.n_hit / self.n if self.n else None


class Warmth(msgspec.Struct, frozen=True, kw_only=True):
    """One host's cache in one scenario and load step, by turn of the session.

    The first turn is `cold`: its prompt is unique. `first` is the second turn, `warm`
    all but the first. `ttft` is warm / cold, the ratio of medians over sessions, with
    its 95 % interval; None below the floor of a median. `usd_per_1m` is what a million
    tokens of warm prompts cost by list price, `usd_cold` those of cold ones; None
    where a price is not listed. From the hit rate `even` on (share of tokens) its warm
    answers cost no more than those of `reference` did; None where they always do, or
    nothing is known.
    """

    provider: str
    scenario: str
    step: int | None
    cold: Hits
    first: Hits
    warm: Hits
    ttft: float | None
    ttft_low: float | None
    ttft_high: float | None
    usd_cold: float | None
    usd_per_1m: float | None
    reference: str
    even: float | None


class Session(msgspec.Struct, frozen=True):
    """The turns of a scenario at one load step, first one first."""

    scenario: str
    step: int | None
    turns: tuple[Segment, ...]


def sessions(frame: Frame) -> list[Session]:
    """Return the scenarios whose sessions end by asking one prompt once more.

    Of two turns the second may be another question to the same text. Others have
    histories that grow, and say nothing of a cache by themselves.
    """
    turns: dict[tuple[str, int | None], dict[int, Segment]] = {}
    for kind in frame.kinds:
        if kind.turn is not None:
            found = turns.setdefault((kind.scenario, kind.step), {})
            found[kind.turn] = Segment(kind.asked, kind.step)
    made = [
        Session(*key, tuple(found[n] for n in sorted(found)))
        for key, found in turns.items()
    ]
    return [each for each in made if _asks_again(frame, each)]


def warmths(frame: Frame, prices: Mapping[str, Price], seed: int = 0) -> list[Warmth]:
    """Return what each host's cache did in each such session; none in other runs.

    Hosts are set against the first one. `prices` are those of the run, by host.
    """
    found = []
    for session in sessions(frame):
        hosts = frame.hosts_of(session.turns[0])
        found += [_warmth(frame, session, h, hosts[0], prices, seed) for h in hosts]
    return found


def _asks_again(frame: Frame, session: Session) -> bool:
    if len(session.turns) == 2:
        return True
    if len(session.turns) < 2:
        return False
    last = [_prompts(frame, segment) for segment in session.turns[-2:]]
    return bool((last[0] & last[1]) - {0})  # 0: not known


def _prompts(frame: Frame, segment: Segment) -> set[int]:
    rows = [frame.rows(segment, host) for host in frame.hosts_of(segment)]
    return set(frame.prompt[np.concatenate(rows)].tolist()) if rows else set()


def _warmth(
    frame: Frame,
    session: Session,
    host: str,
    reference: str,
    prices: Mapping[str, Price],
    seed: int,
) -> Warmth:
    turns = [frame.rows(segment, host) for segment in session.turns]
    cold, warm = turns[0], np.concatenate(turns[1:])
    ttft, low, high = _sooner(frame, session, host, turns, seed)
    price = prices.get(host)
    return Warmth(
        provider=host,
        scenario=session.scenario,
        step=session.step,
        cold=_hits(frame, cold),
        first=_hits(frame, turns[1]),
        warm=_hits(frame, warm),
        ttft=ttft,
        ttft_low=low,
        ttft_high=high,
        usd_cold=_prompt_price(frame, cold, price),
        usd_per_1m=_prompt_price(frame, warm, price),
        reference=reference,
        even=_even(frame, session, host, reference, prices),
    )


def _hits(frame: Frame, rows: Ints) -> Hits:
    prompt, cached = _stated(frame, rows)
    n, hit = len(cached), int((cached > 0).sum())
    low, high = share_interval(hit, n)
    whole = float(prompt.sum())
    share = float(cached.sum()) / whole if whole else None
    return Hits(n_hit=hit, n=n, low=low, high=high, tokens=share)


def _stated(frame: Frame, rows: Ints) -> tuple[Floats, Floats]:
    """Return the prompt and cached tokens of the ok answers that stated both."""
    ok = rows[frame.ok[rows]]
    prompt, cached = frame.figures["prompt"][ok], frame.figures["cached"][ok]
    both = ~np.isnan(prompt) & ~np.isnan(cached)
    return prompt[both], cached[both]


def _sooner(
    frame: Frame, session: Session, host: str, turns: list[Ints], seed: int
) -> tuple[float | None, float | None, float | None]:
    """Return warm / cold times to first token, a session a pair, and the interval."""
    cold, *later = _by_session(frame, turns)
    known = ~np.isnan(later).all(axis=0) & ~np.isnan(cold)
    if not known.any():
        return None, None, None
    warm = np.full(len(cold), np.nan)
    warm[known] = np.nanmedian(np.array(later)[:, known], axis=0)
    sides = Sides(
        provider=host,
        reference=host,
        segment=session.turns[0],
        metric="ttft",
        ours=warm,
        theirs=np.where(known, cold, np.nan),
    )
    (found,) = estimated([sides], seed, statistic=PRIMARY)
    return found.estimate, found.low, found.high


def _by_session(frame: Frame, turns: list[Ints]) -> Floats:
    """Return times to first token, a line a turn and a column a session, NaN for none.

    A session's blocks follow one another; one that was broken off has fewer.
    """
    begun = [frame.block[rows] - turn for turn, rows in enumerate(turns)]
    sessions = np.unique(np.concatenate(begun))
    found = np.full((len(turns), len(sessions)), np.nan)
    for line, rows, first in zip(found, turns, begun, strict=True):
        ok = frame.ok[rows]
        at = np.searchsorted(sessions, first[ok])
        line[at] = frame.figures["ttft"][rows[ok]]
    return found


def _prompt_price(frame: Frame, rows: Ints, price: Price | None) -> float | None:
    """Return what a million prompt tokens cost in USD, cached ones at their price."""
    prompt, cached = _stated(frame, rows)
    whole = float(prompt.sum())
    if price is None or price.input_pusd is None or price.cache_read_pusd is None:
        return None
    if not whole:
        return None
    read = float(cached.sum())
    return ((whole - read) * price.input_pusd + read * price.cache_read_pusd) / (
        whole * 1e6
    )


def _even(
    frame: Frame,
    session: Session,
    host: str,
    reference: str,
    prices: Mapping[str, Price],
) -> float | None:
    rows = {
        name: np.concatenate([frame.rows(s, name) for s in session.turns[1:]])
        for name in (host, reference)
    }
    lines = {
        name: cache_line(frame, rows[name], prices[name])
        for name in rows
        if name in prices
    }
    ours, theirs = lines.get(host), lines.get(reference)
    hit = _hits(frame, rows[reference]).tokens
    if host == reference or ours is None or theirs is None or hit is None:
        return None
    return needed(ours, theirs.at(hit))
