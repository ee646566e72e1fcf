from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tests.support.nats import ROOT, LocalServer

README = ROOT / "libs" / "events" / "README.md"


async def run(number: int, folder: Path, *arguments: str) -> str:
    """Run the README's code block of this number as printed; return what it said."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    script = folder / f"example-{number}.py"
    script.write_text(blocks[number], encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return output.decode()


async def test_following_runs_as_printed(server: LocalServer, tmp_path: Path) -> None:
    assert "1 modeldeck.download.paused.v1 DownloadPaused(" in await run(0, tmp_path, server.url)


async def test_publishing_and_its_follower_run_as_printed(server: LocalServer, tmp_path: Path) -> None:
    place = tmp_path / "place.json"
    published = (await run(1, tmp_path, server.url)).splitlines()[-11:]
    assert [line.split()[:2] for line in published] == [["published", str(seq)] for seq in range(1, 12)]
    assert (await run(1, tmp_path, server.url)).splitlines() == published, "a repetition publishes nothing new"

    told = (await run(2, tmp_path, server.url, str(place))).splitlines()
    assert len(told) == 10
    assert told[0].endswith("job-7 10 % loss 1.000")
    assert told[-1].endswith("job-7 is done")
    assert await run(2, tmp_path, server.url, str(place)) == "", "everything was seen once"


def test_every_module_is_in_the_table() -> None:
    modules = {path.stem for path in (ROOT / "libs" / "events" / "src" / "modeldeck_events").glob("*.py")}
    told = set(re.findall(r"`(\w+)`", README.read_text(encoding="utf-8")))
    silent = {"__init__", "errors", "logs", "metrics", "paths", "settings", "subjects"}
    assert modules - silent <= told, "say in the README what the new module holds"
