"""How often a host's answers pass their checks, how sure that is, and what failed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from compare.judge.accepted import Accepted, Trials, accepted_of, gathered, trials
from compare.judge.answers import Answers
from compare.judge.fidelity import Share, Steps, Tools, mean_share, share, steps, tools
from compare.judge.frame import Bools, Frame, Ints
from compare.judge.kind import Segment, step_of
from data.verdicts import Verdicts

SOLVED = "solved"
"""The name of a check that judges a whole session, on the last of its requests."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the checks of one name: made, of these failed, and not made."""

    check: str
    n_made: int
    n_failed: int
    n_unmade: int


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks say of one host in one segment.

    Where a check judges whole sessions (named `solved`) an answer is a session.
    `passed` is the share of the checked answers that
    passed. `pass_at_1` is the chance that one request brings an accepted answer, the
    mean over `n_cases` cases, failed requests included. `flips` is how often two
    answers of this host to one case are judged differently, the mean over cases that it
    answered more than once. `differs` is how often it and the reference are, within
    blocks; None for the reference. `same` is how often two answers to one prompt are
    the same bytes at a temperature of 0. `tools` is None where no check speaks of
    them, `steps` where sessions are not live.
    """

    provider: str
    scenario: str
    step: int | None
    accepted: Accepted
    passed: Share
    pass_at_1: float | None
    n_cases: int
    flips: Share
    differs: Share | None
    same: Share
    faults: tuple[Fault, ...]
    tools: Tools | None
    steps: Steps | None = None


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one host was asked in one segment.

    `rows` are those that it answers for; `attempts` are these or, where whole sessions
    are judged, the sessions, with the `case` of each and the `moment` that it shares
    with those of other hosts.
    """

    provider: str
    segment: Segment
    rows: Ints
    attempts: Trials
    case: Ints
    moment: Ints
    session: Ints | None
    verdicts: Sequence[Verdicts]

    @property
    def judged(self) -> Bools:
        """Return which attempts were answered and checked."""
        return self.attempts.ok & ~np.isnan(self.attempts.passed)


def has_quality(frame: Frame) -> bool:
    """Tell whether a run has anything to judge: checks, or a prompt asked twice."""
    if not np.isnan(frame.figures["passed"]).all():
        return True
    asked = (_prompts(frame, host) for host in frame.hosts)
    return any(len(np.unique(prompts)) < len(prompts) for prompts in asked)


def _prompts(frame: Frame, host: str) -> Ints:
    """Return what tells the prompts of a host apart, as far as that is known."""
    mine = frame.marks(lambda kind: kind.provider == host)
    found: Ints = frame.prompt[mine & (frame.prompt != 0)]
    return found


def qualities(
    frame: Frame,
    known: Answers,
    verdicts: Iterable[Verdicts],
    reference: str | None = None,
) -> list[Quality]:
    """Return what checks say of each host, in the order of first requests."""
    parts = list(_parts(frame, known, verdicts))
    found = []
    for part in parts:
        group = [each for each in parts if each.segment == part.segment]
        checked = any(each.judged.any() for each in group)
        against = next((p for p in group if p.provider == reference), None)
        found.append(_quality(frame, known, part, against, checked=checked))
    return found


def _parts(
    frame: Frame, known: Answers, verdicts: Iterable[Verdicts]
) -> Iterator[_Part]:
    told: dict[tuple[Segment, str], list[Verdicts]] = defaultdict(list)
    solved: set[Segment] = set()
    for each in verdicts:
        by_turn = Segment(f"{each.scenario} turn {each.turn}", step_of(each.load))
        whole = Segment(each.scenario, by_turn.step)
        segment = by_turn if by_turn in frame.segments else whole
        told[segment, each.provider].append(each)
        if each.name == SOLVED:
            solved.add(segment)
    for segment in frame.segments:
        for host in frame.hosts_of(segment):
            rows = frame.rows(segment, host)
            rows = rows[frame.judged[rows]]
            found, first = trials(frame, rows), np.arange(len(rows))
            moment, session = frame.block[rows], None
            if segment in solved:
                moment, first, session = np.unique(
                    known.session[rows], return_index=True, return_inverse=True
                )
                found = gathered(found, session)
            yield _Part(
                provider=host,
                segment=segment,
                rows=rows,
                attempts=found,
                case=known.case[rows][first],
                moment=moment,
                session=session,
                verdicts=told[segment, host],
            )


def _quality(
    frame: Frame,
    known: Answers,
    part: _Part,
    reference: _Part | None,
    *,
    checked: bool,
) -> Quality:
    passed = part.attempts.passed[part.judged]
    pass_at_1, n_cases = _pass_at_1(part) if checked else (None, 0)
    return Quality(
        provider=part.provider,
        scenario=part.segment.scenario,
        step=part.segment.step,
        accepted=accepted_of(part.attempts),
        passed=share(int(passed.sum()), len(passed)),
        pass_at_1=pass_at_1,
        n_cases=n_cases,
        flips=_flips(part),
        differs=_differs(part, reference),
        same=_same(frame, known, part),
        faults=tuple(_faults(part.verdicts)),
        tools=tools(frame, known, part.rows, part.verdicts),
        steps=_steps(frame, known, part),
    )


def _pass_at_1(part: _Part) -> tuple[float | None, int]:
    """Return the mean over cases of accepted / asked, and how many cases there are.

    Chen et al., "Evaluating large language models trained on code" (2021), for k = 1.
    """
    counted = (part.judged | ~part.attempts.ok) & (part.case >= 0)
    good = part.judged & (part.attempts.passed == 1)
    asked = np.bincount(part.case[counted])
    right = np.bincount(part.case[counted], good[counted])
    shares = right[asked > 0] / asked[asked > 0]
    return (float(shares.mean()) if len(shares) else None), len(shares)


def _flips(part: _Part) -> Share:
    """Return how often two answers to one case differ: c (n - c) of n (n - 1) / 2."""
    counted = part.judged & (part.case >= 0)
    n = np.bincount(part.case[counted])
    c = np.bincount(part.case[counted], part.attempts.passed[counted])
    n, c = n[n > 1], c[n > 1]
    return mean_share(c * (n - c) / (n * (n - 1) / 2))


def _differs(part: _Part, reference: _Part | None) -> Share | None:
    """Return how often a host and the reference are judged unlike at one moment."""
    if reference is None or reference.provider == part.provider:
        return None
    ours, theirs = part.judged, reference.judged
    _, a, b = np.intersect1d(
        part.moment[ours], reference.moment[theirs], return_indices=True
    )
    unlike = part.attempts.passed[ours][a] != reference.attempts.passed[theirs][b]
    return share(int(unlike.sum()), len(unlike))


def _same(frame: Frame, known: Answers, part: _Part) -> Share:
    """Return how often two answers to one prompt are equal, the mean over prompts.

    Prompts are those of this segment, answers those of all turns.
    """
    mine = frame.marks(lambda kind: kind.provider == part.provider)
    rows = np.flatnonzero(mine & frame.ok & known.cold & (known.words >= 0))
    rows = rows[np.isin(frame.prompt[rows], frame.prompt[part.rows])]
    _, prompt, n = np.unique(
        frame.prompt[rows], return_inverse=True, return_counts=True
    )
    again = (n[prompt] > 1) & (frame.prompt[rows] != 0)
    said: dict[int, Counter[int]] = {}
    pairs = prompt[again].tolist(), known.words[rows][again].tolist()
    for asked, words in zip(*pairs, strict=True):
        said.setdefault(asked, Counter())[words] += 1
    shares = []
    for counts in said.values():
        of = counts.total() * (counts.total() - 1)
        shares.append(sum(k * (k - 1) for k in counts.values()) / of)
    return mean_share(np.array(shares, dtype=np.float64))


def _steps(frame: Frame, known: Answers, part: _Part) -> Steps | None:
    if part.session is None:
        return None
    ok = frame.ok[part.rows]
    solved = part.judged & (part.attempts.passed == 1)
    return steps(known, part.rows[ok], solved, part.session[ok])


def _faults(verdicts: Sequence[Verdicts]) -> Iterator[Fault]:
    """Yield what came of each check, what failed most first."""
    counts: dict[str, Counter[int | None]] = {}
    for each in verdicts:
        counts.setdefault(each.name, Counter())[each.passed] += each.n
    found = [
        Fault(check=name, n_made=n[0] + n[1], n_failed=n[0], n_unmade=n[None])
        for name, n in counts.items()
    ]
    yield from sorted(found, key=lambda each: (-each.n_failed, each.check))
