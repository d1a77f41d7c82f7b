"""Keys that are not valid: how many of them an address may send before the service stops looking them up."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

import limits
from starlette.requests import Request

from api.errors import TooManyAttemptsError
from api.rates import Rates

# A key is 256 random bits, so this is no guard against guessing: it keeps the database and the log from being flooded.
_LIMIT = limits.parse("60/minute")
# Keys that were good here before: about 100 bytes each.
_GOOD_KEPT = 10_000
# Whoever has one IPv6 address usually has all those that begin like it.
_IPV6_PREFIX = 64


class Attempts:
    """Bad keys by address. Safe to use from several threads.

    A school shares one address, and so do all who come through one proxy: a key that was good here before is therefore looked
    up however many bad ones came from its address, and revoking it acts at once as ever.
    """

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def check(self, origin: str, key: str) -> None:
        """Refuse a key unseen if too many bad ones came from an address.

        Raises:
            TooManyAttemptsError: If so, and the key was never a good one here.
        """
        with self._lock:
            if _digest(key) in self._good:
                return
        wait = self._rates.look(_LIMIT, "bad-keys", origin)
        if wait:
            raise TooManyAttemptsError(wait)

    def failed(self, origin: str, key: str) -> None:
        """Count a key that was not valid."""
        with self._lock:
            self._good.pop(_digest(key), None)
        self._rates.hit(_LIMIT, "bad-keys", origin)

    def succeeded(self, key: str) -> None:
        """Remember a key that was valid, by its hash."""
        digest = _digest(key)
        with self._lock:
            self._good[digest] = None
            self._good.move_to_end(digest)
            if len(self._good) > _GOOD_KEPT:
                self._good.popitem(last=False)


def origin_of(request: Request) -> str:
    """Return where a request comes from: an address, or of IPv6 the network it is in."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, _IPV6_PREFIX), strict=False))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
