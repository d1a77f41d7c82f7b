"""How bytes become requests: uvicorn's protocol on `httptools`, with the limit on headers that this parser leaves to its user."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536


class BoundedHttpToolsProtocol(HttpToolsProtocol):
    """Ends a connection whose address, headers or trailers do not end.

    The parser collects them without a limit, and joins what belongs to one header anew with every piece that arrives.
    """

    # Bytes since the parser last told of something whole: a message, all of its headers, a piece of its body.
    _pending = 0

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and refuse what is too much without having led to anything."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_headers_complete(self) -> None:
        """Begin to count anew."""
        self._pending = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to count anew."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin to count anew."""
        self._pending = 0
        super().on_message_complete()
