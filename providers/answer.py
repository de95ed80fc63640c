"""What the chunks of one response add up to: text, calls, usage and their moments."""

from array import array
from collections.abc import Sequence

import msgspec

from providers.calls import Calls
from providers.dialect import Delta, Dialect, Problem
from providers.frame import Run
from providers.outcome import Blame, Flag, Outcome
from providers.plainchunk import PlainChunk
from providers.reply import Kind, Usage
from providers.usage import completed

OTHER, CONTENT, REASONING, TOOL = Kind  # a lookup on an enum is slow, and this is hot


class Answer:
    """The sum of the chunks so far.

    Of `n_events` chunks `n_read` said something, `n_bad` could not be read,
    `n_foreign` were no part of a chat answer and `n_content` carried output. `n_chars`
    of text and arguments are kept. `moments` and `kinds` are the stamp and the Kind of
    each chunk.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._closing = False
        self._n_counted = 0
        """How many chunks had carried output at the last usage."""
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.calls = Calls()
        self.moments, self.kinds = array("q"), bytearray()
        self.stamps: dict[str, int] = {}
        self.flags: set[Flag] = set()
        self.finish: str | None = None
        self.usage: Usage | None = None
        self.usage_odd = False
        self.problem: Problem | None = None
        self.id: str | None = None
        self.model: str | None = None
        self.upstream: str | None = None
        self.fingerprint: str | None = None
        self.n_read = 0
        self.n_bad = 0
        self.n_foreign = 0
        self.n_content = 0
        self.n_chars = 0

    @property
    def n_events(self) -> int:
        """Return how many chunks came."""
        return len(self.kinds)

    @property
    def timeline(self) -> tuple[tuple[int, int], ...]:
        """Return the moment and the Kind of each chunk."""
        return tuple(zip(self.moments, self.kinds, strict=True))

    @property
    def foreign(self) -> bool:
        """Return whether something came, and none of it was of a chat answer."""
        return 0 < self.n_events == self.n_foreign

    @property
    def answered(self) -> bool:
        """Return whether there is any answer: text or a tool call."""
        return bool(self.content) or bool(self.calls)

    def take(self, at: int, delta: Delta) -> None:
        """Add what one chunk says, stamped at the moment it arrived."""
        if delta.id != self.id or delta.model != self.model:
            self._identity(delta.id, delta.model)
        if delta.upstream is not None:
            self.upstream = delta.upstream
        if delta.fingerprint is not None:
            self.fingerprint = delta.fingerprint
        kind = self._output(at, delta)
        self.moments.append(at)
        self.kinds.append(kind)
        self.n_foreign += delta.foreign
        if delta.odd:
            self.bad()
        if delta.problem is not None:
            self._take_problem(delta.problem)
        if delta.finish is not None:
            self._take_finish(delta.finish)
        if delta.usage is not None:
            self._take_usage(at, delta.usage, odd=delta.usage_odd)
            self._closing |= not kind and self.n_content > 0
        if kind or delta.finish or delta.usage or delta.problem or delta.id:
            self.n_read += 1

    def take_plain(self, stamps: Sequence[int], chunks: list[PlainChunk]) -> None:
        """Add plain chunks, each stamped at the moment it arrived; as `take` would."""
        deltas = [chunk.choices[0].delta for chunk in chunks]
        thoughts = [delta.reasoning_content or delta.reasoning for delta in deltas]
        texts = [delta.content for delta in deltas]
        kinds = [CONTENT if text else REASONING if thought else OTHER
                 for text, thought in zip(texts, thoughts, strict=True)]  # fmt: skip
        self._keep(self.content, texts)
        self._keep(self.reasoning, thoughts)
        if any(thoughts):
            first = next(n for n, thought in enumerate(thoughts) if thought)
            self.stamps.setdefault("first_reasoning", stamps[first])
        for chunk in chunks:
            self._who(chunk)
        self._count(stamps, bytes(kinds), named=bool(chunks[-1].id))

    def take_run(self, stamps: Sequence[int], run: Run) -> None:
        """Add a run of like chunks, each stamped at the moment it arrived."""
        kind, texts = run.kind, run.texts
        self._keep(self.content if kind is CONTENT else self.reasoning, texts)
        kinds = bytes((kind,)) * len(texts)
        if not all(texts):
            kinds = bytes([kind if text else OTHER for text in texts])
        self._who(run.chunk)
        first = self._count(stamps, kinds, named=bool(run.chunk.id))
        if kind is REASONING and first is not None:
            self.stamps.setdefault("first_reasoning", first)

    def _keep(self, kept: list[str], texts: Sequence[str | None]) -> None:
        """Keep the texts that are any."""
        found = list(filter(None, texts))
        kept += found
        self.n_chars += len("".join(found))

    def _who(self, chunk: PlainChunk) -> None:
        if chunk.id != self.id or chunk.model != self.model:
            self._identity(chunk.id, chunk.model)
        self.upstream = chunk.provider or self.upstream
        self.fingerprint = chunk.system_fingerprint or self.fingerprint

    def _count(self, stamps: Sequence[int], kinds: bytes, *, named: bool) -> int | None:
        """Add plain chunks to the course; return when their first output came."""
        self.moments.extend(stamps)
        self.kinds += kinds
        n_output = len(kinds) - kinds.count(OTHER)
        # A chunk that names no id and carries no output says nothing.
        self.n_read += len(kinds) if named else n_output
        if not n_output:
            return None
        self.n_content += n_output
        first = stamps[len(kinds) - len(kinds.lstrip(b"\0"))]
        self.stamps.setdefault("first_token", first)
        self.stamps["last_token"] = stamps[len(kinds.rstrip(b"\0")) - 1]
        answer = kinds.find(CONTENT)
        if answer >= 0:
            self.stamps.setdefault("first_answer", stamps[answer])
        return first

    def bad(self) -> None:
        """Note an event that cannot be read."""
        self.n_bad += 1
        self.flags.add(Flag.BAD_EVENT)

    def _identity(self, id_: str | None, model: str | None) -> None:
        """Keep the first id and model; note when a later chunk has others."""
        if id_ and id_ != self.id:
            if self.id is not None:
                self.flags.add(Flag.ID_CHANGED)
            self.id = self.id or id_
        if model and model != self.model:
            if self.model is not None:
                self.flags.add(Flag.MODEL_CHANGED)
            self.model = self.model or model

    def _output(self, at: int, delta: Delta) -> Kind:
        """Keep the output of a chunk and its moments; return what kind it was."""
        kind = OTHER
        stamps = self.stamps
        self.n_chars += len(delta.content) + len(delta.reasoning)
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
            stamps.setdefault("first_reasoning", at)
            kind = REASONING
        if delta.tools:
            for part in delta.tools:
                self.calls.add(part)
                self.n_chars += len(part.arguments)
            kind = TOOL
        if delta.content:
            self.content.append(delta.content)
            kind = CONTENT
        if delta.beside and not kind:
            kind = CONTENT
        if kind:
            self.n_content += 1
            stamps.setdefault("first_token", at)
            stamps["last_token"] = at
            if kind is not REASONING:
                stamps.setdefault("first_answer", at)
                if self.finish is not None and not delta.beside:
                    self.flags.add(Flag.CONTENT_AFTER_FINISH)
        return kind

    def _take_problem(self, problem: Problem) -> None:
        """Keep the first error; it is late when the answer had already ended."""
        if self._closing:
            self.flags.add(Flag.LATE_ERROR)
        self.problem = self.problem or problem

    def _take_finish(self, finish: str) -> None:
        if self.finish is not None and self.finish != finish:
            self.flags.add(Flag.FINISH_TWICE)
        self.finish = finish
        meant = self._dialect.finish_outcome(finish)
        if meant is not Outcome.PROVIDER_ERROR:
            self._closing = True
        elif self.problem is None:
            self._take_problem(
                Problem(
                    outcome=meant,
                    blame=Blame.PROVIDER,
                    code=finish,
                    message=f"finish_reason {finish}",
                )
            )

    def _take_usage(self, at: int, new: Usage, *, odd: bool) -> None:
        """Keep the last word on each count; note when there were several of one."""
        old = self.usage
        if old is not None:
            self._compare(old.completion_tokens, new.completion_tokens)
            if Flag.USAGE_CUMULATIVE in self.flags:
                new = msgspec.structs.replace(new, source="per_chunk")
            if not odd:
                new = completed(new, old, current=self._n_counted == self.n_content)
        self.usage = new
        self.usage_odd |= odd
        self._n_counted = self.n_content
        self.stamps["usage"] = at

    def _compare(self, before: int | None, after: int | None) -> None:
        if (before is None) != (after is None):
            return  # one leaves out what the other states
        before, after = before or 0, after or 0
        if after < before:
            self.flags.add(Flag.USAGE_DECREASING)
        elif after > before:
            self.flags.add(Flag.USAGE_CUMULATIVE)
            self.flags.discard(Flag.USAGE_TWICE)
        elif Flag.USAGE_CUMULATIVE not in self.flags:
            self.flags.add(Flag.USAGE_TWICE)
