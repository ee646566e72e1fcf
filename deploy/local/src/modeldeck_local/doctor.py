"""`modeldeck doctor`: looks at everything Modeldeck rests on and says what to do about what is not right."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import httpx
from modeldeck_events.settings import ServiceSettings, SettingsError
from rich.console import Console

from modeldeck_local import rebuild
from modeldeck_local import settings as up_settings
from modeldeck_local.nats_config import address_in
from modeldeck_local.nats_process import NatsServerError, find_server, version_of
from modeldeck_local.supervisor import StartError
from modeldeck_local.up import claim_port

LOW_SPACE_BYTES = 10_000_000_000
Verdict = Literal["ok", "warning", "problem"]
MARKS = {"ok": "[green]ok     [/]", "warning": "[yellow]look at[/]", "problem": "[red]problem[/]"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do unless it is right."""

    what: str
    verdict: Verdict
    detail: str
    advice: str = ""


def doctor(url: str | None, *, as_json: bool, with_rebuild: bool = False) -> int:
    """Print what was found, and return the exit status: 1 when something is a problem."""
    findings = list(examine(url))
    if with_rebuild and findings[0].verdict == "ok":
        findings.append(boards(up_settings.read({}), url or os.environ.get("MODELDECK_URL") or ""))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))  # noqa: T201
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            console.print(f"{MARKS[finding.verdict]} {finding.what}: ", end="")
            console.print(finding.detail, markup=False)
            if finding.advice:
                console.print(f"        {finding.advice}", markup=False)
    return 1 if any(finding.verdict == "problem" for finding in findings) else 0


def examine(url: str | None) -> Iterator[Finding]:
    """Look at one thing after the other."""
    try:
        settings = up_settings.read({})
    except SettingsError as error:
        yield Finding("settings", "problem", str(error), "Correct the names or values, then run this again.")
        return
    yield Finding("settings", "ok", "all names and values are understood")
    yield nats_server(settings)
    yield data_folder(settings.data_dir)
    yield disk_space(settings)
    yield token(settings)
    yield gateway(settings, url or os.environ.get("MODELDECK_URL") or "")


def nats_server(settings: ServiceSettings) -> Finding:
    """Tell whether there is a nats-server to use."""
    if settings.nats_url:
        return Finding("nats-server", "ok", "an outside one is used (MODELDECK_NATS_URL)")
    try:
        binary = find_server()
    except NatsServerError as error:
        return Finding("nats-server", "problem", str(error), "make setup")
    return Finding("nats-server", "ok", f"{'.'.join(map(str, version_of(binary)))} at {binary}")


def data_folder(path: Path) -> Finding:
    """Tell whether the data folder is ours, writable and private."""
    if not path.exists():
        return Finding("data folder", "ok", f"{path} will be made at the first start")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        advice = "Give it to your user, or choose another one with MODELDECK_DATA_DIR."
        return Finding("data folder", "problem", f"{path} cannot be written", advice)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding("data folder", "warning", f"{path} is open to others (mode {mode:o})", f"chmod 700 {path}")
    return Finding("data folder", "ok", f"{path}, private to you")


def disk_space(settings: ServiceSettings) -> Finding:
    """Tell how much room the models have."""
    folder = settings.models
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free for models in {settings.models}"
    if free < LOW_SPACE_BYTES:
        return Finding("disk space", "warning", detail, "Free some space, or choose another MODELDECK_MODELS_DIR.")
    return Finding("disk space", "ok", detail)


def token(settings: up_settings.UpSettings) -> Finding:
    """Tell whether the local token is there and private."""
    if settings.auth == "none":
        return Finding("token", "ok", f"not used, MODELDECK_AUTH is {settings.auth}")
    if settings.token:
        return Finding("token", "ok", "given by MODELDECK_TOKEN")
    file = settings.data_dir / "token"
    if not file.exists():
        return Finding("token", "ok", "will be made at the first start")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding(
            "token", "problem", f"{file} can be read by others", f"rm {file}  # the next start makes a new one"
        )
    return Finding("token", "ok", f"{file}, readable by you only")


def gateway(settings: up_settings.UpSettings, url: str) -> Finding:
    """Tell whether the gateway answers and is ready, or could be started."""
    base = _base(settings, url)
    try:
        answer = httpx.get(f"{base}/readyz", timeout=5, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _not_reachable(base, settings, bool(url), error)
    if answer.status_code == 200:
        return Finding("gateway", "ok", f"{base} is ready")
    if answer.status_code == 503:
        return Finding(
            "gateway", "problem", f"{base} is not ready: {answer.text[:500]}", "Wait a moment, then see its logs."
        )
    return Finding("gateway", "problem", f"{base} answers {answer.status_code}", "Is that address really Modeldeck's?")


def boards(settings: up_settings.UpSettings, url: str) -> Finding:
    """Tell whether the running gateway shows what a fold of the whole log from zero comes to."""
    nats_url = settings.nats_url or address_in(settings.data_dir / "nats", "gateway")
    if nats_url is None:
        advice = "Start Modeldeck with this data folder, or set MODELDECK_NATS_URL."
        return Finding("boards", "problem", f"there is no event log in {settings.data_dir}", advice)
    began = time.monotonic()
    try:
        outcome = asyncio.run(rebuild.compare(_base(settings, url), _token(settings), nats_url))
    except rebuild.RebuildError as error:
        return Finding(
            "boards", "problem", f"could not be compared: {error}", "See that Modeldeck is ready, try again."
        )
    compared = f"rebuild from zero of {outcome.seq:,} facts in {time.monotonic() - began:.1f} s"
    if not outcome.differing:
        return Finding("boards", "ok", f"all {len(outcome.names)} equal a {compared}")
    where = "; ".join(f"{name} at {', '.join(places)}" for name, places in outcome.differing.items())
    advice = "Stop Modeldeck, delete gateway/boards.json in its data folder, start it: it folds the log anew."
    return Finding("boards", "problem", f"{len(outcome.differing)} differ from a {compared}: {where}", advice)


def _token(settings: up_settings.UpSettings) -> str:
    if settings.auth == "none":
        return ""
    if settings.token is not None:
        return settings.token.get_secret_value()
    try:
        return (settings.data_dir / "token").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _base(settings: up_settings.UpSettings, url: str) -> str:
    return url.rstrip("/") or f"http://{settings.host}:{settings.port}"


def _not_reachable(base: str, settings: up_settings.UpSettings, elsewhere: bool, error: Exception) -> Finding:
    if elsewhere:
        return Finding("gateway", "problem", f"{base} does not answer ({error})", "Check --url or MODELDECK_URL.")
    try:
        claim_port(settings.host, settings.port)
    except StartError as taken:
        return Finding("gateway", "problem", str(taken), "See what uses the port, or set MODELDECK_PORT.")
    return Finding("gateway", "warning", f"nothing runs at {base}", "Start it: make up (or: modeldeck up)")
