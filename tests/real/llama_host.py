"""Serves a GGUF model with llama.cpp in this process until standard input closes."""

import os
import sys

# A thread that spins at each barrier halves the speed of a shared machine. The
# OpenMP library reads this when it is loaded, so it must stand before the import.
os.environ["OMP_WAIT_POLICY"] = "passive"

import xllamacpp

SLOTS = 4
CONTEXT = 2048
"""Tokens of prompt and answer that each slot has room for."""


def params(model: str, threads: int) -> xllamacpp.CommonParams:
    """Return the settings of a small, fair and repeatable host."""
    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.model_alias = {"smollm2"}
    wanted.port = 0  # any free one: asked of the system, so nobody can take it first
    wanted.n_parallel = SLOTS
    wanted.n_ctx = SLOTS * CONTEXT
    wanted.cpuparams.n_threads = threads
    wanted.cpuparams_batch.n_threads = threads
    wanted.endpoint_metrics = True
    wanted.warmup = False
    wanted.ui = False
    # Without these it measures the machine's memory, and copies idle slots there.
    wanted.fit_params = False
    wanted.cache_ram_mib = 0
    # Equal work: every answer is as long as max_tokens, whatever the model would say.
    wanted.sampling.ignore_eos = True
    return wanted


def main() -> None:
    """Load the model, print the address, and wait for the end of standard input."""
    model, threads = sys.argv[1:]
    server = xllamacpp.Server(params(model, int(threads)))
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
