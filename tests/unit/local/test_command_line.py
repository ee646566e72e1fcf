"""What each command imports: nobody waits for the parts of another one."""

import subprocess
import sys

import pytest

RUN = """
import sys
from modeldeck_local.__main__ import main
sys.argv = ["modeldeck", *sys.argv[1:]]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (("status", "--url", "http://127.0.0.1:1"), {"aiohttp", "fastapi", "faststream", "nats", "modeldeck_local.up"}),
        (("--help",), {"aiohttp", "fastapi", "faststream", "nats", "modeldeck_local.up"}),
        (("up", "--help"), {"fastapi", "faststream", "nats", "httpx", "gateway"}),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments: tuple[str, ...], unwanted: set[str]) -> None:
    run = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
    modules = set(run.stderr.split())
    assert "typer" in modules, run.stderr
    assert not modules & unwanted
