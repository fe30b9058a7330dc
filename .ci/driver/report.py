"""What a run says at its end, and the table of docs/src/reference/ci-results.md."""

import datetime

from files import RESULTS, row_of, say
from order import git, head
from running import DEADLINE_MINUTES, State, clock

# When tier 1 should be done.
TIER_1_MINUTES = 45


def report(run, of_tiers):
    width = max((len(result.step.name) for result in run.results), default=0)
    say(f"\n== all steps, at commit {head()}")
    for result in run.results:
        took = clock(result.seconds) if result.seconds else "-"
        row = f"{result.step.tier}  {result.step.name:{width}}  {result.state.value:7}  {took:>6}  {result.note}"
        say(row.rstrip())
    say()
    if of_tiers:
        say_bounds(run)
    say_counts(run.results)


def say_bounds(run):
    tier_1 = sum(result.seconds for result in run.results if result.step.tier == 1)
    say_bound("tier 1", tier_1, TIER_1_MINUTES, 0)
    # A step that is stopped at the deadline takes a moment to end.
    say_bound("the run", run.elapsed(), DEADLINE_MINUTES, 30)


def say_bound(what, seconds, bound_minutes, grace_seconds):
    held = "held" if seconds <= 60 * bound_minutes + grace_seconds else "NOT HELD"
    say(f"{what} took {clock(seconds)} of {clock(60 * bound_minutes)} minutes: {held}")


def say_counts(results):
    def count(state):
        return sum(result.state is state for result in results)

    passed, failed, skipped = count(State.PASSED), count(State.FAILED), count(State.SKIPPED)
    waits = count(State.WAITS)
    say(f"steps: {passed} passed, {failed} failed, {skipped} skipped, {waits} wait for a later run")
    for result in results:
        output = result.output
        skipped += output.ignored
        # A step with tests counts as its tests.
        passed += output.passed - (result.state is State.PASSED and output.passed > 0)
        failed += output.failed - (result.state is State.FAILED and output.failed > 0)
    say("Tests, and steps that are no tests:")
    say(f"{passed} passed, {failed} failed, {skipped} skipped")


def state_of_tree():
    """The commit that is tried, and whether it is changed."""
    return head() + (" with changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def record(result, commit):
    """Writes a result of tier 3 into docs/src/reference/ci-results.md, in the place of the one before."""
    name = result.step.name
    said = [result.state.value.lower(), result.note, result.output.result]
    day = datetime.date.today().isoformat()
    row = f"| {name} | {commit} | {day} | {clock(result.seconds)} | {'; '.join(filter(None, said))} |"
    lines = RESULTS.read_text().splitlines()
    lines[row_of(result.step)] = row
    RESULTS.write_text("\n".join(lines) + "\n")
