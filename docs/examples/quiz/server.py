"""A quiz of another site: its server holds the key of the grader, and its page gets tokens that grade its two questions.

    GRADER_URL=http://127.0.0.1:8000 GRADER_KEY=gk_... PORT=9000 python server.py

Nothing but Python is needed. A site of its own would know who is signed in, and name that person in what it asks for.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

FOLDER = Path(__file__).parent
GRADER = os.environ.get("GRADER_URL", "http://127.0.0.1:8000").rstrip("/")
KEY = os.environ.get("GRADER_KEY", "")
PORT = int(os.environ.get("PORT", "9000"))
ORIGIN = f"http://127.0.0.1:{PORT}"
QUESTIONS = ["dropout", "overfitting"]
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/quiz.js": ("quiz.js", "text/javascript; charset=utf-8"),
    "/quiz.css": ("quiz.css", "text/css; charset=utf-8"),
}
MAX_BODY_BYTES = 1_000
# As strict as a page can be: the grader's script and answers, and nothing else from elsewhere, nor anything in line.
POLICY = (
    f"default-src 'none'; script-src 'self' {GRADER}; connect-src 'self' {GRADER}; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


class Quiz(BaseHTTPRequestHandler):
    """The pages of the quiz, and tokens for them."""

    def do_GET(self) -> None:
        """Send a page."""
        name, kind = FILES.get(self.path, ("", ""))
        if not name:
            self.send_error(404)
            return
        text = (FOLDER / name).read_text(encoding="utf-8").replace("{{grader}}", GRADER)
        self._answer(200, text.encode(), kind)

    def do_POST(self) -> None:
        """Send a token for one question of the quiz."""
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(min(int(length), MAX_BODY_BYTES)) if length.isdecimal() else b""
        try:
            item_id = json.loads(body)["item_id"]
        except (ValueError, KeyError, TypeError):
            item_id = None
        # Only our own page may ask, and only for what our quiz asks.
        if self.path != "/token" or self.headers.get("Origin") != ORIGIN or item_id not in QUESTIONS:
            self.send_error(404)
            return
        self._answer(*new_token(item_id), "application/json")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


def new_token(item_id: str) -> tuple[int, bytes]:
    """Ask the grader for a token that grades this question, from this site's pages, for ten minutes."""
    wanted = {"item_ids": [item_id], "origin": ORIGIN, "expires_in_s": 600}
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {KEY}"} if KEY else {})}
    request = Request(f"{GRADER}/v1/tokens", json.dumps(wanted).encode(), headers)  # noqa: S310 the address is a setting
    try:
        with urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, response.read()
    except HTTPError as error:
        return 502, json.dumps({"detail": f"The grader answered with the status {error.code}."}).encode()
    except URLError:
        return 502, json.dumps({"detail": "The grader cannot be reached."}).encode()


if __name__ == "__main__":
    sys.stderr.write(f"The quiz is at {ORIGIN}\n")
    ThreadingHTTPServer(("127.0.0.1", PORT), Quiz).serve_forever()
