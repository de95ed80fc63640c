"""What the chunks of one response add up to: text, calls, usage and their moments."""

from collections.abc import Sequence

import msgspec

from providers.alike import Run
from providers.calls import Calls
from providers.dialect import Delta, Dialect, Problem
from providers.outcome import Blame, Flag, Outcome
from providers.plainchunk import PlainChunk
from providers.reply import Kind, Usage
from providers.usage import completed

OTHER, CONTENT, REASONING, TOOL = Kind  # a lookup on an enum is slow, and this is hot


class Answer:
    """The sum of the chunks so far.

    Of `n_events` chunks `n_read` said something, `n_bad` could not be read and
    `n_content` carried output. `n_chars` of text and arguments are kept.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._closing = False
        self._n_counted = 0
        """How many chunks had carried output at the last usage."""
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.calls = Calls()
        self.timeline: list[tuple[int, int]] = []
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
        self.n_events = 0
        self.n_read = 0
        self.n_bad = 0
        self.n_content = 0
        self.n_chars = 0

    @property
    def answered(self) -> bool:
        """Return whether there is any answer: text or a tool call."""
        return bool(self.content) or bool(self.calls)

    def take(self, at: int, delta: Delta) -> None:
        """Add what one chunk says, stamped at the moment it arrived."""
        self.n_events += 1
        if delta.id != self.id or delta.model != self.model:
            self._identity(delta.id, delta.model)
        if delta.upstream is not None:
            self.upstream = delta.upstream
        if delta.fingerprint is not None:
            self.fingerprint = delta.fingerprint
        kind = self._output(at, delta)
        self.timeline.append((at, kind))
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

    def take_plain(self, stamps: list[int], chunks: list[PlainChunk]) -> None:
        """Add plain chunks, each stamped at the moment it arrived; as `take` would."""
        deltas = [chunk.choices[0].delta for chunk in chunks]
        thoughts = [delta.reasoning_content or delta.reasoning for delta in deltas]
        texts = [delta.content for delta in deltas]
        kinds = [CONTENT if text else REASONING if thought else OTHER
                 for text, thought in zip(texts, thoughts, strict=True)]  # fmt: skip
        self.content += filter(None, texts)
        self.reasoning += filter(None, thoughts)
        self.n_chars += sum(map(len, filter(None, [*texts, *thoughts])))
        for chunk in chunks:
            self._who(chunk)
        self._count_plain(stamps, kinds, named=bool(chunks[-1].id))
        self._stamp_plain(stamps, kinds, thoughts)

    def take_run(self, stamps: list[int], run: Run) -> None:
        """Add a run of like chunks, each stamped at the moment it arrived."""
        kind, texts = run.kind, run.texts
        kinds = [kind if text else OTHER for text in texts]
        (self.content if kind is CONTENT else self.reasoning).extend(
            filter(None, texts)
        )
        self.n_chars += sum(map(len, texts))
        self._who(run.chunk)
        self._count_plain(stamps, kinds, named=bool(run.chunk.id))
        self._stamp_plain(stamps, kinds, texts if kind is REASONING else ())

    def _who(self, chunk: PlainChunk) -> None:
        if chunk.id != self.id or chunk.model != self.model:
            self._identity(chunk.id, chunk.model)
        self.upstream = chunk.provider or self.upstream
        self.fingerprint = chunk.system_fingerprint or self.fingerprint

    def _count_plain(
        self, stamps: list[int], kinds: list[Kind], *, named: bool
    ) -> None:
        self.timeline += zip(stamps, kinds, strict=True)
        n_output = len(kinds) - kinds.count(OTHER)
        self.n_events += len(kinds)
        self.n_content += n_output
        # A chunk that names no id and carries no output says nothing.
        self.n_read += len(kinds) if named else n_output

    def _stamp_plain(
        self, stamps: list[int], kinds: list[Kind], thoughts: Sequence[str | None]
    ) -> None:
        output = [at for at, kind in zip(stamps, kinds, strict=True) if kind]
        if not output:
            return
        known = self.stamps
        known.setdefault("first_token", output[0])
        known["last_token"] = output[-1]
        if "first_answer" not in known and CONTENT in kinds:
            known["first_answer"] = stamps[kinds.index(CONTENT)]
        if "first_reasoning" not in known and any(thoughts):
            known["first_reasoning"] = next(
                at for at, thought in zip(stamps, thoughts, strict=True) if thought
            )

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
