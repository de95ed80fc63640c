"""Serves a GGUF model with llama.cpp in this process until standard input closes."""

import os
import sys

# A thread that spins at each barrier halves the speed of a shared machine. The
# OpenMP library reads this when it is loaded, so it must stand before the import.
os.environ["OMP_WAIT_POLICY"] = "passive"

import xllamacpp


def params(
    model: str, threads: int, slots: int, context: int, *, equal: bool
) -> xllamacpp.CommonParams:
    """Return the settings of a small, fair and repeatable host.

    Each slot has room for `context` tokens of prompt and answer. With `equal` every
    answer is as long as max_tokens, whatever the model would say: equal work.
    """
    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.model_alias = {"smollm2"}
    wanted.port = 0  # any free one: asked of the system, so nobody can take it first
    wanted.n_parallel = slots
    wanted.n_ctx = slots * context
    wanted.use_jinja = True  # without it there are no tools
    wanted.cpuparams.n_threads = threads
    wanted.cpuparams_batch.n_threads = threads
    wanted.endpoint_metrics = True
    wanted.warmup = False
    wanted.ui = False
    # Without these it measures the machine's memory, and copies idle slots there.
    wanted.fit_params = False
    wanted.cache_ram_mib = 0
    wanted.sampling.ignore_eos = equal
    return wanted


def main() -> None:
    """Load the model, print the address, and wait for the end of standard input."""
    model, *numbers = sys.argv[1:]
    threads, slots, context, equal = map(int, numbers)
    server = xllamacpp.Server(params(model, threads, slots, context, equal=bool(equal)))
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
