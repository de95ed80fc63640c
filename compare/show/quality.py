"""What checks say of each host, line by line."""

from collections.abc import Callable, Sequence

from compare.judge.contrast import BETTER, WORSE
from compare.judge.fidelity import Share
from compare.judge.pair import PASSED, Contrast
from compare.judge.quality import Quality
from compare.show.words import number, percent, plain, usd

Cell = Callable[[Quality], str]
MOST = 6
"""At most so many checks are told of a host."""


def share(found: Share | None) -> str:
    """Return a share with its interval and number, or why there is none."""
    if found is None:
        return "-"
    if found.value is None:
        return "n/a (n=0)"
    return f"{percent(found.value)} (n={found.n:,})\n{span(found)}"


def span(found: Share) -> str:
    """Return the interval of a share, as `(79.2 to 92.8)` percent."""
    if found.low is None or found.high is None:
        return ""
    return f"({100 * found.low:.1f} to {100 * found.high:.1f})"


def _per(form: Callable[[float], str], field: str) -> Cell:
    def cell(each: Quality) -> str:
        found = getattr(each.accepted, field)
        if found.value is None:
            return "n/a" if each.accepted.n_accepted else "n/a (none accepted)"
        least = "at least " if found.n_unknown else ""
        ends = ""
        if found.low is not None and found.high is not None:
            ends = f"\n({form(found.low)} to {form(found.high)})"
        return f"{least}{form(found.value)}{ends}"

    return cell


def _pass_at_1(each: Quality) -> str:
    if each.pass_at_1 is None:
        return "n/a"
    return f"{percent(each.pass_at_1)}\n{each.n_cases:,} cases"


def _accepted(each: Quality) -> str:
    return f"{each.accepted.n_accepted:,} of {each.accepted.n:,}"


def _f1(each: Quality) -> str:
    tools = each.tools
    if tools is None or tools.f1 is None or tools.low is None or tools.high is None:
        return "n/a"
    counts = f"{tools.n_hit} hit, {tools.n_missed} missed, {tools.n_needless} needless"
    return f"{tools.f1:.3f} ({tools.low:.3f} to {tools.high:.3f})\n{counts}"


def _of_tools(field: str) -> Cell:
    return lambda each: share(getattr(each.tools, field) if each.tools else None)


def _of_steps(field: str) -> Cell:
    return lambda each: share(getattr(each.steps, field) if each.steps else None)


def _steps(each: Quality) -> str:
    if each.steps is None or each.steps.median is None:
        return "n/a (none solved)"
    return f"median {each.steps.median:g}\nn={each.steps.n_solved:,}"


LINES: dict[str, Cell] = {
    "accepted": _accepted,
    "checks passed": lambda each: share(each.passed),
    "pass@1": _pass_at_1,
    "unlike the reference": lambda each: share(each.differs),
    "unlike itself": lambda each: share(each.flips),
    "same answer again": lambda each: share(each.same),
    "tool called, F1": _f1,
    "tool schema kept": _of_tools("schema"),
    "stream and whole agree": lambda each: share(
        each.tools.agree if each.tools else None
    ),
    "steps to solve": _steps,
    "invalid tool calls": _of_steps("invalid"),
    "answers without a call": _of_steps("idle"),
    "markup leaks": _of_steps("leaks"),
    "USD per accepted": _per(usd, "usd"),
    "seconds per accepted": _per(number, "seconds"),
    "tokens per accepted": _per(number, "tokens"),
}
"""The lines of the table of checks, in order: label and what stands there."""

OPTIONAL: dict[str, Callable[[Quality], bool]] = {
    "checks passed": lambda each: bool(each.passed.n),
    "pass@1": lambda each: each.pass_at_1 is not None,
    "unlike the reference": lambda each: bool(each.differs and each.differs.n),
    "unlike itself": lambda each: bool(each.flips.n),
    "same answer again": lambda each: bool(each.same.n),
    "tool called, F1": lambda each: each.tools is not None,
    "tool schema kept": lambda each: bool(each.tools and each.tools.schema.n),
    "stream and whole agree": lambda each: bool(each.tools and each.tools.agree.n),
    "steps to solve": lambda each: each.steps is not None,
    "invalid tool calls": lambda each: each.steps is not None,
    "answers without a call": lambda each: each.steps is not None,
    "markup leaks": lambda each: each.steps is not None,
}
"""Lines that are left out where they say nothing of any host."""

TERMS = (
    "Only answers that were checked count in checks passed; pass@1 is the mean over "
    "cases of accepted / asked, failed requests included. Unlike: how often two hosts "
    "in one block, or two answers of one host to one case, are judged differently. A "
    "host that is no more unlike the reference than this is unlike itself differs by "
    "noise alone. Per accepted: all that was spent, failures included."
)


def labels(group: Sequence[Quality]) -> list[str]:
    """Return which lines say something of some host; none where nothing is checked."""
    if not any(says(each) for says in OPTIONAL.values() for each in group):
        return []
    return [n for n in LINES if n not in OPTIONAL or any(map(OPTIONAL[n], group))]


def unknown(group: Sequence[Quality]) -> list[str]:
    """Return what is not known of some hosts: their noise, if no case came twice."""
    differ = any(each.differs and each.differs.n for each in group)
    if not differ or any(each.flips.n for each in group):
        return []
    why = "no case was answered twice, so the hosts' own noise is not known"
    return [f"{why}: ask for more requests (-n) than there are cases"]


def notes(each: Quality) -> list[str]:
    """Return what failed by its checks, and what was not checked, a phrase each."""
    name, told = plain(each.provider, 40), []
    failed = [f for f in each.faults if f.n_failed]
    if failed:
        listed = ", ".join(
            f"{plain(f.check, 40)} {f.n_failed:,} of {f.n_made:,}"
            for f in failed[:MOST]
        )
        more = f" and {len(failed) - MOST} more" if failed[MOST:] else ""
        told.append(f"{name}: checks failed: {listed}{more}")
    unmade = [f for f in each.faults if f.n_unmade]
    if unmade:
        listed = ", ".join(
            f"{plain(f.check, 40)} {f.n_unmade:,}" for f in unmade[:MOST]
        )
        told.append(f"{name}: not made, and counted neither way: {listed}")
    if each.accepted.n_unchecked:
        told.append(
            f"{name}: {each.accepted.n_unchecked:,} answers were not checked and are "
            "in none of these figures"
        )
    return told


def verdict(found: Sequence[Contrast], host: str) -> str:
    """Return what the checks add to a verdict on a host, nothing where they do not."""
    for each in found:
        known = each.metric == PASSED and each.provider == host
        if known and each.estimate is not None and each.verdict in {BETTER, WORSE}:
            return f", {each.verdict} at its checks ({100 * each.estimate:+.1f} points)"
    return ""
