"""`make bench`: run every measurement of this folder, each in a process of its own, below what they ran on.

    python -m tests.bench [NAME...]     NAME as in bench_NAME.py; without names all of them

A file `bench_<name>.py` has `main() -> None`, which prints its table. One that fails is said so and the others go on.
Timed results never gate anything: the exit code tells only whether every measurement could be made.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.machine import describe

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def main(wanted: list[str]) -> int:
    """Run the wanted measurements; return the exit code."""
    found = {path.stem.removeprefix("bench_"): path.stem for path in sorted(HERE.glob("bench_*.py"))}
    unknown = [name for name in wanted if name not in found]
    if unknown:
        sys.stderr.write(f"no measurement {', '.join(unknown)}; there are: {', '.join(found) or 'none'}\n")
        return 2
    sys.stdout.write(describe(ROOT) + "\n")
    failed = [name for name in wanted or found if not _run(name, found[name])]
    if failed:
        sys.stderr.write(f"\nnot measured: {', '.join(failed)}\n")
    return 1 if failed else 0


def _run(name: str, module: str) -> bool:
    sys.stdout.write(f"\n== {name} ==\n")
    sys.stdout.flush()
    began = time.monotonic()
    code = f"from tests.bench.{module} import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    sys.stdout.write(f"({name}: {time.monotonic() - began:.0f} s)\n")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
