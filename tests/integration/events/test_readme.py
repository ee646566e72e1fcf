from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tests.support.nats import ROOT, LocalServer

README = ROOT / "libs" / "events" / "README.md"


async def test_the_example_runs_as_printed(server: LocalServer, tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), server.url, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert b"1 modeldeck.download.paused.v1 DownloadPaused(" in output


def test_every_module_is_in_the_table() -> None:
    modules = {path.stem for path in (ROOT / "libs" / "events" / "src" / "modeldeck_events").glob("*.py")}
    told = set(re.findall(r"`(\w+)`", README.read_text(encoding="utf-8")))
    silent = {"__init__", "errors", "logs", "metrics", "paths", "settings", "subjects"}
    assert modules - silent <= told, "say in the README what the new module holds"
