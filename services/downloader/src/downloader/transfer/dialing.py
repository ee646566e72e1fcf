"""From a hop to a connected socket: every address checked before and after connecting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from aiohappyeyeballs import start_connection

from downloader.sources import Hop, check_address

HAPPY_EYEBALLS_DELAY_S = 0.25
# On a near link a large window holds no more speed, only bytes that a kill would have us fetch again.
NEAR_RTT_US = 2000
NEAR_WINDOW_BYTES = 1 << 20
_TCP_INFO_RTT = struct.Struct("=68xI")


async def dial(hop: Hop) -> socket.socket:
    """Connect to an address that was checked, and check the peer that was really reached."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
    for info in found:
        check_address(hop, str(info[4][0]))
    sock = await start_connection(found, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_S, interleave=1)
    try:
        check_address(hop, str(sock.getpeername()[0]))
    except BaseException:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _keep_window_near(sock)
    return sock


def _keep_window_near(sock: socket.socket) -> None:
    """Bound what the kernel holds for us on a near link, where the server's log would count it as sent."""
    if not hasattr(socket, "TCP_INFO") or not hasattr(socket, "TCP_WINDOW_CLAMP"):
        return
    with contextlib.suppress(OSError):
        (rtt_us,) = _TCP_INFO_RTT.unpack_from(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))
        if rtt_us < NEAR_RTT_US:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, NEAR_WINDOW_BYTES)
