"""Reading and scanning all workflows that ComfyUI ships, beside only reading them with orjson and with json.

BENCH_ROUNDS=15 python -m tests.bench templates

All files are in memory and every way gets the CPU in turns, file set by file set. "first" is the very first pass of the
process, in which no name or URL has been seen before.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib import resources

import orjson
from catalog.templates import Scan, scan

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
GOAL = 1.5


def workflows() -> list[bytes]:
    """Return the files of the package that are workflows."""
    folder = resources.files("comfyui_workflow_templates_json").joinpath("templates")
    files = [file.read_bytes() for file in folder.iterdir() if file.name.endswith(".json")]
    roots = [orjson.loads(data) for data in files]
    return [data for data, root in zip(files, roots, strict=True) if isinstance(root, dict) and "nodes" in root]


def cpu_s(way: Callable[[bytes], object], files: Sequence[bytes]) -> float:
    """Return the CPU seconds that a way takes for all files."""
    began = time.process_time()
    for data in files:
        way(data)
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    files = workflows()
    gc.freeze()
    base_first, scan_first = cpu_s(orjson.loads, files), cpu_s(scan, files)
    ways: dict[str, Callable[[bytes], object]] = {"orjson.loads": orjson.loads, "scan": scan, "json.loads": json.loads}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(cpu_s(way, files))
    found: list[Scan] = [scan(data) for data in files]
    references, needed = (sum(len(part) for part in parts) for parts in zip(*map(_parts, found), strict=True))
    size_mb = sum(map(len, files)) / 1e6
    sys.stdout.write(
        f"{len(files)} workflows, {size_mb:.1f} MB, {references} references, {needed} of them needed; "
        f"{ROUNDS} rounds in turns\n\n"
        "| way | CPU ms (median) | of orjson.loads (median of pairs, quartiles) |\n|---|---|---|\n"
    )
    for name, values in taken.items():
        ratios = [value / base for value, base in zip(values, taken["orjson.loads"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        sys.stdout.write(
            f"| {name} | {statistics.median(values) * 1000:.1f} | {middle:.2f} ({low:.2f} to {high:.2f}) |\n"
        )
    sys.stdout.write(f"| scan, first | {scan_first * 1000:.1f} | {scan_first / base_first:.2f} |\n")
    sys.stdout.write(f"\ngoal: scan at most {GOAL} of orjson.loads\n")


def _parts(scanned: Scan) -> tuple[Sequence[object], Sequence[object]]:
    return scanned.references, scanned.needed


if __name__ == "__main__":
    main()
