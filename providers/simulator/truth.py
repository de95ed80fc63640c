"""The log of truth: what a simulated host really sent, and when."""

from pathlib import Path
from time import perf_counter_ns

import msgspec

from providers.reply import Kind
from providers.simulator.bill import Counts, cost_usd
from providers.simulator.profile import Profile


class TruthRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the host knows it.

    Stamps are `perf_counter_ns`, taken just before the bytes are written; on Linux
    that clock is one for all processes. None: never reached. `received_ns` is when
    the complete request body had been read, `end_ns` when the host was done with
    it. `chunk_ns` has one stamp for each event that carried tokens. `n_tokens` is
    what was written; the four counts are what is billed, None for a request that
    was refused. `cost_usd` is None when the profile has no price. `finish_reason`
    is None when none was sent.
    """

    index: int
    profile: str
    status: int | None
    fault: str | None
    request_id: str | None
    response_id: str | None
    received_ns: int
    headers_ns: int | None
    first_reasoning_ns: int | None
    first_token_ns: int | None
    first_answer_ns: int | None
    last_token_ns: int | None
    end_ns: int
    chunk_ns: tuple[int, ...]
    n_tokens: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    finish_reason: str | None


class Witness:
    """Sees one request through and then tells what happened."""

    def __init__(self, index: int, request_id: str | None) -> None:
        """Start now: the request's body has just been read."""
        self.index = index
        self.request_id = request_id
        self.received_ns = perf_counter_ns()
        self.status: int | None = None
        self.fault: str | None = None
        self.response_id: str | None = None
        self.counts: Counts | None = None
        self._headers_ns: int | None = None
        self._chunks: list[tuple[int, Kind, int]] = []
        self._finish: str | None = None

    def headers(self) -> None:
        """Stamp the headers; call it just before they are written."""
        self._headers_ns = perf_counter_ns()

    def chunk(self, kind: Kind, tokens: int, finish: str | None) -> None:
        """Stamp one piece of the body; call it just before it is written."""
        if tokens:
            self._chunks.append((perf_counter_ns(), kind, tokens))
        self._finish = finish or self._finish

    def row(self, profile: Profile) -> TruthRow:
        """Return the truth about the request, which ends now."""
        chunks = self._chunks
        billed = self._billed()
        thought = next((at for at, kind, _ in chunks if kind is Kind.REASONING), None)
        said = next((at for at, kind, _ in chunks if kind is not Kind.REASONING), None)
        return TruthRow(
            index=self.index,
            profile=profile.name,
            status=self.status,
            fault=self.fault,
            request_id=self.request_id,
            response_id=self.response_id,
            received_ns=self.received_ns,
            headers_ns=self._headers_ns,
            first_reasoning_ns=thought,
            first_token_ns=chunks[0][0] if chunks else None,
            first_answer_ns=said,
            last_token_ns=chunks[-1][0] if chunks else None,
            end_ns=perf_counter_ns(),
            chunk_ns=tuple(at for at, _, _ in chunks),
            n_tokens=sum(tokens for _, _, tokens in chunks),
            prompt_tokens=billed.prompt if billed else None,
            cached_tokens=billed.cached if billed else None,
            completion_tokens=billed.completion if billed else None,
            reasoning_tokens=billed.reasoning if billed else None,
            cost_usd=cost_usd(profile.price, billed),
            finish_reason=self._finish,
        )

    def _billed(self) -> Counts | None:
        """Return the counts to bill: of a broken answer only what was sent."""
        if self.counts is None or self._finish:
            return self.counts
        thought = sum(n for _, kind, n in self._chunks if kind is Kind.REASONING)
        return msgspec.structs.replace(
            self.counts,
            completion=sum(tokens for _, _, tokens in self._chunks),
            reasoning=thought,
        )


class TruthLog:
    """Keeps the rows in memory and, where a file is given, appends them as JSONL."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Open the file, if any. Raises OSError when it cannot be appended to."""
        self.rows: list[TruthRow] = []
        # Unbuffered: a row is one write, so hosts that share a file never mix lines
        # and a killed host loses nothing.
        self._file = Path(path).open("ab", buffering=0) if path else None  # noqa: SIM115 - closed by close()

    def add(self, row: TruthRow) -> None:
        """Keep one row."""
        self.rows.append(row)
        if self._file is not None:
            self._file.write(msgspec.json.encode(row) + b"\n")

    def close(self) -> None:
        """Close the file; the rows stay."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_truth(path: str | Path) -> list[TruthRow]:
    """Return the rows of a truth file, in the order in which the requests ended.

    A last line that its host is still writing is left out.
    """
    lines = Path(path).read_bytes().rpartition(b"\n")[0].splitlines()
    return [msgspec.json.decode(line, type=TruthRow) for line in lines]
