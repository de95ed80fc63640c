"""Which hosts a job measures: those of its file, or the flags' choice among them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from compare.run.hosts import HostTable, ad_hoc, table_of
from compare.run.hosts import variable_name as _variable
from compare.run.mistakes import JobError
from providers.registry import endpoints, nearest


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said of hosts; None or empty leaves the file's word.

    `names` are NAME or NAME=BASE_URL; `model` and `dialect` are for hosts given by
    address; `keys` are VARIABLE or NAME=VARIABLE.
    """

    names: tuple[str, ...] = ()
    model: str | None = None
    dialect: str | None = None
    keys: tuple[str, ...] = ()


def chosen(rows: list[dict[str, Any]], choice: Choice, where: str) -> list[HostTable]:
    """Return the chosen hosts in order: the command line's, or all of the file's.

    `rows` are the file's [[provider]] tables. Raises JobError for an unknown host, one
    named twice, and for none at all.
    """
    in_file = {}
    for number, row in enumerate(rows, 1):
        each = table_of(row, f"{where}: provider {row.get('name', number)}")
        in_file[each.name] = each
    if len(in_file) < len(rows):
        refuse_twice([row["name"] for row in rows])
    if not choice.names:
        if not in_file:
            raise JobError(
                f"{where}: no host to measure: name some with -p NAME or "
                "-p NAME=BASE_URL, or in [[provider]] of a job file (h2h providers "
                "lists the known ones; h2h demo needs none)"
            )
        tables = list(in_file.values())
    else:
        tables = [_from_flag(text, in_file, choice, where) for text in choice.names]
    return _with_key_names(tables, choice)


def _from_flag(
    text: str, in_file: Mapping[str, HostTable], choice: Choice, where: str
) -> HostTable:
    name, url = ad_hoc(text)
    if url is not None:
        return HostTable(
            name=name,
            base_url=url,
            model=choice.model,
            dialect=choice.dialect or "generic",
        )
    if name in in_file:
        return in_file[name]
    if in_file and name not in endpoints() and not name.startswith("openrouter@"):
        hint = nearest(name, [*in_file, *endpoints()])
        raise JobError(f"-p {name}: neither in {where} nor known: {hint}")
    listed = endpoints().get(name)
    wants_model = listed is not None and not listed.model
    return HostTable(name=name, model=choice.model if wants_model else None)


def _with_key_names(tables: list[HostTable], choice: Choice) -> list[HostTable]:
    """Apply --api-key-env: NAME=VAR, or VAR alone for the one ad-hoc host."""
    named: dict[str, str] = {}
    for text in choice.keys:
        name, equals, variable = text.partition("=")
        if not equals:
            own = [ad_hoc(each)[0] for each in choice.names if "=" in each]
            if len(own) != 1:
                raise JobError(
                    f"--api-key-env needs NAME=VARIABLE with {len(own)} ad-hoc hosts"
                )
            name, variable = own[0], text
        named[name] = _variable(variable, "--api-key-env")
    for name in named:
        if name not in {table.name for table in tables}:
            hint = nearest(name, [table.name for table in tables])
            raise JobError(f"--api-key-env {name}: no such host in this run: {hint}")
    return [
        msgspec.structs.replace(table, api_key_env=named[table.name])
        if table.name in named
        else table
        for table in tables
    ]


def refuse_twice(names: list[str]) -> None:
    """Raise JobError when two hosts have one name."""
    for name in names:
        if names.count(name) > 1:
            raise JobError(f"host {name!r} is named twice: give one another name")
