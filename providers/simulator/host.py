"""A simulated host: a real HTTP server on loopback that keeps a log of truth."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from providers.simulator.director import Director
from providers.simulator.faults import Ills
from providers.simulator.frames import encode
from providers.simulator.profile import Profile, dialled, profile_named
from providers.simulator.script import Script
from providers.simulator.skill import Skill
from providers.simulator.truth import TruthLog, TruthRow, Witness
from scenarios.key import Key

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 256 << 20
SHUTDOWN_S = 0.5
FOREVER_S = 365.0 * 86_400
DEFAULT_MODELS = ("glm-5.2",)


class SimulatedHost:
    """One simulated host; use it as an async context manager.

    `fault` strikes a seeded share of the requests, after `fault_after` tokens where
    it strikes inside an answer; a stall lasts `stall_s` seconds, None for as long
    as the client stays. With a `key` requests must carry it as their bearer token;
    with `models` no other model is served. `port` 0 means any free one. The dials
    ttft_ms, gap_ms, tokens, reasoning_tokens and cache_ttl_s replace the profile's
    medians. Questions of `answers` are answered as `skill` allows, others as they
    come. Raises ProviderError on a name or a value that makes no sense, and
    OSError on entering when the port or the truth file cannot be had.
    """

    def __init__(
        self,
        profile: str | Profile = "generic",
        *,
        seed: int = 1,
        fault: str | None = None,
        fault_share: float = 1.0,
        fault_after: int = 5,
        stall_s: float | None = None,
        key: str | None = None,
        models: tuple[str, ...] | None = None,
        port: int = 0,
        truth_file: str | Path | None = None,
        ttft_ms: float | None = None,
        gap_ms: float | None = None,
        tokens: int | None = None,
        reasoning_tokens: int | None = None,
        cache_ttl_s: float | None = None,
        skill: Skill | None = None,
        answers: Key | None = None,
    ) -> None:
        """Set the host up; nothing listens until it is entered."""
        self.profile = dialled(
            profile_named(profile) if isinstance(profile, str) else profile,
            ttft_ms=ttft_ms,
            gap_ms=gap_ms,
            tokens=tokens,
            reasoning_tokens=reasoning_tokens,
            cache_ttl_s=cache_ttl_s,
        )
        ills = Ills(fault=fault, share=fault_share, after=fault_after)
        self._director = Director(
            self.profile,
            seed=seed,
            ills=ills,
            key=key,
            models=models,
            skill=skill,
            answers=answers,
        )
        self._stall_s = stall_s
        self._port = port
        self._truth_file = truth_file
        self._log = TruthLog()
        self._n_received = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Return the URL to give to a client, such as http://127.0.0.1:8000/v1."""
        return f"http://{LOOPBACK}:{self._port}{self.profile.prefix}"

    @property
    def truth(self) -> list[TruthRow]:
        """Return the rows so far, in the order in which the requests ended."""
        return self._log.rows

    async def __aenter__(self) -> Self:
        self._log = TruthLog(self._truth_file)
        # A client that hangs up cancels its handler: otherwise a stalled request
        # would stay in flight, and slow the others, for ever.
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_S,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        except OSError:
            await self._close()
            raise
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        self._log.close()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post(f"{self.profile.prefix}/chat/completions", self._chat)
        app.router.add_get("/health", _health)
        if self.profile.lists_models:
            app.router.add_get(f"{self.profile.prefix}/models", self._list_models)
        app.router.add_route("*", "/{path:.*}", self._unknown_path)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self._n_received += 1
        witness = Witness(self._n_received, request.headers.get("X-Request-Id"))
        task = asyncio.current_task()
        if task is None:  # cannot be; said for the type checker
            raise RuntimeError("a handler runs in a task")
        self._tasks.add(task)
        try:
            script = self._director.script(
                raw, request.headers.get("Authorization"), len(self._tasks), witness
            )
            return await self._play(request, script, witness)
        finally:
            self._tasks.discard(task)
            self._log.add(witness.row(self.profile))

    async def _play(
        self, request: web.Request, script: Script, witness: Witness
    ) -> web.StreamResponse:
        """Send a script, each step at its own moment and stamped as it is written."""
        response = web.StreamResponse(status=script.status, headers=script.headers)
        response.headers["Content-Type"] = script.content_type
        response.headers["Server"] = self.profile.server
        response.content_length = script.length
        start_ns = witness.received_ns
        await _until(start_ns + script.headers_at_ns)
        witness.headers()
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the client may be gone
            for step in script.steps:
                await _until(start_ns + step.at_ns)
                if step.act == "write":
                    witness.chunk(step.kind, step.tokens, step.finish)
                    await response.write(step.data)
                elif step.act == "stall":
                    start_ns += await self._stall()
                else:
                    _disconnect(request.transport, reset=step.act == "reset")
                    return response
            await response.write_eof()
        return response

    async def _stall(self) -> int:
        """Be silent as long as this host stalls; return how long that was, in ns."""
        began = perf_counter_ns()
        await asyncio.sleep(FOREVER_S if self._stall_s is None else self._stall_s)
        return perf_counter_ns() - began

    async def _list_models(self, _request: web.Request) -> web.Response:
        models = self._director.models or DEFAULT_MODELS
        return _json(
            encode({"object": "list", "data": [self._model(m) for m in models]})
        )

    def _model(self, name: str) -> dict[str, Any]:
        model: dict[str, Any] = {"id": name, "object": "model", "created": 0}
        price = self.profile.price
        if price is not None:
            # USD per token, as decimal strings.
            model["pricing"] = {
                "prompt": f"{price.input / 1e6:.10f}",
                "completion": f"{price.output / 1e6:.10f}",
                "input_cache_read": f"{price.cached / 1e6:.10f}",
            }
        return model

    async def _unknown_path(self, request: web.Request) -> web.Response:
        message = f"Invalid URL ({request.method} {request.path})"
        script = self._director.refused("unknown_path", "none", message)
        return _json(script.steps[0].data, script.status)


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


async def _health(_request: web.Request) -> web.Response:
    return _json(b'{"status":"ok"}')


async def _until(at_ns: int) -> None:
    """Wait for a moment of the monotonic clock; return at once if it has passed."""
    left_ns = at_ns - perf_counter_ns()
    if left_ns > 0:
        await asyncio.sleep(left_ns / 1e9)


def _disconnect(transport: asyncio.Transport | None, *, reset: bool) -> None:
    """Close a connection in the middle of an answer, with FIN or with RST."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if reset and sock is not None:
        # Not to linger at all is what makes closing send RST instead of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    transport.close()
