"""The files of .ci as data: steps, tools, skips. README.md describes them."""

import configparser
import dataclasses
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent
# The last result of each step of tier 3.
RESULTS = ROOT / "docs" / "src" / "reference" / "ci-results.md"


class Broken(Exception):
    """A mistake in the files of .ci or in the command line. Nothing runs then."""


def say(text=""):
    print(text, flush=True)


# ---- steps


@dataclasses.dataclass(frozen=True)
class Step:
    path: pathlib.Path
    name: str
    summary: str
    tier: int
    # How long it takes on two idle cores, after the steps before it.
    minutes: float
    needs: tuple
    # Files and folders that it checks.
    paths: tuple

    def limit_seconds(self):
        """A step that runs longer than this hangs."""
        return 60 * (3 * self.minutes + 5)


def read_step(path):
    order, _, name = path.name.partition("-")
    summary, fields = read_header(path)
    try:
        step = Step(
            path=path,
            name=name,
            summary=summary,
            tier=int(fields["tier"]),
            minutes=float(fields["minutes"]),
            needs=tuple(fields.get("needs", "").split()),
            paths=tuple(fields.get("paths", "").split()),
        )
    except (KeyError, ValueError) as error:
        raise Broken(f"{path}: its header needs a number for `tier` and for `minutes`: {error}") from error
    check_step(step, order)
    return step


def read_header(path):
    """The first line of the comment at the top of a step, and its lines `key: value`."""
    summary = ""
    fields = {}
    for line in path.read_text().splitlines()[1:]:
        if not line.startswith("#"):
            break
        text = line.lstrip("# ")
        field = re.fullmatch(r"(tier|minutes|needs|paths): (.+)", text)
        if field:
            fields[field[1]] = field[2]
        elif not summary:
            summary = text
    return summary, fields


def check_step(step, order):
    if not (order.isdigit() and step.name and step.summary and step.tier in (1, 2, 3)):
        raise Broken(f"{step.path}: a step is called NN-NAME, says what it does, and is of tier 1, 2 or 3")
    if not os.access(step.path, os.X_OK):
        raise Broken(f"{step.path}: it is not executable")
    if step.tier == 2 and not step.paths:
        raise Broken(f"{step.path}: a step of tier 2 names the paths that it checks")
    for path in step.paths:
        if not (ROOT / path).exists():
            raise Broken(f"{step.path}: it checks {path}, which does not exist")
    if step.tier == 3 and row_of(step) is None:
        raise Broken(f"{step.path}: {RESULTS} has no row for it")


def row_of(step):
    """The place of a step's line in docs/src/reference/ci-results.md."""
    for place, line in enumerate(RESULTS.read_text().splitlines()):
        if line.startswith(f"| {step.name} |"):
            return place
    return None


def read_steps():
    steps = [read_step(path) for path in sorted((HERE / "steps").iterdir())]
    names = [step.name for step in steps]
    if len(set(names)) < len(names):
        raise Broken(f"two steps have one name: {' '.join(names)}")
    if not any(step.tier == 1 for step in steps):
        raise Broken("there is no step of tier 1")
    return steps


# ---- tools


class Tools:
    """What steps need beside cargo. Each tool is looked for once, and installed if it is missing."""

    def __init__(self, steps):
        self.described = configparser.ConfigParser(interpolation=None)
        self.described.read(HERE / "tools.ini")
        self.found = {}
        for step in steps:
            for tool in step.needs:
                if tool not in self.described:
                    raise Broken(f"{step.path}: .ci/tools.ini does not describe {tool}")

    def missing(self, step):
        return [tool for tool in step.needs if not self.has(tool)]

    def has(self, tool):
        if tool not in self.found:
            self.found[tool] = self.probe(tool) or self.install(tool)
        return self.found[tool]

    def probe(self, tool):
        return shell(self.described[tool]["probe"], subprocess.DEVNULL) == 0

    def install(self, tool):
        command = self.described[tool].get("install")
        if command is None:
            return False
        say(f"installing {tool}: {command}")
        return shell(command, None) == 0 and self.probe(tool)


def shell(command, output):
    """Runs a command in the root; its exit code."""
    return subprocess.call(
        ["bash", "-c", command], cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )


def environment():
    """What steps and tools see. Tools are in a folder that outlives the clone, and are found there first."""
    tools = os.environ.get("WAVETANK_TOOLS") or os.path.expanduser("~/.cache/wavetank-ci")
    return {
        **os.environ,
        "TOOLS": tools,
        "PATH": f"{tools}/bin:{os.environ.get('PATH', os.defpath)}",
        "CARGO_TERM_COLOR": "never",
        "INSTA_UPDATE": "no",
        "RUST_BACKTRACE": "0",
    }


# ---- skips


def read_skips(steps):
    """The reasons in .ci/skips, by step and missing tool."""
    needs = {step.name: step.needs for step in steps}
    reasons = {}
    for line in (HERE / "skips").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = re.fullmatch(r"(\S+) without (\S+): (\S.*)", line)
        if not found:
            raise Broken(f".ci/skips: this is not `STEP without TOOL: reason`: {line}")
        step, tool, reason = found.groups()
        if tool not in needs.get(step, ()):
            raise Broken(f".ci/skips: there is no step {step} that needs {tool}")
        reasons[step, tool] = reason
    return reasons
