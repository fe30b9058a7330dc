#!/usr/bin/env python3
"""Counts how the code reads: words in comments, local closures, tuples, repeated type names, sizes.

usage: .ci/style.py [FOLDER]    prints one table for all committed .rs files below FOLDER (default: the repository)

It judges nothing. CHANGELOG and notes quote its table before and after a change.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

COMMENT = re.compile(r"^\s*//[/!]?(.*)")
CLOSURE = re.compile(r"^\s*let (mut )?\w+ = (move )?\|")
TUPLE = re.compile(r"^\s*let \((mut )?\w+, .*\) = \(", re.M)
TYPE = re.compile(r"^\s*(?:pub(?:\([a-z]+\))? )?(struct|enum|trait|type) ([A-Z]\w*)", re.M)
STRUCT = re.compile(r"^\s*(?:pub(?:\([a-z]+\))? )?struct (\w+)[^;({]*\{(.*?)^\s*\}", re.M | re.S)
FIELD = re.compile(r"^\s*(?:pub(?:\([a-z]+\))? )?\w+: ", re.M)
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([a-z]+\))? )?(?:const )?(?:async )?fn (\w+)")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "."
    listed = subprocess.run(["git", "ls-files", "-z", "--", folder], capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if name.endswith(".rs")]
    words, closures, tuples = Counter(), 0, 0
    types, structs, functions, files = Counter(), [], [], []
    for name in names:
        text = Path(name).read_text()
        lines = text.split("\n")
        files.append((len(lines) - 1, name))
        for line in lines:
            if comment := COMMENT.match(line):
                words.update(re.findall(r"[a-z']+", comment.group(1).lower()))
            closures += bool(CLOSURE.match(line))
        tuples += len(TUPLE.findall(text))
        types.update(match.group(2) for match in TYPE.finditer(text) if match.group(2) not in ("Err", "Output", "Error"))
        structs += [(len(FIELD.findall(fields)), f"{struct} in {name}") for struct, fields in STRUCT.findall(text)]
        functions += lengths(lines, name)
    total = sum(words.values()) or 1
    print(f"files: {len(names)}, lines: {sum(length for length, _ in files)}, words of comment: {total}")
    for word in ("what", "where", "if"):
        print(f'"{word}" per 1,000 words of comment: {words[word] * 1000 / total:.1f}')
    print(f"local closures with a name: {closures}")
    print(f"several bindings packed in one tuple: {tuples}")
    print(f"type names defined more than once: {sum(count > 1 for count in types.values())}")
    print("widest structs: " + "; ".join(f"{size} {name}" for size, name in sorted(structs, reverse=True)[:4]))
    print("longest functions: " + "; ".join(f"{size} {name}" for size, name in sorted(functions, reverse=True)[:4]))
    print("longest files: " + "; ".join(f"{size} {name}" for size, name in sorted(files, reverse=True)[:4]))


def lengths(lines, name):
    """The length of each function: up to the first line that closes a brace at its own depth."""
    found = []
    for start, line in enumerate(lines):
        if match := FUNCTION.match(line):
            end = next((at for at in range(start, len(lines)) if lines[at] == match.group(1) + "}"), start)
            found.append((end - start + 1, f"{match.group(2)} in {name}"))
    return found


main()
