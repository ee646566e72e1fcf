"""A private copy of a package from this machine's own distribution, with the signature check of apt itself.

apt gets folders, sources and state of its own, so nothing needs root and nothing of the system changes. The mirror and
its keys are those that the machine is configured for; no host is written here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
    release: str
    signed_by: str


class Copy(NamedTuple):
    """One try: where from, and the folder with the unpacked package, or why there is none."""

    source: str
    files: Path | None
    problem: str = ""


def copies(package: str, folder: Path, suites: Mapping[str, Sequence[str]] | None = None) -> Iterator[Copy]:
    """Try one archive and suite after the other; take what you need before asking for the next, it is removed then.

    `suites` names the suites for each distribution; without it the package comes from the release that runs here.
    """
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        yield Copy("apt", None, f"this machine has no {' and no '.join(missing)}")
        return
    for left in folder.glob("apt-*"):  # by a set-up that was killed
        shutil.rmtree(left, ignore_errors=True)
    archives = find_archives()
    if not archives:
        yield Copy(
            "apt", None, "apt on this machine names no archive of a Debian or Ubuntu (see: apt-get indextargets)"
        )
    for archive in archives:
        for suite in suites[archive.distribution] if suites else [archive.release]:
            print(f"{package}: fetching a private copy from {archive.uri} ({suite}), checked by apt", flush=True)
            with tempfile.TemporaryDirectory(prefix="apt-", dir=folder) as work:
                yield _fetch(package, archive, suite, Path(work))


def find_archives() -> list[Archive]:
    """Return the machine's own distribution archives, the likeliest first."""
    release = _os_release()
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    distribution = next((name for name in names if name in COMPONENTS), None)
    if distribution is None:
        return []
    wanted = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CREATED_BY)"
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", wanted], capture_output=True, text=True, check=False
    ).stdout
    codename = release.get("VERSION_CODENAME", "")
    found: dict[str, tuple[int, str]] = {}
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
            found[uri] = max((score, suite), found.get(uri, (0, "")))
    best = sorted(found, key=lambda uri: -found[uri][0])
    return [Archive(uri, distribution, codename or found[uri][1], _keyring(uri, distribution)) for uri in best]


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _keyring(uri: str, distribution: str) -> str:
    """Return the keyring which this machine trusts for the archive; "" means apt's default keys."""
    signed_by = re.compile(r"signed-by\s*[:=]\s*(/[^\s\],]+)", re.IGNORECASE)
    this_archive = re.compile(rf"{re.escape(uri.rstrip('/'))}/?(\s|$)")
    for stanza in _source_stanzas():
        keyring = signed_by.search(stanza)
        if keyring and this_archive.search(stanza):
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


def _fetch(package: str, archive: Archive, suite: str, work: Path) -> Copy:
    source = f"{archive.uri} {suite}"
    config = _write_apt_config(work, archive, suite)
    for step in (["update"], ["download", package]):
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
            return Copy(source, None, (complaints or run.stderr.splitlines() or [f"apt-get {step[0]} failed"])[0])
    file = next(work.glob(f"{package}_*.deb"), None)
    if file is None:
        return Copy(source, None, "apt-get download left no package")
    subprocess.run(["dpkg-deb", "-x", str(file), str(work / "unpacked")], check=True)
    return Copy(source, work / "unpacked")


def _write_apt_config(work: Path, archive: Archive, suite: str) -> Path:
    """Give apt folders, sources and state of its own below `work`; its proxy and certificates stay the machine's."""
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
    lines += [f"#clear {hook};" for hook in SYSTEM_HOOKS]  # these tidy the system's caches, not this copy's
    config = work / "apt.conf"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config
