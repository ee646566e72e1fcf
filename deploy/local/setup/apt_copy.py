"""A private copy of a package from the distribution of this machine, with the signature check of apt itself.

apt gets folders, sources and state of its own, so nothing needs root and nothing of the system changes. The mirror and
its keys are those that the machine is configured for; no host is written here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

SUITES = {"debian": ("forky", "sid"), "ubuntu": ("devel", "resolute")}
"""Where packages are new enough, the steadier suite first."""
COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
KEYRINGS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
SYSTEM_HOOKS = (
    "APT::Update::Pre-Invoke",
    "APT::Update::Post-Invoke",
    "APT::Update::Post-Invoke-Success",
    "DPkg::Post-Invoke",
)


class Archive(NamedTuple):
    """The distribution's own archive, as this machine is configured to reach it."""

    uri: str
    distribution: str
    signed_by: str


def fetch_binary(name: str, target: Path, accept: Callable[[Path], bool]) -> list[str]:
    """Put the binary `name` of the package of that name at `target` from the first suite where `accept` likes it.

    Returns why the suites that were tried before did not give one; the target exists afterwards if one did.
    """
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        return [f"this machine has no {' and no '.join(missing)}, so there is no package to fetch"]
    archives = find_archives()
    if not archives:
        return ["apt on this machine names no archive of its own distribution (see `apt-get indextargets`)"]
    problems: list[str] = []
    for archive in archives:
        for suite in SUITES[archive.distribution]:
            print(f"{name}: fetching a private copy from {archive.uri} ({suite}), checked by apt")
            problem = _fetch(name, target, accept, archive, suite)
            if problem is None:
                return problems
            problems.append(f"{archive.uri} {suite}: {problem}")
    return problems


def find_archives() -> list[Archive]:
    """Return the machine's own distribution archives, the likeliest first."""
    release = _os_release()
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    distribution = next((name for name in names if name in SUITES), None)
    if distribution is None:
        return []
    wanted = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CREATED_BY)"
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    codename = release.get("VERSION_CODENAME", "")
    scored: dict[str, int] = {}
    for line in listing.splitlines():
        uri, suite, component, origin, created_by = (*line.split("|"), "", "", "", "")[:5]
        if component != "main" or created_by != "Packages" or "security" in suite:
            continue
        score = (
            4 * (origin.lower() == distribution)
            + 2 * uri.rstrip("/").endswith((f"/{distribution}", f"/{distribution}-ports"))
            + (suite in {codename, "stable", "testing", "sid", "unstable"})
        )
        if score > 1:
            scored[uri] = max(score, scored.get(uri, 0))
    best = sorted(scored, key=lambda uri: -scored[uri])
    return [Archive(uri, distribution, _keyring(uri, distribution)) for uri in best]


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _keyring(uri: str, distribution: str) -> str:
    """Return the keyring which this machine trusts for the archive; "" means apt's default keys."""
    signed_by = re.compile(r"signed-by\s*[:=]\s*(/[^\s\],]+)", re.IGNORECASE)
    for stanza in _source_stanzas():
        keyring = signed_by.search(stanza)
        if keyring and uri.rstrip("/") in stanza:
            return keyring.group(1)
    fallback = KEYRINGS[distribution]
    return str(fallback) if fallback.is_file() else ""


def _source_stanzas() -> Iterator[str]:
    """Yield what apt's source lists say, one source at a time: deb822 stanzas, and lines of the older form."""
    sources = Path("/etc/apt/sources.list.d")
    for file in sorted(sources.glob("*.sources")):
        yield from file.read_text(encoding="utf-8", errors="replace").split("\n\n")
    for file in (Path("/etc/apt/sources.list"), *sorted(sources.glob("*.list"))):
        if file.is_file():
            yield from file.read_text(encoding="utf-8", errors="replace").splitlines()


def _fetch(name: str, target: Path, accept: Callable[[Path], bool], archive: Archive, suite: str) -> str | None:
    """Fetch, check and unpack the package; return None when the binary is in place, else the reason it is not."""
    with tempfile.TemporaryDirectory(prefix="apt-", dir=target.parent) as folder:
        work = Path(folder)
        config = _write_apt_config(work, archive, suite)
        for step in (["update"], ["download", name]):
            run = subprocess.run(
                ["apt-get", "-c", str(config), "--quiet", *step],
                cwd=work,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
            if run.returncode != 0:
                complaints = [line for line in run.stderr.splitlines() if line.startswith(("E:", "Err"))]
                return (complaints or run.stderr.splitlines() or [f"apt-get {step[0]} failed"])[0]
        package = next(work.glob(f"{name}_*.deb"), None)
        if package is None:
            return "apt-get download left no package"
        subprocess.run(["dpkg-deb", "-x", str(package), str(work / "unpacked")], check=True)
        binary = next((path for path in (work / "unpacked").rglob(name) if path.is_file()), None)
        if binary is None:
            return f"the package holds no {name}"
        if not accept(binary):
            return f"its {name} is too old, or does not run here"
        binary.chmod(0o755)
        binary.replace(target)
    return None


def _write_apt_config(work: Path, archive: Archive, suite: str) -> Path:
    """Give apt folders, sources and state of its own below `work`; its keys and proxy stay the machine's."""
    for name in ("lists/partial", "archives/partial", "empty"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    option = f" [signed-by={archive.signed_by}]" if archive.signed_by else ""
    source = f"deb{option} {archive.uri} {suite} {COMPONENTS[archive.distribution]}\n"
    (work / "sources.list").write_text(source, encoding="utf-8")
    settings = {
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::Archives": work / "archives",
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": work / "empty",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": work / "empty",
        "APT::Sandbox::User": "root",  # run by root, apt would become `_apt`, who may not enter this private folder
        "APT::Get::AllowUnauthenticated": "false",
        "Acquire::AllowInsecureRepositories": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        "Acquire::IndexTargets::deb::CNF::DefaultEnabled": "false",
    }
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    lines += [
        f"#clear {hook};" for hook in SYSTEM_HOOKS
    ]  # the system's hooks tidy the system's caches, not this copy's
    config = work / "apt.conf"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config
