"""A plain, fast file server for measurements: sendfile from threads, so that the client is what is measured.

    python -m tests.support.file_origin FOLDER [--rate BYTES_PER_S] [--latency S] [--tls CERT KEY]

`--rate` holds for each connection; `--latency` passes before each answer. Prints its URL. A path's last part names
the file, so a client of the Hugging Face hub finds all of them in any repository (`HF_ENDPOINT`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

_RANGE = re.compile(r"(?mi)^range: bytes=(\d+)-(\d*)\r?$")
_PIECE_BYTES = 1 << 20
_COMMIT = "0" * 40


def serve(folder: Path, rate: int, latency_s: float, context: ssl.SSLContext | None) -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    scheme = "https" if context else "http"
    print(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_client, args=(client, folder, rate, latency_s, context), daemon=True).start()


def _client(raw: socket.socket, folder: Path, rate: int, latency_s: float, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), raw:
        client: Any = context.wrap_socket(raw, server_side=True) if context else raw
        head = b""
        while True:
            while b"\r\n\r\n" not in head:
                got = client.recv(65536)
                if not got:
                    return
                head += got
            request, _, head = head.partition(b"\r\n\r\n")
            time.sleep(latency_s)
            _answer(client, request.decode("latin-1"), folder, rate)


def _answer(client: Any, request: str, folder: Path, rate: int) -> None:
    method, target = request.split(" ", 2)[:2]
    if target.startswith("/api/models/"):
        _tell_repository(client, target, folder)
        return
    path = folder / Path(target.partition("?")[0]).name
    if not path.is_file():
        client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    size = path.stat().st_size
    start, end, status, extra = 0, size, "200 OK", ""
    asked = _RANGE.search(request)
    if asked:
        start, end = int(asked[1]), min(size, int(asked[2]) + 1 if asked[2] else size)
        status, extra = "206 Partial Content", f"Content-Range: bytes {start}-{end - 1}/{size}\r\n"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\nAccept-Ranges: bytes\r\n"
        f'ETag: "{path.name}-{size}"\r\nContent-Type: application/octet-stream\r\nX-Repo-Commit: {_COMMIT}\r\n'
        f"{extra}\r\n"
    )
    client.sendall(head.encode())
    if method == "HEAD":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        _send(client, fd, start, end, rate)
    finally:
        os.close(fd)


def _tell_repository(client: Any, target: str, folder: Path) -> None:
    """Answer what the hub's API says of a repository: its commit, or below /tree/ its files."""
    files = sorted((path.name, path.stat().st_size) for path in folder.iterdir())
    told: Any = {"id": "a/b", "sha": _COMMIT, "siblings": [{"rfilename": name} for name, _ in files]}
    if "/tree/" in target:
        told = [{"type": "file", "path": name, "size": size, "oid": _COMMIT} for name, size in files]
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n"
    client.sendall(head.encode() + body)


def _send(client: Any, fd: int, start: int, end: int, rate: int) -> None:
    began, position = time.monotonic(), start
    piece = max(16384, rate // 20) if rate else _PIECE_BYTES
    while position < end:
        size = min(piece, end - position)
        if isinstance(client, ssl.SSLSocket):
            client.sendall(os.pread(fd, size, position))
            position += size
        else:
            position += os.sendfile(client.fileno(), fd, position, size)
        ahead_s = (position - start) / rate - (time.monotonic() - began) if rate else 0.0
        if ahead_s > 0:
            time.sleep(ahead_s)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    arguments = parser.parse_args()
    context = None
    if arguments.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*arguments.tls)
    serve(arguments.folder, arguments.rate, arguments.latency, context)


if __name__ == "__main__":
    main()
