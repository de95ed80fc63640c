"""Fuzz the decoders and the Reader for so many seconds, guided by coverage.

`python -m fuzz SECONDS`. What breaks is kept as a tape under tests/tapes/, where a
normal test replays it from then on; the exit code is then not 0.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["providers"]):
    from fuzz.tape import check

from fuzz import seeds

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / ".fuzz"  # what covered something new, kept for the next time
TAPES = ROOT / "tests" / "tapes"


def main(seconds: int) -> None:
    """Run the fuzzer; it ends the process itself."""
    CORPUS.mkdir(exist_ok=True)
    for n, tape in enumerate(seeds.tapes()):
        (CORPUS / f"seed-{n:03}").write_bytes(tape)
    words = CORPUS / "words"
    words.write_text(seeds.dictionary())
    options = [
        f"-max_total_time={seconds}",
        f"-dict={words}",
        f"-artifact_prefix={TAPES}/",
        "-max_len=2048",
        "-timeout=5",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(CORPUS)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
