"""Whether hosts or runs may be compared at all: were they asked for the same."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from compare.judge.blocks import blocks_of
from compare.judge.frame import Frame, Segment
from compare.judge.kind import Asked
from data import prices

_SIZE = re.compile(r"[0-9][0-9.x]*[bm]\b")
_VARIANT = re.compile(r"[-_](fp8|fp4|nvfp4|mxfp4|int8|int4|bf16|awq|gptq|gguf)$")


class Incomparable(Exception):  # noqa: N818 - a finding more than a fault
    """Hosts or runs were asked unlike things; the message says which and the remedy."""


def unlike(frame: Frame, hosts: Sequence[str] | None = None) -> list[str]:
    """Return how hosts of one run were asked unlike things, a phrase each."""
    found = []
    for segment in frame.segments:
        chosen = [h for h in frame.hosts_of(segment) if hosts is None or h in hosts]
        asked = {host: frame.asked.get((segment, host), ()) for host in chosen}
        found += [f"{segment.scenario}: {each}" for each in _differences(asked)]
        found += _prompts(frame, segment, chosen)
    return list(dict.fromkeys(found))


def unlike_runs(
    a: Frame, b: Frame, pairs: Sequence[tuple[str, str]], runs: tuple[str, str]
) -> list[str]:
    """Return how the pairs of hosts (of B, of A) were asked unlike things.

    Prompts of two runs always differ by their salt: the scenario's version speaks for
    them.
    """
    found = []
    for segment in b.segments:
        for ours, theirs in pairs:
            asked = {
                f"{theirs}@{runs[0]}": a.asked.get((segment, theirs), ()),
                f"{ours}@{runs[1]}": b.asked.get((segment, ours), ()),
            }
            if all(asked.values()):
                each = _differences(asked)
                found += [f"{segment.scenario}: {words}" for words in each]
    return list(dict.fromkeys(found))


def refuse(found: Sequence[str]) -> None:
    """Raise Incomparable if anything was unlike."""
    if found:
        raise Incomparable(
            f"not comparable: {'; '.join(found)}. Ask for the same and run again, or "
            "compare with --anyway, which says so on every output"
        )


@cache
def family(model: str) -> str:
    """Return the family of a model id: as the price list has it, else its bare name.

    `zai-org/GLM-5.2-FP8` and `glm-5.2` are one family: a quantisation is how a host
    serves a model.
    """
    for price in prices.load():
        if price.model_id.lower() == model.lower() and price.model_family:
            return price.model_family.lower()
    name, _, tag = model.lower().rpartition("/")[2].partition(":")
    size = _SIZE.match(tag)  # `qwen3:32b`; other tags (`:free`) say how it is served
    return _VARIANT.sub("", name) + (f":{size[0]}" if size else "")


WORDS: dict[str, Callable[[Asked], str]] = {
    "scenario": lambda asked: asked.scenario_version,
    "parameters": lambda asked: asked.params,
    "effort": lambda asked: asked.effort_requested or "default",
    "max_tokens": lambda asked: str(asked.max_tokens),
    "model family": lambda asked: family(asked.model_requested),
}
"""What must be alike, and how it is told."""

TOLD = 3
"""So many of a host's unlike values are told."""


def _differences(asked: Mapping[str, Sequence[Asked]]) -> list[str]:
    """Return what differs between hosts, over the cases that all of them were asked.

    Hosts of which nothing is known are left out.
    """
    known = {host: each for host, each in asked.items() if each}
    cases = [{one.case_id for one in each} for each in known.values()]
    shared = set.intersection(*cases) if cases else set()
    found = []
    for words, word in WORDS.items():
        values = {
            host: {
                (one.case_id if shared else None, word(one))
                for one in each
                if one.case_id in shared or not shared
            }
            for host, each in known.items()
        }
        if len(set(map(frozenset, values.values()))) > 1:
            told = ", ".join(f"{host} {_some(each)}" for host, each in values.items())
            found.append(f"{words} differs ({told})")
    return found


def _some(values: Iterable[tuple[str | None, str]]) -> str:
    words = sorted({word for _, word in values})
    more = [f"{len(words) - TOLD:,} more"] if len(words) > TOLD else []
    return " and ".join([*words[:TOLD], *more])


def _prompts(frame: Frame, segment: Segment, hosts: Sequence[str]) -> list[str]:
    if len(hosts) < 2:
        return []
    blocks = blocks_of(frame, segment, hosts)
    columns = np.array([blocks.prompts(host) for host in hosts])
    known = np.where(columns == 0, np.nan, columns)
    with np.errstate(invalid="ignore"):
        some = ~np.isnan(known).all(axis=0)
    low, high = (f(known[:, some], axis=0) for f in (np.nanmin, np.nanmax))
    n = int((low != high).sum())
    return [f"{segment.scenario}: the prompts of {n:,} blocks differ"] if n else []
