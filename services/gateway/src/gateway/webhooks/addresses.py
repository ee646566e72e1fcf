"""Where a request may go: the address that is really connected to is checked, not the name it was found by.

A public name must lead to public addresses only, so that whoever owns the name cannot point it into our network. A
private or loopback address is for those who write it down literally, or as `localhost`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpcore

Address = IPv4Address | IPv6Address


class ForbiddenAddressError(httpcore.ConnectError):
    """The host leads to an address where nothing may be sent."""


def check(host: str, found: str) -> None:
    """Raise ForbiddenAddressError unless a request for `host` may be sent to the address `found`."""
    address = _plain(ip_address(found.partition("%")[0]))
    if address.is_global and not address.is_multicast:
        return
    if host.lower().rstrip(".") == "localhost" and address.is_loopback:
        return
    if _literal(host) == address and (address.is_loopback or _is_of_a_house(address)):
        return
    raise ForbiddenAddressError(f"{host} leads to {address}, where nothing is sent unless that address is listed")


def _literal(host: str) -> Address | None:
    try:
        return _plain(ip_address(host.strip("[]")))
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_of_a_house(address: Address) -> bool:
    odd = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    return address.is_private and not odd


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only, each to the address that was checked: a second look-up could differ."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the host that answers."""
        error: httpcore.ConnectError | None = None
        for address in await self._addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as failure:
                error = failure
        raise error or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(self, path: str, *_rest: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        """Refuse: there is no such address."""
        raise httpcore.ConnectError(f"{path} is no web address")

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error.strerror or error}") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        for address in addresses:
            check(host, address)
        return addresses
