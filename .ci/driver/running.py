"""Steps that run, each with a result."""

import dataclasses
import enum
import os
import re
import signal
import subprocess
import sys
import threading
import time

from files import ROOT, Step, Tools, environment, read_skips, read_steps, say
from order import tier_2_order

# Minutes after the start of a run when everything ends.
DEADLINE_MINUTES = float(os.environ.get("WAVETANK_CI_DEADLINE_MINUTES", "75"))

IS_CI = os.environ.get("CI") == "true"


class Interrupted(Exception):
    """The run was told to end."""


class State(enum.Enum):
    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"
    WAITS = "waits"


@dataclasses.dataclass
class Output:
    """What a step printed, as far as it counts: tests, and its last line `result: …`."""

    passed: int = 0
    failed: int = 0
    ignored: int = 0
    result: str = ""

    def read(self, line):
        tests = re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line)
        if tests:
            self.passed += int(tests[1])
            self.failed += int(tests[2])
            self.ignored += int(tests[3])
        elif line.startswith("result: "):
            self.result = line[len("result: ") :].strip()


@dataclasses.dataclass
class Result:
    step: Step
    state: State
    seconds: float = 0.0
    note: str = ""
    output: Output = dataclasses.field(default_factory=Output)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def execute(step, limit_seconds, output):
    """Runs a step and shows what it prints; its exit code, or None if it was stopped at the limit."""
    process = subprocess.Popen(
        [str(step.path)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    is_late = threading.Event()

    def give_up():
        is_late.set()
        stop(process)

    timer = threading.Timer(max(limit_seconds, 0), give_up)
    timer.start()
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            output.read(line)
        code = process.wait()
    finally:
        timer.cancel()
        stop(process)
    return None if is_late.is_set() else code


def stop(process):
    """Ends a step with all that it started."""
    for sign, patience_seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, sign)
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


class Run:
    def __init__(self):
        self.started = time.monotonic()
        self.steps = read_steps()
        self.skips = read_skips(self.steps)
        self.tools = Tools(self.steps)
        self.results = []

    def elapsed(self):
        return time.monotonic() - self.started

    def left(self):
        """Seconds until the deadline."""
        return 60 * DEADLINE_MINUTES - self.elapsed()

    def tier_1(self):
        for step in self.steps:
            if step.tier == 1:
                self.step(step, self.left())

    def tier_2(self):
        """Starts a step if it should end before the deadline on a machine as slow as this one was in tier 1."""
        slowness = self.slowness()
        has_failed = self.has_failed()
        for step, why in tier_2_order(self.steps):
            needed = 60 * step.minutes * slowness
            left = self.left()
            if has_failed:
                self.results.append(Result(step, State.WAITS, note="a step of tier 1 failed"))
            elif needed > left:
                note = f"it would take {clock(needed)} of the {clock(max(left, 0))} that are left; {why}"
                self.results.append(Result(step, State.WAITS, note=note))
            else:
                self.step(step, left)
                result = self.results[-1]
                result.note = f"{result.note}; {why}" if result.note else why

    def slowness(self):
        """How many times as long as expected tier 1 took; at least 1."""
        passed = [result for result in self.results if result.state is State.PASSED]
        expected = 60 * sum(result.step.minutes for result in passed)
        return max(1.0, sum(result.seconds for result in passed) / expected) if expected else 1.0

    def has_failed(self):
        return any(result.state is State.FAILED for result in self.results)

    def has_passed(self):
        """Whether nothing failed, and something ran at all."""
        return not self.has_failed() and any(result.state is State.PASSED for result in self.results)

    def step(self, step, left_seconds=float("inf"), is_asked_for=False):
        """Runs one step that has so much time left, and keeps its result. A step that was asked for by name is not
        skipped: it fails."""
        say(f"\n== {step.name}: {step.summary}")
        began = time.monotonic()
        result = Result(step, State.FAILED, note="it was interrupted")
        self.results.append(result)
        try:
            missing = self.tools.missing(step)
            if missing:
                self.skip(result, missing, is_asked_for)
            else:
                judge(result, left_seconds)
        finally:
            result.seconds = time.monotonic() - began
            note = f": {result.note}" if result.note else ""
            say(f"== {step.name}: {result.state.value} after {clock(result.seconds)}{note}")

    def skip(self, result, missing, is_asked_for):
        reasons = [self.skips.get((result.step.name, tool)) for tool in missing]
        is_named = None not in reasons
        result.note = f"there is no {' and no '.join(missing)}"
        if is_named:
            result.note += f" ({'; '.join(reasons)})"
        if (is_named or not IS_CI) and not is_asked_for:
            result.state = State.SKIPPED
        elif not is_named:
            result.note += ", and .ci/skips gives no reason to go without"
        say(f"skipped: {result.note}")


def judge(result, left_seconds):
    """Runs the step of a result."""
    step = result.step
    own_limit = step.limit_seconds()
    code = execute(step, min(own_limit, left_seconds), result.output)
    if code == 0:
        result.state, result.note = State.PASSED, ""
    elif code is not None:
        result.note = f"exit code {code}"
    elif own_limit <= left_seconds:
        result.note = f"stopped: {clock(own_limit)} is far more than the {step.minutes:g} minutes of its header"
    else:
        result.note = "stopped at the deadline"
        if step.tier == 2:
            result.state = State.WAITS
