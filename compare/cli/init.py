"""`h2h init`: write a commented job file to start from."""

from pathlib import Path

import click

TEMPLATE = """\
# A job for head-to-head. Run it with:  h2h run job.toml
# See what it would send and cost first:  h2h run job.toml --dry-run
# Everything commented out shows its default or an example.

# What must hold, or the run ends with 99. It stands above the first table.
# thresholds = ["errors<1%", "ourtoken.ttft:p(95)<1500ms"]

# --------------------------------------------------------------------- hosts
# Each host is asked the same questions at the same moments. A known host needs
# only its name (h2h providers lists them). Keys are never written here: each host
# names the environment variable that holds its key.

[[provider]]
name = "ourtoken"                  # reads OURTOKEN_API_KEY

[[provider]]
name = "zai"                       # reads ZAI_API_KEY

# OpenRouter is a host only when pinned to one upstream; unpinned it is another
# product, named openrouter-auto.
# [[provider]]
# name = "openrouter@deepinfra/fp8"  # reads OPENROUTER_API_KEY
# price = { input = "0.95", output = "3.00", cache_read = "0.18" }  # USD per 1M

# Any other OpenAI-compatible host needs its address and model.
# [[provider]]
# name = "my-vllm"
# base_url = "http://127.0.0.1:8000/v1"
# model = "zai-org/GLM-5.2"
# pin = "deepinfra/fp8"            # the upstream that a router must use
# dialect = "generic"              # generic | ourtoken | openrouter | zai
# api_key_env = "VLLM_API_KEY"     # leave out to send no Authorization header
# price = { input = "0", output = "0" }  # your own; a budget needs a price
# effort = "off"                   # off | default | high | max; the scenario goes first
# effort_style = "chat_template_kwargs"  # how this host spells an effort
# max_tokens_field = "max_tokens"  # or max_completion_tokens
# stream_usage = "include_usage"   # or always: sends token counts unasked
# rpm = 60                         # the key's requests a minute: a ceiling, no pace
# concurrency = 8                  # the most requests at once
# headers = { x-team = "search", x-other-key = "env:OTHER_KEY" }
# extra_body = { service_tier = "priority" }
# ca_file = "/etc/ssl/my-ca.pem"
# proxy = "http://127.0.0.1:3128"
# allow_private = true             # its name resolves to a private address

# ----------------------------------------------------------------- scenarios
# A built-in one (h2h scenarios), or the path of a TOML file or of a JSONL with one
# {"messages": [...], "expected": "..."} a line. Keys beside `name` override it.

[[scenario]]
name = "chat-1k"
# max_tokens = 256
# effort = "off"
# temperature = 0.0
# stream = true

# ---------------------------------------------------------------------- load
[load]
concurrency = 4                    # blocks in flight; [1, 8, 64] makes load steps
max_requests = 100                 # measured blocks a scenario and step
# rate = 2.0                       # blocks a second: an open loop
# arrival = "constant"             # constant | poisson | gamma
# burstiness = 1.0                 # the shape of gamma arrivals
# duration = "60s"                 # instead of, or on top of, max_requests
# warmup = 0                       # blocks sent first and not measured
# ramp = "2s"                      # opens slots, or raises the rate, over this time
# seed = 0
# connection = "warm"              # cold opens a connection for every request
# unpaired = false                 # true frees the hosts from each other
# workers = 1                      # processes that share the load

[budget]
run = 1.00                         # USD; stops before it could be exceeded
# day = 5.00                       # USD a day (UTC), counted from the database

# [deadlines]                      # defaults
# connect = "10s"
# headers = "60s"
# first_token = "300s"
# token_gap = "60s"                # between data events; comments do not count
# total = "900s"

# [slo]                            # what a good request keeps, in ms: goodput
# ttft = 500
# tpot = 50

# [probe]                          # for h2h probe
# every = "5m"
# connection = "warm"              # cold opens a connection for every request
"""


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("job.toml"),
    show_default=True,
    help="Where to write it; - prints it.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(output: Path, force: bool) -> None:
    """Write a commented job file with every key there is."""
    if str(output) == "-":
        click.echo(TEMPLATE, nl=False)
        return
    from compare.run.mistakes import JobError

    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise JobError(f"{output} exists; --force overwrites it") from None
    except OSError as error:
        raise JobError(f"{output}: cannot be written ({error.strerror})") from None
    click.echo(f"wrote {output}; edit it, export the keys it names, then:")
    click.echo(f"  h2h doctor {output}\n  h2h run {output} --dry-run")
