"""The types that the page is compiled with are those of the gateway as it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.visitor import WEB

GENERATOR = WEB / "node_modules" / "openapi-typescript" / "bin" / "cli.js"


def test_generated_types_are_up_to_date(tmp_path: Path) -> None:
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    node = shutil.which("node", path=folders)
    if node is None or not GENERATOR.is_file():
        pytest.fail("The dashboard's packages are missing: run `make setup`.")
    subprocess.run([sys.executable, "-m", "gateway.api_documents", str(tmp_path)], check=True, timeout=60)
    fresh = tmp_path / "schema.d.ts"
    command = [node, str(GENERATOR), str(tmp_path / "openapi.json"), "--output", str(fresh)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=WEB)
    if fresh.read_text() != (WEB / "src" / "api" / "schema.d.ts").read_text():
        pytest.fail("The gateway's OpenAPI document has changed: run `make api` and commit src/api/schema.d.ts.")
