"""Runs the steps in .ci/steps, tier by tier, and reports on every one of them. .ci/README.md explains how.

    .ci/run [--list]     tier 1, then as much of tier 2 as fits before the deadline; or what that would be
    .ci/full STEP...     any steps by name, without a deadline
"""

import signal
import sys

from files import Broken, say
from order import tier_2_order
from report import TIER_1_MINUTES, record, report, state_of_tree
from running import DEADLINE_MINUTES, Interrupted, Run


def run_tiers():
    run = Run()

    def both_tiers():
        run.tier_1()
        run.tier_2()

    return finish(run, both_tiers, of_tiers=True)


def list_plan():
    steps = Run().steps
    width = max(len(step.name) for step in steps)
    tier_1 = [(step, "") for step in steps if step.tier == 1]
    tier_3 = [(step, "") for step in steps if step.tier == 3]
    for title, planned in (
        (f"tier 1: always, within {TIER_1_MINUTES} minutes", tier_1),
        (f"tier 2: in this order, what ends {DEADLINE_MINUTES:g} minutes after the start", tier_2_order(steps)),
        ("tier 3: with .ci/full STEP", tier_3),
    ):
        say(f"{title} ({sum(step.minutes for step, _ in planned):g} minutes in all)")
        for step, why in planned:
            needs = f"needs {' '.join(step.needs)}" if step.needs else ""
            say(f"  {step.name:{width}} {step.minutes:5g} min  {step.summary}")
            for more in filter(None, (needs, why)):
                say(f"  {'':{width}}            {more}")
    return 0


def run_full(names):
    run = Run()
    steps = {step.name: step for step in run.steps}
    for name in names:
        if name not in steps:
            raise Broken(f"no step is called {name}: there are {' '.join(steps)}")

    def all_named():
        for name in names:
            commit = state_of_tree()
            run.step(steps[name], is_asked_for=True)
            if steps[name].tier == 3:
                record(run.results[-1], commit)

    return finish(run, all_named, of_tiers=False)


def finish(run, work, of_tiers):
    """Does the work and reports on it; the exit code."""
    is_whole = True
    try:
        work()
    except Interrupted:
        say("\ninterrupted")
        is_whole = False
    report(run, of_tiers)
    return 0 if is_whole and run.has_passed() else 1


def interrupt(*_):
    raise Interrupted


def main(args):
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        if args == ["run"]:
            return run_tiers()
        if args == ["run", "--list"]:
            return list_plan()
        if args[:1] == ["full"] and len(args) > 1:
            return run_full(args[1:])
        raise Broken(__doc__)
    except Broken as broken:
        print(broken, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
