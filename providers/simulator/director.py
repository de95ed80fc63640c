"""Decides what a simulated host does with each request it receives; no I/O."""

import hmac
import time
from collections import Counter
from hashlib import sha256
from random import Random
from typing import Any

import msgspec

from providers.simulator.answer import Answer, compose
from providers.simulator.asked import Asked, read_asked
from providers.simulator.bill import Counts, usage_object
from providers.simulator.cache import PrefixCache, block_chain
from providers.simulator.faults import BODIES, SLOW_FACTOR, Ills
from providers.simulator.frames import Frames, encode, whole_answer
from providers.simulator.pace import load_factor, queue_ns, token_times
from providers.simulator.profile import Profile
from providers.simulator.refusal import GATEWAY_PAGE, REFUSALS, error_object
from providers.simulator.script import (
    HTML,
    Script,
    no_answer,
    one_body,
    streamed,
    whole,
)
from providers.simulator.skill import Skill, cut, replied
from providers.simulator.truth import Witness
from scenarios.key import Key


class Director:
    """Makes one script a request; remembers the prefixes and bodies it has seen."""

    def __init__(
        self,
        profile: Profile,
        *,
        seed: int,
        ills: Ills,
        key: str | None = None,
        models: tuple[str, ...] | None = None,
        skill: Skill | None = None,
        answers: Key | None = None,
    ) -> None:
        """Start with empty caches. None: any key, or none; any model; no answers."""
        self.profile = profile
        self.models = models
        self._seed = seed
        self._ills = ills
        self._key = key
        self._skill = skill or Skill()
        self._answers = answers
        self._caches = [
            PrefixCache(profile.cache_ttl_s) for _ in range(self._skill.replicas)
        ]
        self._lots = Random(f"{seed}:{profile.name}:replicas")
        self._times_asked: Counter[str] = Counter()

    def script(
        self, raw: bytes, authorization: str | None, in_flight: int, witness: Witness
    ) -> Script:
        """Return what to send for a request body, and tell the witness the facts."""
        digest = sha256(raw).hexdigest()
        response_id = witness.response_id = self._new_id(digest, witness.index)
        script = self._script(raw, digest, authorization, in_flight, witness)
        witness.status = script.status
        headers = dict(_filled(self.profile.ratelimit, in_flight))
        if self.profile.id_header:
            headers[self.profile.id_header] = response_id
        if witness.request_id:
            headers["X-Request-Id"] = witness.request_id
        return msgspec.structs.replace(script, headers=headers | script.headers)

    def refused(self, name: str, response_id: str, message: str = "") -> Script:
        """Return the refusal of that name, in the words of this host."""
        refusal = REFUSALS[name]
        if name == "unknown_model":
            status = self.profile.unknown_model_status
            refusal = msgspec.structs.replace(refusal, status=status)
        if message:
            refusal = msgspec.structs.replace(refusal, message=message)
        headers = {}
        if refusal.status == 429:
            headers = dict(_filled(self.profile.ratelimit_on_refusal, 0))
        body = encode(error_object(self.profile, refusal, response_id, headers))
        if refusal.retry_after_s is not None:
            headers["Retry-After"] = str(refusal.retry_after_s)
        script = one_body(body, status=refusal.status)
        return msgspec.structs.replace(script, headers=headers)

    def _script(
        self,
        raw: bytes,
        digest: str,
        authorization: str | None,
        in_flight: int,
        witness: Witness,
    ) -> Script:
        response_id = witness.response_id or ""
        if not self._accepts(authorization):
            return self.refused("http_401", response_id)
        try:
            asked = read_asked(raw)
        except ValueError as error:
            return self.refused("bad_request", response_id, f"Invalid request: {error}")
        if self.models is not None and asked.model not in self.models:
            message = f"The model {asked.model} does not exist"
            return self.refused("unknown_model", response_id, message)
        fault = witness.fault = self._fault(digest)
        if fault == "http_502_html":
            return one_body(GATEWAY_PAGE, status=502, content_type=HTML)
        if fault in REFUSALS and fault != "mid_stream_error":
            return self.refused(fault, response_id)
        return self._worked(asked, digest, in_flight, witness)

    def _worked(
        self, asked: Asked, digest: str, in_flight: int, witness: Witness
    ) -> Script:
        """Return the response of a request that the model gets to work on."""
        profile, fault = self.profile, witness.fault
        rng = Random(f"{self._seed}:{profile.name}:{digest}")
        read = cut(asked, self._skill)
        reply = None
        if self._answers is not None:
            # Lots of its own: what is asked otherwise, or said, moves no other draw.
            lots = Random(f"{self._seed}:{profile.name}:{digest}:skill")
            reply = replied(read, self._answers, self._skill, lots)
        answer = compose(asked, profile, rng, reply, self._skill.max_tokens)
        counts = self._counted(read, answer)
        load = load_factor(profile, in_flight)
        times = token_times(
            profile,
            rng,
            answer.tokens,
            factor=load * SLOW_FACTOR if fault == "slow" else load,
            cached_share=counts.cached / counts.prompt,
            queued_ns=queue_ns(profile, in_flight),
        )
        if fault == "mid_stream_error" and not asked.stream:
            fault = "error_in_200"
        if fault in BODIES:
            error = encode(self._error_object(witness))
            return no_answer(fault, error, rng, stream=asked.stream, at_ns=times[0])
        witness.counts = counts
        return self._said(asked, answer, times, witness)

    def _said(
        self, asked: Asked, answer: Answer, times: list[int], witness: Witness
    ) -> Script:
        """Return the response that carries an answer, streamed or whole."""
        profile, fault, after = self.profile, witness.fault, self._ills.after
        envelope = _envelope(profile, asked, witness.response_id or "")
        wanted = not asked.stream or asked.include_usage or profile.usage_always
        counts = witness.counts if wanted and fault != "no_usage" else None
        usage = None if counts is None else usage_object(profile, counts)
        if not asked.stream:
            body = whole_answer(profile, envelope, answer, usage)
            return whole(profile, body, answer, times, fault=fault, fault_after=after)
        frames = Frames(profile, envelope, include_usage=asked.include_usage)
        return streamed(
            profile,
            frames,
            answer,
            times,
            end=frames.end(answer.finish, usage),
            error=frames.error(self._error_object(witness)),
            fault=fault,
            fault_after=after,
        )

    def _error_object(self, witness: Witness) -> dict[str, Any]:
        refusal, id_ = REFUSALS["mid_stream_error"], witness.response_id or ""
        return error_object(self.profile, refusal, id_, {})

    def _accepts(self, authorization: str | None) -> bool:
        if self._key is None:
            return True
        given = (authorization or "").encode()
        return hmac.compare_digest(given, f"Bearer {self._key}".encode())

    def _fault(self, digest: str) -> str | None:
        ills = self._ills
        if ills.fault is None:
            return None
        nth = self._times_asked[digest]
        self._times_asked[digest] += 1
        hit = ills.strikes(self._seed, self.profile.name, digest, nth)
        return ills.fault if hit else None

    def _counted(self, asked: Asked, answer: Answer) -> Counts:
        chain = block_chain(asked.model, asked.words)
        cache = self._lots.choice(self._caches)
        cached = cache.cached_tokens(chain)
        cache.remember(chain)
        stated, added = self._skill.inflation, self._skill.system_tokens
        return Counts(
            prompt=max(1, round((asked.prompt_tokens + added) * stated)),
            cached=round(cached * stated),
            completion=round(answer.tokens * stated),
            reasoning=round(answer.reasoning_tokens * stated),
        )

    def _new_id(self, digest: str, index: int) -> str:
        """Return an id that no other request of this host has, but a rerun has again.

        Only its time, where the host puts one in, differs between reruns.
        """
        text = f"{self._seed}:{self.profile.name}:{index}:{digest}"
        return self.profile.id_format.format(
            hex=sha256(text.encode()).hexdigest()[:24],
            created=int(time.time()),
            stamp=time.strftime("%Y%m%d%H%M%S", time.gmtime()),
        )


def _envelope(profile: Profile, asked: Asked, response_id: str) -> dict[str, Any]:
    """Return the fields that stand in every chunk, beside the choices."""
    envelope: dict[str, Any] = {
        "id": response_id,
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked.model,
    }
    if profile.upstream is not None:
        envelope["provider"] = _upstream(profile.upstream, asked.body)
    if profile.fingerprint is not None:
        envelope["system_fingerprint"] = profile.fingerprint
    if profile.id_field is not None:
        envelope[profile.id_field] = response_id
    return envelope


def _upstream(usual: str, body: dict[str, Any]) -> str:
    """Return the upstream that a router would use: the one it is pinned to, if any."""
    routing = body.get("provider")
    only = routing.get("only") if isinstance(routing, dict) else None
    first = only[0] if isinstance(only, list) and only else usual
    return first.split("/")[0] if isinstance(first, str) else usual


def _filled(
    headers: tuple[tuple[str, str], ...], in_flight: int
) -> list[tuple[str, str]]:
    """Return the headers with what they count filled in."""
    facts = {
        "remaining": max(0, 1000 - in_flight),
        "reset_epoch_ms": int(time.time() * 1000) + 60_000,
    }
    return [(name, value.format(**facts)) for name, value in headers]
