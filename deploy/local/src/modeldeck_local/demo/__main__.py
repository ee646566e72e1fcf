"""`python -m modeldeck_local.demo MANIFEST PORT`: run the demo's origin."""

from __future__ import annotations

import sys
from pathlib import Path

from aiohttp import web

from modeldeck_local.demo.origin import Origin, read_manifest
from modeldeck_local.demo.shelf import stated_repositories


def main() -> None:
    """Serve until a signal ends it."""
    manifest, port = Path(sys.argv[1]), int(sys.argv[2])
    origin = Origin(read_manifest(manifest), stated_repositories())
    web.run_app(origin.app(), host="127.0.0.1", port=port, print=None, shutdown_timeout=0.5)


if __name__ == "__main__":
    main()
