"""The entry point: verbs load when they are called, and every error is one line."""

import contextlib
import io
import os
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import click

from compare.cli.leave import drop_output

# Each verb is one module of this package with a command of the same name, loaded
# only when it is called, so that `h2h --help` stays fast.
VERBS: dict[str, str] = {
    "demo": "Compare three simulated hosts: no key, under a minute.",
    "run": "Run a load test or comparison.",
    "runs": "List runs, or remove one.",
    "show": "Show one run's summary.",
    "compare": "Contrast the hosts of a run, or two runs.",
    "chart": "Draw a run's charts.",
    "report": "Write a comparison as one page of HTML.",
    "export": "Write rows or a summary to a file.",
    "probe": "Measure on a schedule, in the foreground.",
    "simulate": "Serve a simulated host.",
    "providers": "List the known hosts.",
    "scenarios": "List or show scenarios.",
    "prices": "List prices.",
    "usage": "Show tokens and spend by host, model and day.",
    "init": "Write a commented job file.",
    "doctor": "Check keys, versions and this machine.",
    "selftest": "Prove the bench's accuracy on this machine.",
}


LONGEST_ERROR = 2_000


class Verbs(click.Group):
    """A group that knows its verbs by name and imports them when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"compare.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the verbs from the table, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which known one is nearest."""
        if args[0] not in VERBS:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see h2h --help"
            raise click.UsageError(f"no verb {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(metadata.version("head-to-head"), prog_name="h2h")
def h2h() -> None:
    """Compare hosts of one LLM on your prompts under your load."""


def main(args: list[str] | None = None) -> NoReturn:
    """Run `h2h` and leave with the exit code that its documentation promises."""
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the whole process
    sys.stderr = _heard_or_not(sys.stderr)
    status: Any = 0
    try:
        args = sys.argv[1:] if args is None else args
        _refuse_mangled(args)
        status = h2h.main(args=args, prog_name="h2h", standalone_mode=False)
        sys.stdout.flush()  # else a reader that left is found when it is too late
    except click.exceptions.Exit as leave:
        status = leave.exit_code
    except click.Abort:
        status = 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        status = 0
    except click.ClickException as error:
        status = _say(_words(error), error.exit_code)
    except (BrokenPipeError, SystemExit):
        # Verbs return their exit code; only click and rich leave by SystemExit, when
        # the reader of our output has left.
        drop_output()
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        status = _say(f"{place}{error.strerror or error}", 3)
        drop_output()
    except Exception as error:
        from compare.cli.errors import EXIT_CODES, PICTURES

        if type(error) not in EXIT_CODES:
            raise
        picture = PICTURES.get(type(error), 0)
        status = _say(str(error), EXIT_CODES[type(error)], picture)
    sys.exit(status if isinstance(status, int) else 0)


class Heedless(io.TextIOWrapper):
    """A stream that does not mind when nobody reads it any more, or the disk is full.

    What is said beside the results must never stop a run, nor keep it from stopping.
    """

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            super().flush()


def _refuse_mangled(args: list[str]) -> None:
    """Raise UsageError for an argument that is no text: nothing could be stored of it.

    Python keeps bytes that are none in the locale's encoding as halves of surrogates.
    """
    for n, arg in enumerate(args, 1):
        if any("\ud800" <= letter <= "\udfff" for letter in arg):
            raise click.UsageError(
                f"argument {n} is no text in this locale; write it in UTF-8, and set "
                "LANG=C.UTF-8"
            )


def _heard_or_not(stream: Any) -> TextIO:
    """Return a stream for what is said beside the results; None: it was closed."""
    if stream is None:
        return Path(os.devnull).open("w")  # for the whole process
    if type(stream) is not io.TextIOWrapper:
        return cast("TextIO", stream)  # put there by whoever calls us
    encoding = stream.encoding
    return Heedless(
        stream.detach(), encoding, errors="backslashreplace", line_buffering=True
    )


def _words(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    where = f"{context.command_path}: " if context is not None else ""
    return where + " ".join(error.format_message().split())


def _say(message: str, status: int, picture: int = 0) -> int:
    """Print an error on one line, and the last `picture` lines of it as they stand."""
    from compare.show.words import plain

    # Some of it may come from a stranger's file: one line, nothing for the terminal.
    words, *lines = message.rsplit("\n", picture) if picture else [message]
    click.echo(f"error: {plain(words, LONGEST_ERROR)}", err=True)
    for line in lines:
        click.echo("".join(c if c.isprintable() else " " for c in line), err=True)
    return status
