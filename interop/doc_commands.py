#!/usr/bin/env python3
"""Runs the commands that the documents show, so that a document cannot go stale unnoticed.

usage: doc_commands.py FILE|FOLDER…

In each markdown file, the fenced blocks marked `console` form one script: lines that start with
`$ ` are commands (a trailing backslash continues them), the lines after a command are what it
must print: each must occur in the output, in that order; `…` or `...` stands for anything. All
commands of one file run in one shell, in an empty directory, with `ward` on the path; a command that
fails fails the file unless the block is marked `console fails`. Blocks marked `sh` are not run.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

TIMEOUT_SECONDS = 120
MARK = "\x01doc-command\x01"


def blocks(text):
    """(line number, may fail, lines) of each console block."""
    lines = text.splitlines()
    inside = None
    for number, line in enumerate(lines, 1):
        if inside is None:
            if re.match(r"\s*```console( fails)?\s*$", line):
                inside = (number, line.rstrip().endswith("fails"), [])
        elif line.strip() == "```":
            yield inside
            inside = None
        else:
            inside[2].append(line)


def commands(text):
    """(line number, may fail, command, expected output lines)."""
    for start, may_fail, lines in blocks(text):
        command = None
        continued = False
        for offset, line in enumerate(lines, 1):
            if continued:
                command[2] += "\n" + line
            elif line.startswith("$ "):
                if command:
                    yield tuple(command)
                command = [start + offset, may_fail, line[2:], []]
            elif command and line.strip():
                command[3].append(line.strip())
            continued = line.endswith("\\")
        if command:
            yield tuple(command)


def agrees(expected, output):
    """The first expected line that does not follow in the output, or None."""
    at = 0
    for line in expected:
        pattern = ".*".join(re.escape(part) for part in re.split(r"…|\.\.\.", line))
        found = re.compile(pattern).search(output, at)
        if not found:
            return line
        at = found.end()
    return None


def run(path, environment):
    wanted = list(commands(path.read_text()))
    if not wanted:
        return 0, 0
    # Servers that a document starts in the background end with it.
    script = ["exec 2>&1", "trap 'jobs -p | xargs -r kill' EXIT"]
    for index, (_, _, command, _) in enumerate(wanted):
        script.append(f"{command}\nprintf '\\n%s %d %d\\n' '{MARK}' {index} $?")
    with tempfile.TemporaryDirectory(prefix="ward-docs-") as folder:
        environment = dict(environment, HOME=folder)
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=environment, timeout=TIMEOUT_SECONDS,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    parts = re.split(re.escape(MARK) + r" (\d+) (\d+)\n", done.stdout)
    outputs = {int(parts[i + 1]): (int(parts[i + 2]), parts[i]) for i in range(0, len(parts) - 2, 3)}
    failed = 0
    for index, (line, may_fail, command, expected) in enumerate(wanted):
        status, output = outputs.get(index, (-1, parts[-1]))
        missing = agrees(expected, output)
        if status != 0 and not may_fail or status == 0 and may_fail:
            print(f"{path}:{line}: `{command}` exited {status}:\n{output}")
            failed += 1
        elif missing is not None:
            print(f"{path}:{line}: `{command}` did not print `{missing}`, but:\n{output}")
            failed += 1
    return len(wanted), failed


def main():
    environment = dict(os.environ)
    binary = pathlib.Path(environment.get("WARD_BIN", "ward")).resolve()
    environment["PATH"] = f"{binary.parent}:{environment['PATH']}"
    total = failures = 0
    for argument in sys.argv[1:]:
        path = pathlib.Path(argument)
        for file in sorted(path.rglob("*.md")) if path.is_dir() else [path] if path.exists() else []:
            count, failed = run(file, environment)
            total += count
            failures += failed
    print(f"documents: {total - failures} of {total} commands do what their document says")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
