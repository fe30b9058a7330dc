#!/usr/bin/env python3
"""hyperqueue-sweep.py SCENARIO SEEDS OUT: a sweep by deploy/hyperqueue/sweep.py, of which a worker dies half way.

The workers of a LocalCluster are threads of this process, so a worker dies by the end of its connection: the server sees
the same as if its machine were gone. Fails unless a range ran a second time. The exit code is that of the merge.
"""

import contextlib
import os
import runpy
import socket
import sys
import time
from pathlib import Path

from hyperqueue import LocalCluster
from hyperqueue.cluster import WorkerConfig

DEPLOYED = runpy.run_path("deploy/hyperqueue/sweep.py", run_name="deployed")
RANGES = 12
DEADLINE_SECONDS = 300


def connections() -> set[int]:
    """The descriptors of this process that are TCP connections."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.family == socket.AF_INET and one.getpeername():
                    found.add(int(name))
        except OSError:
            continue
    return found


def wait_until(what: str, holds) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"failed: after {DEADLINE_SECONDS} seconds, it does not hold that {what}")
        time.sleep(0.02)


def main() -> int:
    scenario, seeds, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]).resolve()
    out.mkdir(parents=True)
    job = DEPLOYED["sweep"](scenario, seeds, out, RANGES)
    with LocalCluster() as cluster:
        before = connections()
        cluster.start_worker(WorkerConfig(cores=1))
        wait_until("a worker is connected", lambda: connections() - before)
        doomed = connections() - before
        client = cluster.client()
        submitted = client.submit(job)
        # Range 0 is that of the only worker.
        first = out / "0-0.json"
        wait_until("a range runs", lambda: first.exists() and first.read_bytes().count(b'{"seed"') >= 5)
        for number in doomed:
            # Both ends are in this process. The other one closes as soon as the first has ended.
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as one:
                one.shutdown(socket.SHUT_RDWR)
        if b'{"summary"' in first.read_bytes():
            sys.exit("failed: the range had ended before its worker died: give it more seeds")
        for _ in range(2):
            cluster.start_worker(WorkerConfig(cores=1))
        client.wait_for_jobs([submitted], raise_on_error=False)
    if not (out / "0-1.json").exists():
        sys.exit("failed: the range of the dead worker did not run again")
    print("ran again:", *sorted(file.name for file in out.glob("*-1.json")), flush=True)
    return DEPLOYED["merge"](out)


if __name__ == "__main__":
    sys.exit(main())
