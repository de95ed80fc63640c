"""`h2h doctor`: say whether everything is there that a run needs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from compare.cli.options import db_option, json_option

if TYPE_CHECKING:
    from providers.provider import Provider

# Before these releases SQLite could lose a commit when a WAL file was reset while a
# second connection checkpointed (sqlite.org, release notes of 3.51.3). We write
# through one connection alone, which avoids it.
WAL_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
AIOHTTP_FLOOR = (3, 14, 3)
FILES_WANTED = 4096
CONNECT_S = 5.0


@click.command()
@click.argument("job", required=False, type=click.Path(path_type=Path))
@click.option(
    "--connect",
    is_flag=True,
    help="Also open a TCP connection to each host of the JOB; no request is sent.",
)
@db_option
@json_option
def doctor(job: Path | None, connect: bool, db: Path, as_json: bool) -> int:
    """Check keys, versions and this machine; sends no request.

    With a JOB it checks that job's hosts; without one it only says which keys of
    the known hosts are set.
    """
    found = [*_versions(), *_machine(), *_database(db), *_keys(job)]
    if connect and job is not None:
        found += _connections(job)
    if as_json:
        click.echo(json.dumps([dict(zip(("check", "status", "detail"), f, strict=True))
                               for f in found], indent=2))  # fmt: skip
    else:
        width = max(len(name) for name, _, _ in found)
        for name, status, detail in found:
            click.echo(f"{status:<5} {name:<{width}}  {detail}")
    return 3 if any(status == "fail" for _, status, _ in found) else 0


Finding = tuple[str, str, str]


def _versions() -> Iterator[Finding]:
    import platform
    import sqlite3
    from importlib.metadata import version

    yield "head-to-head", "ok", version("head-to-head")
    yield "python", "ok", platform.python_version()
    aiohttp = version("aiohttp")
    parts = tuple(int(part) for part in aiohttp.split(".")[:3] if part.isdigit())
    good = parts >= AIOHTTP_FLOOR
    yield (
        "aiohttp",
        "ok" if good else "warn",
        aiohttp
        + (
            ""
            if good
            else ": below 3.14.3 an idle connection can fail the next request"
        ),
    )
    sqlite = sqlite3.sqlite_version
    fixed = any(
        sqlite3.sqlite_version_info[:2] == at[:2] and sqlite3.sqlite_version_info >= at
        for at in WAL_FIXED
    ) or sqlite3.sqlite_version_info >= (3, 52, 0)
    note = (
        ""
        if fixed
        else (" (before 3.51.3 a second WRITER could lose commits; h2h keeps to one)")
    )
    yield "sqlite", "ok" if fixed else "warn", sqlite + note


def _machine() -> Iterator[Finding]:
    import os
    from importlib.metadata import PackageNotFoundError, version

    yield "cpus", "ok", str(os.cpu_count())
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = soft >= FILES_WANTED or soft == resource.RLIM_INFINITY
    remedy = (
        "" if enough else f": above {soft - 50} streams raise it (ulimit -n {hard})"
    )
    yield "open files", "ok" if enough else "warn", f"{soft}{remedy}"
    try:
        yield "uvloop", "ok", version("uvloop")
    except PackageNotFoundError:
        yield "uvloop", "warn", "not installed: stamps are coarser under load"


def _database(db: Path) -> Iterator[Finding]:
    import os

    from compare.cli.options import waiting
    from data import query, spool
    from data.store import StoreError

    if not db.exists():
        writable = os.access(db.resolve().parent, os.W_OK)
        status = "ok" if writable else "fail"
        detail = "will be made" if writable else "its folder cannot be written"
        yield "database", status, f"{db}: {detail}"
        return
    try:
        n = len(query.runs(query.open_reader(db)))
        yield "database", "ok", f"{db}: {n} runs"
    except StoreError as error:
        yield "database", "fail", str(error)
    if spool.waits(db):
        yield "database", "warn", waiting(db)
    for kept in spool.torn(db):
        remedy = "resume its run, which sends again what is missing, then remove it"
        yield "database", "warn", f"{kept}: records that cannot be read; {remedy}"


def _keys(job: Path | None) -> Iterator[Finding]:
    """Say of each host whether its key is there; never what it is."""
    import os

    from compare.run.config import Flags, read
    from compare.run.hosts import remarks, with_key
    from compare.run.mistakes import SetupError
    from providers.registry import endpoints

    if job is None:
        for endpoint in endpoints().values():
            variable = endpoint.api_key_env
            if variable and (
                variable in os.environ or f"{variable}_FILE" in os.environ
            ):
                yield f"key of {endpoint.name}", "ok", f"{variable} is set"
        return
    for provider in read(job, Flags()).providers:
        name = f"key of {provider.name}"
        try:
            with_key(provider)
        except SetupError as error:
            yield name, "fail", str(error)
        else:
            told = provider.api_key_env
            yield name, "ok", f"{told} is set" if told else "none wanted"
            yield from ((name, "warn", remark) for remark in remarks(provider))


def _connections(job: Path) -> Iterator[Finding]:
    """Say of each host how long a TCP connection to it takes, where a run may go."""
    from time import perf_counter
    from urllib.parse import urlsplit

    from compare.run.config import Flags, read

    for provider in read(job, Flags()).providers:
        url = urlsplit(provider.proxy or provider.base_url)
        port = url.port or (443 if url.scheme == "https" else 80)
        name, began = f"connection to {provider.name}", perf_counter()
        try:
            _connect(provider, url.hostname or "", port)
        except OSError as error:
            yield name, "fail", f"{url.hostname}:{port}: {error.strerror or error}"
        else:
            took = (perf_counter() - began) * 1e3
            yield name, "ok", f"{url.hostname}:{port} in {took:.0f} ms"


def _connect(provider: "Provider", host: str, port: int) -> None:
    """Connect to the first address of a host that answers, and hang up."""
    import socket

    from providers.egress import PolicyError, refusal

    why = OSError("the name has no address")
    for *_, found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = str(found[0])
        refused = refusal(provider, address)
        try:
            if refused is not None:
                raise PolicyError(refused)
            socket.create_connection((address, port), CONNECT_S).close()
        except OSError as error:
            why = error
        else:
            return
    raise why
