"""Tests of the driver, in repositories of made-up steps. One uses the real steps, tools and skips, with all tools
hidden."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "driver"))

import files
import running

DAY_SECONDS = 24 * 3600

TOOLS = """
[there]
probe = true
[gone]
probe = false
install = echo cannot be had; false
[installed]
probe = test -e "$TOOLS/bin/installed"
install = mkdir -p "$TOOLS/bin" && touch "$TOOLS/bin/installed"
"""


class Project:
    """A repository with a .ci folder: the real driver, and the steps of one test."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder) / "project"
        self.tools = pathlib.Path(folder) / "tools"
        self.ci = self.root / ".ci"
        shutil.copytree(HERE / "driver", self.ci / "driver")
        for name in ("run", "full", "lib.sh"):
            shutil.copy(HERE / name, self.ci / name)
        (self.ci / "steps").mkdir()
        (self.ci / "tools.ini").write_text(TOOLS)
        self.skips("")
        self.write("docs/src/reference/ci-results.md", "# Results\n")
        self.git("init", "--quiet")
        self.git("config", "user.name", "nobody")
        self.git("config", "user.email", "nobody@example.org")

    def write(self, path, text="x"):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def step(self, name, body="true", *, tier=1, minutes="0.1", needs="", paths=""):
        header = [f"tier: {tier}", f"minutes: {minutes}"]
        header += [f"needs: {needs}"] if needs else []
        header += [f"paths: {paths}"] if paths else []
        for path in paths.split():
            self.write(f"{path}/kept")
        lines = ["#!/usr/bin/env bash", f"# It is {name}.", *(f"# {line}" for line in header), ". .ci/lib.sh", body]
        path = self.ci / "steps" / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o755)

    def skips(self, text):
        (self.ci / "skips").write_text(text)

    def git(self, *args, days=0):
        date = f"{1_700_000_000 + days * DAY_SECONDS} +0000"
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        subprocess.run(["git", *args], cwd=self.root, env={**os.environ, **dates}, check=True, capture_output=True)

    def commit(self, *, days):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change", days=days)

    def run(self, command="run", *args, ci=True, **environment):
        return Ran(self, [command, *args], {"CI": "true" if ci else "", **environment})


class Ran:
    """A run of the driver that has ended."""

    def __init__(self, project, args, environment):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAVETANK_")}
        ran = subprocess.run(
            ["bash", f".ci/{args[0]}", *args[1:]],
            cwd=project.root,
            env={**inherited, "WAVETANK_TOOLS": str(project.tools), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.code, self.out = ran.returncode, ran.stdout

    def rows(self):
        """The table at the end: name, result and note of each step."""
        table = self.out.partition("\n== all steps")[2].split("\n\n")[0]
        rows = [line.split(maxsplit=4) for line in table.splitlines()[1:]]
        return [(row[1], row[2], row[4] if len(row) > 4 else "") for row in rows]

    def states(self):
        return [(name, state) for name, state, _ in self.rows()]

    def note(self, step):
        return next(note for name, _, note in self.rows() if name == step)


class DriverTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = Project(folder.name)

    def check(self, ran, code, *states):
        self.assertEqual((ran.code, ran.states()), (code, list(states)), ran.out)

    # ---- order and results

    def test_tier_1_runs_in_the_order_of_its_numbers_and_goes_on_after_a_failure(self):
        self.project.step("20-second", "exit 3")
        self.project.step("10-first")
        self.project.step("30-third")
        ran = self.project.run()
        self.check(ran, 1, ("first", "passed"), ("second", "FAILED"), ("third", "passed"))
        self.assertEqual(ran.note("second"), "exit code 3")
        self.assertEqual(ran.out.splitlines()[-1], "2 passed, 1 failed, 0 skipped")

    def test_tier_2_waits_if_tier_1_failed_and_tier_3_does_not_run(self):
        self.project.step("10-first", "false")
        self.project.step("20-second", tier=2, paths="a")
        self.project.write("docs/src/reference/ci-results.md", "| third |\n")
        self.project.step("30-third", tier=3)
        ran = self.project.run()
        self.check(ran, 1, ("first", "FAILED"), ("second", "waits"))
        self.assertEqual(ran.note("second"), "a step of tier 1 failed")

    def test_a_failure_in_tier_2_fails_the_run(self):
        self.project.step("10-first")
        self.project.step("20-second", "false", tier=2, paths="a")
        self.check(self.project.run(), 1, ("first", "passed"), ("second", "FAILED"))

    def test_the_last_line_counts_tests_and_steps_without_tests(self):
        self.project.step("10-some", "echo 'test result: ok. 7 passed; 0 failed; 2 ignored; 0 measured'")
        self.project.step("20-one", "echo 'test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured'; false")
        self.project.step("30-none")
        ran = self.project.run()
        self.assertIn("steps: 2 passed, 1 failed, 0 skipped, 0 wait for a later run\n", ran.out)
        self.assertEqual(ran.out.splitlines()[-1], "12 passed, 3 failed, 2 skipped")

    def test_steps_read_nothing_and_know_the_root(self):
        self.project.step("10-reads", 'test -d .ci && ! read -r line && test -n "$TOOLS"')
        self.check(self.project.run(), 0, ("reads", "passed"))

    # ---- time

    def test_a_step_of_tier_2_starts_only_if_it_fits_before_the_deadline(self):
        self.project.step("10-first")
        self.project.step("20-long", tier=2, minutes="9", paths="a")
        self.project.step("30-short", tier=2, minutes="1", paths="b")
        ran = self.project.run(WAVETANK_CI_DEADLINE_MINUTES="2")
        self.assertEqual((ran.code, sorted(ran.states())), (0, [("first", "passed"), ("long", "waits"), ("short", "passed")]))
        self.assertRegex(ran.note("long"), r"^it would take 9:00 of the 1:5\d that are left; ")
        self.assertRegex(ran.out, r"tier 1 took 0:0\d of 45:00 minutes: held\nthe run took 0:0\d of 2:00 minutes: held\n")

    def test_a_machine_that_was_slow_in_tier_1_is_expected_to_stay_slow(self):
        self.project.step("10-first", "sleep 2", minutes="0.01")
        self.project.step("20-second", tier=2, minutes="1", paths="a")
        ran = self.project.run(WAVETANK_CI_DEADLINE_MINUTES="2")
        self.check(ran, 0, ("first", "passed"), ("second", "waits"))

    def test_tier_2_waits_and_tier_1_fails_if_the_deadline_stops_it(self):
        self.project.step("10-first")
        self.project.step("20-second", "sleep 60 & sleep 60", tier=2, minutes="0.01", paths="a")
        ran = self.project.run(WAVETANK_CI_DEADLINE_MINUTES="0.1")
        self.check(ran, 0, ("first", "passed"), ("second", "waits"))
        self.assertTrue(ran.note("second").startswith("stopped at the deadline; "), ran.out)
        self.project.step("10-first", "sleep 60 & sleep 60")
        ran = self.project.run(WAVETANK_CI_DEADLINE_MINUTES="0.1")
        self.check(ran, 1, ("first", "FAILED"), ("second", "waits"))
        self.assertEqual(ran.note("first"), "stopped at the deadline")

    def test_a_step_that_takes_far_longer_than_its_header_says_fails_in_any_tier(self):
        self.project.step("10-slow", "sleep 60 & sleep 60")
        step = files.read_step(self.project.ci / "steps" / "10-slow")
        for tier in (1, 2, 3):
            result = running.Result(dataclasses.replace(step, tier=tier), running.State.FAILED)
            with unittest.mock.patch.object(files.Step, "limit_seconds", return_value=0.5):
                running.judge(result, float("inf"))
            self.assertEqual(result.state, running.State.FAILED)
            self.assertEqual(result.note, "stopped: 0:00 is far more than the 0.1 minutes of its header")

    # ---- what comes first in tier 2

    def test_changed_steps_come_first_and_the_others_rotate(self):
        self.project.step("10-first")
        for name in ("20-a", "30-b", "40-c", "50-d"):
            self.project.step(name, tier=2, paths=name[3:])
        self.project.commit(days=0)
        self.project.write("c/new")
        self.project.commit(days=10)
        early = set()
        for day in range(30):
            ran = self.project.run("run", "--list")
            tier_2 = ran.out.partition("tier 2")[2].partition("tier 3")[0]
            order = re.findall(r"^  (\w) ", tier_2, re.MULTILINE)
            self.assertEqual((order[0], sorted(order)), ("c", list("abcd")), ran.out)
            self.assertIn(": c/new", tier_2)
            early.add(order[1])
            self.project.commit(days=10 + day / 100)
        self.assertEqual(early, set("abd"))

    def test_what_landed_is_the_last_commit_before_a_pause(self):
        self.project.step("10-first")
        self.project.step("20-old", tier=2, paths="old")
        self.project.step("30-new", tier=2, paths="new")
        self.project.commit(days=0)
        self.project.write("old/changed")
        self.project.commit(days=5)
        self.project.write("new/changed")
        self.project.commit(days=9)
        self.project.commit(days=9.1)
        ran = self.project.run()
        self.assertRegex(ran.note("new"), r"^changed since \w{7}: new/changed$")
        self.assertRegex(ran.note("old"), r"^in rotation: unchanged since \w{7}$")
        self.project.write("old/not committed")
        self.assertRegex(self.project.run().note("old"), r": old/not committed$")
        (self.project.root / "old/not committed").unlink()
        self.project.step("20-old", "true # changed", tier=2, paths="old")
        self.assertRegex(self.project.run().note("old"), r": .ci/steps/20-old$")

    def test_without_history_every_step_counts_as_changed(self):
        self.project.step("10-first")
        self.project.step("20-second", tier=2, paths="a")
        self.project.commit(days=0)
        self.project.commit(days=0.1)
        told = "counts as changed: git knows no landed commit"
        self.assertEqual(self.project.run().note("second"), told)
        shutil.rmtree(self.project.root / ".git")
        ran = self.project.run()
        self.assertEqual((ran.code, ran.note("second")), (0, told))

    # ---- tools and skips

    def test_a_missing_tool_fails_under_ci_and_is_named_elsewhere(self):
        self.project.step("10-first", needs="there gone")
        ran = self.project.run()
        self.check(ran, 1, ("first", "FAILED"))
        self.assertIn("\nskipped: there is no gone, and .ci/skips gives no reason to go without\n", ran.out)
        self.project.step("20-second")
        ran = self.project.run(ci=False)
        self.check(ran, 0, ("first", "skipped"), ("second", "passed"))
        self.assertIn("\nskipped: there is no gone\n", ran.out)
        self.assertEqual(ran.out.splitlines()[-1], "1 passed, 0 failed, 1 skipped")

    def test_a_skip_is_of_one_step_and_one_tool(self):
        self.project.step("10-first", needs="gone")
        self.project.step("20-second", needs="gone")
        self.project.step("30-third", needs="there", body="echo it ran")
        self.project.skips("# Reasons.\nfirst without gone: it is far away\nthird without there: it may be gone\n")
        ran = self.project.run()
        self.check(ran, 1, ("first", "skipped"), ("second", "FAILED"), ("third", "passed"))
        self.assertIn("\nskipped: there is no gone (it is far away)\n", ran.out)
        self.assertIn("\nit ran\n", ran.out)

    def test_a_run_in_which_nothing_passes_fails(self):
        self.project.step("10-first", needs="gone")
        self.project.skips("first without gone: it is far away\n")
        self.check(self.project.run(), 1, ("first", "skipped"))

    def test_a_step_that_was_asked_for_is_not_skipped(self):
        self.project.step("10-first", needs="gone")
        self.project.skips("first without gone: it is far away\n")
        self.check(self.project.run("full", "first", ci=False), 1, ("first", "FAILED"))

    def test_a_tool_is_installed_once_for_later_runs(self):
        self.project.step("10-first", "command -v there; test -e $TOOLS/bin/installed", needs="there installed")
        (self.project.tools / "bin").mkdir(parents=True)
        (self.project.tools / "bin" / "there").write_text("")
        (self.project.tools / "bin" / "there").chmod(0o755)
        first, second = self.project.run(), self.project.run()
        for ran in (first, second):
            self.check(ran, 0, ("first", "passed"))
        self.assertIn("installing installed: ", first.out)
        self.assertNotIn("installing", second.out)

    def test_each_real_tool_that_is_hidden_fails_its_steps_or_is_named(self):
        """The real steps, without their bodies, and the real tools, each hidden in turn by failing commands."""
        for name in ("tools.ini", "skips"):
            shutil.copy(HERE / name, self.project.ci / name)
        needs = {}
        for path in sorted((HERE / "steps").iterdir()):
            fields = dict(re.findall(r"^# (tier|needs): (.+)$", path.read_text(), re.MULTILINE))
            if fields["tier"] != "3":
                needs[path.name] = fields.get("needs", "").split()
        named = re.findall(r"^(\S+) without (\S+): ", (HERE / "skips").read_text(), re.MULTILINE)
        hidden_by = {
            "rustfmt": 'cargo: [ "$1" != fmt ]',
            "clippy": 'cargo: [ "$1" != clippy ]',
            "nightly": 'cargo: [ "$1" != +nightly ]',
            "msrv": 'cargo: [ "$1" != +1.95.0 ]',
            "wasm": "rustup: false",
            "cargo-fuzz": "cargo-fuzz: false",
            "git": "git: false",
            "mdbook": "mdbook: false",
            "slurm": "slurmctld: false",
            "hyperqueue": "hyperqueue-python: false",
            "capnp": "capnp: false",
            "pycapnp": "pycapnp-python: false",
            "chromium": "chromium: false",
            "page-python": "page-python: false",
        }
        tools = re.findall(r"^\[(.+)\]$", (HERE / "tools.ini").read_text(), re.MULTILINE)
        self.assertEqual(sorted(hidden_by), sorted(tools), "each tool can be hidden")
        stubs = self.project.root.parent / "stubs"
        for tool in [None, *tools]:
            shutil.rmtree(stubs, ignore_errors=True)
            stubs.mkdir()
            # All tools are there but one, and nothing can be installed.
            bodies = {
                "cargo": '[ "$1" != install ]',
                "rustup": '[ "$1" = target ] && [ "$2" = list ] && echo wasm32-wasip2',
                "cargo-fuzz": "echo cargo-fuzz 0.13.2",
                "git": "true",
                "mdbook": "echo mdbook v0.5.4",
                "slurmctld": "true",
                "slurmd": "true",
                "munged": "true",
                "hyperqueue-python": "true",
                "apt-get": "false",
                "python3": f'[ "$2" != venv ] && exec {sys.executable} "$@"',
                "capnp": "true",
                "g++": "true",
                "pycapnp-python": "true",
                "pip": "false",
                "chromium": "true",
                "chromedriver": "true",
                "page-python": "true",
                "pip3": "false",
            }
            if tool:
                command, body = hidden_by[tool].split(": ", 1)
                bodies[command] = f"{bodies[command]} && {body}" if command == "cargo" else body
            for command, body in bodies.items():
                (stubs / command).write_text(f"#!/bin/sh\n{body}\n")
                (stubs / command).chmod(0o755)
            for name, of_step in needs.items():
                self.project.step(name, "true", needs=" ".join(of_step))
            ran = self.project.run(PATH=f"{stubs}:{os.environ['PATH']}")
            expected = []
            for name, of_step in needs.items():
                step = name.partition("-")[2]
                is_named = (step, tool) in named
                expected.append((step, "passed" if tool not in of_step else "skipped" if is_named else "FAILED"))
            self.check(ran, int("FAILED" in dict(expected).values()), *expected)
            if tool:
                self.assertIn(f"skipped: there is no {tool}", ran.out)

    # ---- helpers of steps

    def test_a_filter_that_matches_no_test_fails(self):
        """`cargo` says what it would say of two tests."""
        (self.project.tools / "bin").mkdir(parents=True)
        cargo = self.project.tools / "bin" / "cargo"
        for said, step, state in (
            ("test one::golden ... ok\ntest two ... ok", "tests --workspace", "passed"),
            ("test one::golden ... ok\ntest two ... ok", "tests -p x -- golden two", "passed"),
            ("test one::golden ... ok\ntest two ... ok", "tests -p x -- golden three", "FAILED"),
            ("test one::golden ... ignored", "tests -p x -- golden", "FAILED"),
            ("running 0 tests", "tests -p x -- --exact golden", "FAILED"),
            ("running 0 tests", "tests --workspace", "FAILED"),
            ("test one ... ok\nfalse", "tests --workspace", "passed"),
        ):
            cargo.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
            cargo.chmod(0o755)
            self.project.step("10-first", step)
            self.check(self.project.run(), int(state == "FAILED"), ("first", state))
        cargo.write_text("#!/bin/sh\necho 'test one ... ok'; exit 101\n")
        self.check(self.project.run(), 1, ("first", "FAILED"))

    # ---- tier 3 and mistakes

    def test_a_result_of_tier_3_is_written_down_with_its_commit(self):
        self.project.step("10-first")
        self.project.step("90-last", "echo result: all is well", tier=3)
        self.project.write("docs/src/reference/ci-results.md", "# Results\n\n| first | x |\n| last | not yet run |\n")
        self.project.commit(days=0)
        self.check(self.project.run("full", "last"), 0, ("last", "passed"))
        rows = (self.project.root / "docs/src/reference/ci-results.md").read_text().splitlines()
        self.assertEqual(rows[:3], ["# Results", "", "| first | x |"])
        self.assertRegex(rows[3], r"^\| last \| \w{7,} \| \d{4}-\d\d-\d\d \| 0:0\d \| passed; all is well \|$")

    def test_mistakes_in_the_files_are_refused_before_anything_runs(self):
        self.project.step("10-first", "echo it ran")

        def refused(reason):
            ran = self.project.run()
            self.assertEqual(ran.code, 2, ran.out)
            self.assertIn(reason, ran.out)
            self.assertNotIn("it ran", ran.out)

        self.project.skips("first: it is slow\n")
        refused("not `STEP without TOOL: reason`")
        self.project.skips("first without gone: it is slow\n")
        refused("there is no step first that needs gone")
        self.project.skips("")
        self.project.step("20-second", needs="unheard-of")
        refused(".ci/tools.ini does not describe unheard-of")
        self.project.step("20-second", tier=2)
        refused("names the paths that it checks")
        self.project.step("20-second", tier=3)
        refused("docs/src/reference/ci-results.md has no row for it")
        self.project.step("20-second", tier=2, paths="a")
        shutil.rmtree(self.project.root / "a")
        refused("it checks a, which does not exist")
        self.project.step("20-second", minutes="long")
        refused("needs a number for `tier` and for `minutes`")
        self.project.step("20-second")
        (self.project.ci / "steps" / "20-second").chmod(0o644)
        refused("it is not executable")
        (self.project.ci / "steps" / "20-second").unlink()
        (self.project.ci / "steps" / "10-first").unlink()
        refused("there is no step of tier 1")
        self.assertEqual(self.project.run("full", "nowhere").code, 2)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
