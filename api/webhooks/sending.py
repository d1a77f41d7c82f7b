"""One attempt to deliver a message: to an address that may be called, signed, and with what came of it written down."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import httpx2
from sqlalchemy import select
from standardwebhooks import Webhook as Signer

from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import Delivery, Webhook
from api.webhooks.shapes import DeliveryState

# Pauses between attempts: nine of them, in all about three days.
PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1_800, 7_200, 28_800, 86_400, 129_600))
_TIMEOUT_S = 10.0
_MAX_PROBLEM_CHARS = 200
_GIVEN_OUT = IPv6Network("2000::/3")
# Public by its numbers, and used inside networks.
_ASSIGNMENTS = IPv4Network("192.0.0.0/24")


class TargetRefusedError(Exception):
    """An address that must not be called; the message is a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What it takes to deliver anybody's messages."""

    database: Database
    private_targets: bool

    def due(self, limit: int) -> list[tuple[str, int, int]]:
        """Return messages whose next attempt may be made: id, round and attempts so far."""
        query = select(Delivery.id, Delivery.round, Delivery.attempts).order_by(Delivery.due_at).limit(limit)
        with self.database.system(read_only=True) as session:
            found = session.execute(query.where(Delivery.state == DeliveryState.WAITING, Delivery.due_at <= now())).all()
        return [(delivery_id, in_round, attempts) for delivery_id, in_round, attempts in found]

    def attempt(self, delivery_id: str, in_round: int, attempts: int) -> None:
        """Make one attempt, unless it was made already, and write down what came of it."""
        with self.database.system(read_only=True) as session:
            row = session.get(Delivery, delivery_id)
            webhook = None if row is None else session.get(Webhook, row.webhook_id)
        if row is None or webhook is None or not _is_next(row, in_round, attempts):
            return
        problem = self._send(webhook, row)
        with self.database.system() as session:
            row = session.get(Delivery, delivery_id, with_for_update=True)
            if row is None or not _is_next(row, in_round, attempts):
                return
            row.attempts += 1
            row.problem = problem
            if problem is None:
                row.state, row.delivered_at = DeliveryState.DELIVERED, now()
            elif row.attempts > len(PAUSES):
                row.state = DeliveryState.DEAD
            else:
                row.due_at = now() + PAUSES[row.attempts - 1]

    def _send(self, webhook: Webhook, row: Delivery) -> str | None:
        """Send a message, and return what went wrong."""
        moment = now()
        headers = {
            "content-type": "application/json",
            "webhook-id": row.id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Signer(webhook.secret).sign(row.id, moment, row.body),
        }
        try:
            status = asyncio.run(self._answer(webhook.url, row.body.encode(), headers))
        except TargetRefusedError as error:
            return str(error)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return f"The address could not be called: {type(error).__name__}."[:_MAX_PROBLEM_CHARS]
        return None if httpx2.codes.is_success(status) else f"The address answered with status {status}."

    async def _answer(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Return the status that an address answers with, all in all within the time there is for it.

        A limit for each step would not do: an address that sends a byte now and then could keep its place for days.

        Raises:
            TargetRefusedError: If the address must not be called.
            TimeoutError: If the time is over.
        """
        async with asyncio.timeout(_TIMEOUT_S):
            target, host = await self._target(url)
            # Of what is answered only the status is read: the address is not ours to trust, and may send without end.
            async with (
                httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    target,
                    content=body,
                    headers={**headers, "host": host},
                    extensions={"sni_hostname": urlsplit(url).hostname or ""},
                ) as response,
            ):
                return response.status_code

    async def _target(self, url: str) -> tuple[str, str]:
        """Return a URL with the network address that its name stands for, and the name as the header Host has it.

        The name is looked up once, here: looked up again for the call it could stand for another, private address.

        Raises:
            TargetRefusedError: If it is an address of a private network, where a webhook could be used to reach into.
        """
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if not self.private_targets and not all(map(is_public, addresses)):
            raise TargetRefusedError("The address is in a private network, which GRADER_WEBHOOK_PRIVATE_TARGETS does not allow.")
        chosen = addresses[0]
        named = f"[{chosen}]" if isinstance(chosen, IPv6Address) else str(chosen)
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=f"{named}{port}").geturl(), parts.netloc.rpartition("@")[2]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one of the public internet, for one machine, and leads to no other address.

    Of IPv6 that leaves the one range which is given out, without the part of it that wraps addresses of IPv4: those that wrap
    them elsewhere, such as `::ffff:10.0.0.1` or `64:ff9b::10.0.0.1`, are outside of it.
    """
    if isinstance(address, IPv6Address):
        return address in _GIVEN_OUT and address.sixtofour is None and address.is_global
    return address.is_global and not address.is_multicast and address not in _ASSIGNMENTS


def _is_next(row: Delivery, in_round: int, attempts: int) -> bool:
    return (row.state, row.round, row.attempts) == (DeliveryState.WAITING, in_round, attempts)
