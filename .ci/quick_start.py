"""Read the commands of README's "Quick start", so that CI runs what readers are told to run.

``python .ci/quick_start.py`` lists them; ``python .ci/quick_start.py pytest`` gives the one that
names pytest, and exits with 1 unless it is exactly one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def commands(readme: str) -> list[str]:
    """Return every line of code between the heading "Quick start" and the next heading."""
    section = re.search(r"^## Quick start\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    if section is None:
        return []
    blocks = re.findall(r"^```\w*\n(.*?)^```", section.group(1), re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def main(arguments: list[str]) -> int:
    """Write the commands that name every argument, and return the exit code."""
    found = [
        command
        for command in commands(README.read_text(encoding="utf-8"))
        if all(argument in command.split() for argument in arguments)
    ]
    sys.stdout.write("".join(f"{command}\n" for command in found))
    if arguments and len(found) != 1:
        sys.stderr.write("README's Quick start must hold exactly one such command.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
