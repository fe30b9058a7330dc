"""Which steps of tier 2 come first: those that check what changed since the last landed commit, then the others."""

import os
import subprocess

from files import ROOT

# Two commits on main with a longer pause between them belong to two landings. If several landings lie closer together,
# they count as one: more steps count as changed, which costs time and misses nothing.
LANDING_PAUSE_SECONDS = 12 * 3600


def git(*args):
    """What git prints, or None if git is missing or cannot tell."""
    try:
        ran = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def head():
    return git("rev-parse", "--short", "HEAD") or "unknown"


def last_landed():
    """The newest commit of main that a pause follows, or None if the history does not reach so far back."""
    given = os.environ.get("WAVETANK_CI_SINCE")
    if given:
        return given
    younger = None
    for line in (git("log", "--first-parent", "--format=%H %ct", "HEAD") or "").splitlines():
        commit, seconds = line.split()
        if younger is not None and younger - int(seconds) > LANDING_PAUSE_SECONDS:
            return commit
        younger = int(seconds)
    return None


def changed_since(commit):
    """The paths that differ from a commit, also if that is not committed; None if git cannot tell."""
    tracked = git("diff", "--name-only", commit) if commit else None
    new = git("ls-files", "--others", "--exclude-standard")
    if tracked is None or new is None:
        return None
    return sorted({*tracked.splitlines(), *new.splitlines()})


def is_below(path, places):
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)


def tier_2_order(steps):
    """The steps of tier 2, each with the reason for its place."""
    since = last_landed()
    changed = changed_since(since)
    first = []
    others = []
    for step in steps:
        if step.tier != 2:
            continue
        if changed is None:
            first.append((step, "counts as changed: git knows no landed commit"))
            continue
        own_file = str(step.path.relative_to(ROOT))
        hits = [path for path in changed if is_below(path, (*step.paths, own_file))]
        if hits:
            more = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
            first.append((step, f"changed since {since[:7]}: {hits[0]}{more}"))
        else:
            others.append((step, f"in rotation: unchanged since {since[:7]}"))
    return rotated(first) + rotated(others)


def rotated(items):
    """The same items from another place on with each commit, so that in time each of them comes early."""
    commit = git("rev-parse", "HEAD") or "0"
    turn = int(commit, 16) % len(items) if items else 0
    return items[turn:] + items[:turn]
