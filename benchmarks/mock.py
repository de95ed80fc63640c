"""The C mock host that load benchmarks run against, built and pinned to a core."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).with_name("ssemock.c")


def built() -> Path:
    """Return the mock's binary, building it where there is a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("the load benchmarks need a C compiler (gcc)")
    binary = Path(tempfile.gettempdir()) / f"ssemock-{os.getuid()}"
    if not binary.exists() or binary.stat().st_mtime < SOURCE.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-o", binary, SOURCE], check=True)
    return binary


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mock(*flags: object, core: int | None = None) -> Iterator[str]:
    """Run the mock, on one core if asked; yield its base URL."""
    port = free_port()
    command = [built(), "--port", str(port), *map(str, flags)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait()
