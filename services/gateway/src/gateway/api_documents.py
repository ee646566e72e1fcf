"""Writes the API's OpenAPI document into a folder: `python -m gateway.api_documents FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gateway import api


def write(folder: Path) -> Path:
    """Write `openapi.json` and return its path; the same routes give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "openapi.json"
    document = api.document(api.build(None))
    file.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    write(Path(sys.argv[1]))
