"""The configuration of the embedded nats-server: loopback only, one user per service, every acknowledged event kept."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_PAYLOAD = "8MB"
"""A workflow travels to the catalog as one request."""
MAX_MEMORY_STORE = "256MB"
MAX_FILE_STORE = "16GB"

JETSTREAM = ("$JS.API.>", "$JS.ACK.>", "$JS.FC.>")
"""What reading and writing streams is made of."""
ANSWERS = {"max": 1, "expires": "2m"}
"""A request may be answered where it asks for it; nobody writes into another one's inbox unasked."""
POLICIES = "_INBOX.policy.>"
"""Where the server delivers facts for the durable policies."""
DESTRUCTIVE = (
    "$JS.API.STREAM.DELETE.>",
    "$JS.API.STREAM.PURGE.>",
    "$JS.API.STREAM.MSG.DELETE.>",
    "$JS.API.STREAM.RESTORE.>",
    "$JS.API.ACCOUNT.PURGE.>",
)
"""The log is only ever appended to: no service may delete from it."""


@dataclass(frozen=True)
class Rights:
    """Subjects that one user may publish to and subscribe to, beside JetStream's own."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


RIGHTS: Mapping[str, Rights] = {
    "downloader": Rights(
        publish=(
            "evt.download.>",
            "evt.pool.>",
            "evt.modelfile.>",
            "evt.system.>",
            "rdg.>",
            "job.download.>",
            "dead.>",
        ),
        subscribe=("cmd.downloader.>",),
    ),
    "catalog": Rights(
        publish=(
            "evt.preset.>",
            "evt.catalog.>",
            "evt.modelfile.>",
            "evt.inventory.>",
            "evt.template.>",
            "evt.repository.>",
            "evt.system.>",
            "rdg.>",
            "dead.>",
        ),
        subscribe=("cmd.catalog.>",),
    ),
    "telemetry": Rights(
        publish=("evt.host.>", "evt.generation.>", "evt.system.>", "rdg.>", "dead.>"),
        subscribe=("cmd.telemetry.>",),
    ),
    # the gateway takes other services' events over HTTP, so it may write any fact, but runs nobody's jobs
    "gateway": Rights(publish=("evt.>", "cmd.>", "dead.>"), subscribe=("cmd.gateway.>", "rdg.>", "evt.>", "dead.>")),
}


@dataclass
class NatsConfig:
    """One start's configuration; passwords are random and never leave the 0600 file and the services' environment."""

    folder: Path
    port: int = -1
    """-1 lets the server choose a free one at its first start; restarts keep it, so that services find it again."""
    passwords: Mapping[str, str] = field(default_factory=lambda: {name: secrets.token_urlsafe(24) for name in RIGHTS})

    @property
    def path(self) -> Path:
        """Where the rendered configuration stands."""
        return self.folder / "nats.conf"

    @property
    def ports_folder(self) -> Path:
        """Where the server writes which port it chose."""
        return self.folder / "ports"

    def url_for(self, user: str) -> str:
        """Return the address with that user's credentials in it."""
        return f"nats://{user}:{self.passwords[user]}@127.0.0.1:{self.port}"

    def render(self) -> str:
        """Return the configuration file's text."""
        users = ",\n".join(self._render_user(name, rights) for name, rights in RIGHTS.items())
        return (
            'server_name: "modeldeck"\n'
            f"listen: 127.0.0.1:{self.port}\n"
            f"ports_file_dir: {_quoted(str(self.ports_folder))}\n"
            f"max_payload: {MAX_PAYLOAD}\n"
            "jetstream {\n"
            f"  store_dir: {_quoted(str(self.folder))}\n"
            "  sync_interval: always\n"
            f"  max_memory_store: {MAX_MEMORY_STORE}\n"
            f"  max_file_store: {MAX_FILE_STORE}\n"
            "}\n"
            f"authorization {{\n  timeout: 5\n  users: [\n{users}\n  ]\n}}\n"
        )

    def _render_user(self, name: str, rights: Rights) -> str:
        permissions = {
            "publish": {"allow": [*rights.publish, *JETSTREAM], "deny": list(DESTRUCTIVE)},
            "subscribe": {"allow": [*rights.subscribe, f"_INBOX.{name}.>", POLICIES]},
            "allow_responses": ANSWERS,
        }
        user = {"user": name, "password": self.passwords[name], "permissions": permissions}
        return f"    {json.dumps(user)}"


def address_in(folder: Path, user: str) -> str | None:
    """Return the address, with a user's credentials, that the configuration in `folder` states; None when there is
    none, or no server has chosen its port yet.
    """
    try:
        text = (folder / "nats.conf").read_text(encoding="utf-8")
    except OSError:
        return None
    port = re.search(r"^listen: 127\.0\.0\.1:([0-9]+)$", text, re.MULTILINE)
    password = re.search(rf'"user": "{re.escape(user)}", "password": "([^"]+)"', text)
    return f"nats://{user}:{password[1]}@127.0.0.1:{port[1]}" if port and password else None


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str) -> str:
    """Return `text` as a string of nats-server's configuration, whose escapes are fewer than JSON has."""
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'
