#!/usr/bin/env python3
"""sweep.py SCENARIO SEEDS OUT: a sweep as many small ranges over the workers of HyperQueue, and its merged report.

Needs `pip install hyperqueue`, and the command on the PATH or in WAVETANK. Without --server, it starts a cluster on this
machine. A range whose worker dies runs again, on another one.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from hyperqueue import Client, Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

WAVETANK = os.environ.get("WAVETANK", "wavetank")
# HyperQueue sets both variables. The instance grows if a range runs again, so that nothing is overwritten.
RANGE = 'exec "$0" run "$1" --seeds "$2" --shard "env/$3" --jobs 1 --failures "$4/failures/$HQ_TASK_ID" --json "$4/$HQ_TASK_ID-$HQ_INSTANCE_ID.json"'


def sweep(scenario: str, seeds: str, out: Path, ranges: int) -> Job:
    """The ranges of a sweep. A range that finds a failure has failed, and the others go on."""
    job = Job(max_fails=None, name=f"waves of {scenario}")
    for number in range(ranges):
        task = ["bash", "-c", RANGE, WAVETANK, scenario, seeds, str(ranges), str(out)]
        job.program(task, stdout=str(out / f"{number}.log"), stderr=str(out / f"{number}.err"), name=f"range {number}")
    return job


def merge(out: Path) -> int:
    """Merges the ranges, and names those that are missing. Its exit code is that of the sweep."""
    files = sorted(str(file) for file in out.glob("*-*.json"))
    return subprocess.run([WAVETANK, "merge", *files, "--json", out / "sweep.json"], check=False).returncode


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("scenario"), args.add_argument("seeds"), args.add_argument("out", type=Path)
    args.add_argument("--ranges", type=int, default=64, help="more ranges than cores, so that dear seeds even out")
    args.add_argument("--server", help="the server folder of a cluster that runs already, as ~/.hq-server")
    given = args.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    job = sweep(given.scenario, given.seeds, given.out.resolve(), given.ranges)
    if given.server:
        client = Client(given.server)
        client.wait_for_jobs([client.submit(job)], raise_on_error=False)
    else:
        with LocalCluster(worker_config=WorkerConfig()) as cluster:
            client = cluster.client()
            client.wait_for_jobs([client.submit(job)], raise_on_error=False)
    return merge(given.out)


if __name__ == "__main__":
    sys.exit(main())
