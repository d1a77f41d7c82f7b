"""How bytes become requests: uvicorn's protocol on `httptools`, with the limits on headers that these leave to their user."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536
# Long enough for the slowest line; each connection takes one of the files that the server may have open.
HEAD_S = 20.0


class BoundedHttpToolsProtocol(HttpToolsProtocol):
    """Ends a connection whose address, headers or trailers do not end, or do not come.

    The parser collects them without a limit, and joins what belongs to one header anew with every piece that arrives.
    """

    # Bytes since the parser last told of something whole: a message, all of its headers, a piece of its body.
    _pending = 0
    _deadline: asyncio.TimerHandle | None = None
    _has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of a further request."""
        super().on_message_begin()
        self._has_begun = True
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and refuse what is too much without having led to anything."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_headers_complete(self) -> None:
        """Begin to count anew, and wait no longer."""
        self._pending = 0
        self._has_begun = False
        self._wait_no_longer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to count anew."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin to count anew."""
        self._pending = 0
        super().on_message_complete()

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._give_up)

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._has_begun:
            self.send_400_response("The headers did not come in time.")
        else:
            # Browsers open connections that they may need; an answer to nothing could be taken for one to what they ask next.
            self.transport.close()
