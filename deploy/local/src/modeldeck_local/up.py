"""`modeldeck up`: settings in, a plan out, and the supervisor to run it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from modeldeck_events.settings import SettingsError

from modeldeck_local import demo
from modeldeck_local import settings as up_settings
from modeldeck_local.console import Console
from modeldeck_local.data_folder import DataFolder, DataFolderError
from modeldeck_local.supervisor import Plan, StartError, Supervisor

OK, FAILED, USAGE = 0, 1, 2


def up(choices: Mapping[str, str], *, is_demo: bool) -> int:
    """Run the product until it is asked to end; return the exit status. `choices` are the command line's settings."""
    console = Console()
    try:
        overrides = dict(choices)
        if is_demo and "DATA_DIR" not in overrides and "MODELDECK_DATA_DIR" not in os.environ:
            overrides["DATA_DIR"] = str(up_settings.demo_data_dir())
        if overrides.get("PORT") == "0":
            overrides["PORT"] = str(claim_port(overrides.get("HOST", os.environ.get("MODELDECK_HOST", "127.0.0.1")), 0))
        settings = up_settings.read(overrides)
    except SettingsError as error:
        for line in str(error).splitlines():
            console.say(line)
        return USAGE
    try:
        with_models = "MODELS_DIR" in choices
        folder = DataFolder(settings.data_dir, demo=is_demo)
        plan = make_plan(settings, folder, is_demo=is_demo, own_models=not with_models)
        if is_demo:
            console.say(
                f"demo: model files are generated, not real; they go into {plan.settings['MODELDECK_MODELS_DIR']}"
            )
        asyncio.run(Supervisor(plan, console).run())
    except (DataFolderError, StartError, demo.DemoError) as error:
        for line in str(error).splitlines():
            console.say(line)
        return FAILED
    return OK


def make_plan(settings: up_settings.UpSettings, folder: DataFolder, *, is_demo: bool, own_models: bool) -> Plan:
    """Decide everything about this run; raises StartError when the port cannot be had."""
    port = claim_port(settings.host, settings.port)
    values = {
        "MODELDECK_DATA_DIR": str(folder.path),
        "MODELDECK_MODELS_DIR": str(settings.models),
        "MODELDECK_HOST": settings.host,
        "MODELDECK_PORT": str(port),
    }
    address = f"http://{_in_url(settings.host)}:{port}"
    announcement = f"Modeldeck is ready at {address}/"
    if settings.auth != "none":  # with an issuer, too: whoever is at this machine gets in without it
        token = settings.token.get_secret_value() if settings.token else folder.token()
        values["MODELDECK_TOKEN"] = token
        announcement += f"?token={quote(token, safe='')}"
    helpers = {}
    if is_demo:
        scene = demo.prepare(folder.folder("demo"), reserve_port(), folder.path / "workflows")
        values |= scene.settings
        if own_models:
            values["MODELDECK_MODELS_DIR"] = str(folder.path / "models")
        helpers["demo-origin"] = scene.command
    _make_models_folder(Path(values["MODELDECK_MODELS_DIR"]))
    return Plan(
        folder=folder,
        settings=values,
        announcement=announcement,
        gateway=(_reachable(settings.host), port),
        address=address,
        nats_url=settings.nats_url,
        helpers=helpers,
    )


def claim_port(host: str, port: int) -> int:
    """Return the port if it is free, and a free one for 0; raises StartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"Port {port} on {host} is in use, perhaps by another Modeldeck. Choose another one with --port."
                ) from error
            raise StartError(f"Cannot listen on {host}, port {port}: {error.strerror or error}.") from error
        return int(probe.getsockname()[1])


def reserve_port() -> int:
    """Return a free port of 127.0.0.1 that the system gives to nobody else for the next minute.

    A connection to it is left behind in TIME_WAIT, which only who asks for this very port with SO_REUSEADDR may ignore:
    asyncio's servers do. Without it nats-server, which takes any port, was once given that of the demo's origin.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = probe.accept()
            accepted.close()  # this end first: the port that waits is the reserved one
    return port


def _make_models_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"The models folder {path} cannot be made: {error.strerror}.") from error


def _reachable(host: str) -> str:
    bare = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)


def _in_url(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else host
