"""What one client of the service does, for locust: grades, now and then a few at once or a look at the items.

`python -m benchmarks.load` runs it with a server of its own. Against another one of yours:

    locust -f benchmarks/locustfile.py --headless --users 200 --spawn-rate 50 --run-time 2m --host http://127.0.0.1:8000

GRADER_KEY holds a key with the scope `grade`, where the service has keys. A client that is told to come back (429) does so when
the answer says; that counts as no failure.
"""

from __future__ import annotations

import itertools
import os
import random

import gevent
from locust import FastHttpUser, between, tag, task
from locust.contrib.fasthttp import ResponseContextManager

from grader import ItemBank, default_bank_dir

_BATCH_ROWS = 5
_RETRY_S = 1.0
_BANK = ItemBank.from_directory(default_bank_dir())
_ANSWERS = [(item.id, response.candidate_answer) for item in _BANK for response in _BANK.responses[item.id]]
_number = itertools.count()


def new_row() -> dict[str, str]:
    """Return an answer that was not sent before, so that nothing can be answered from memory."""
    item_id, answer = random.choice(_ANSWERS)  # noqa: S311 nothing secret
    return {"item_id": item_id, "candidate_answer": f"{answer} ({next(_number)})"}


class Client(FastHttpUser):
    """Somebody who sends the next request about a second after the last answer."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Take up the key."""
        key = os.environ.get("GRADER_KEY", "")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    @tag("grade")
    @task(17)
    def grade(self) -> None:
        """Have one answer graded."""
        self._send("/v1/grades", new_row())

    @tag("batch")
    @task(2)
    def grade_batch(self) -> None:
        """Have a few answers graded at once."""
        self._send("/v1/grades/batch", [new_row() for _ in range(_BATCH_ROWS)])

    @tag("items")
    @task(1)
    def list_items(self) -> None:
        """Look at the items."""
        with self.client.get("/v1/items?limit=10", headers=self.headers, catch_response=True) as response:
            self._judge(response)

    def _send(self, path: str, body: object) -> None:
        with self.client.post(path, json=body, headers=self.headers, catch_response=True) as response:
            self._judge(response)

    def _judge(self, response: ResponseContextManager) -> None:
        """Count an answer as a success if it is one, or asks to come back, and do that."""
        if response.status_code == 429:  # noqa: PLR2004 too many requests
            response.request_meta["name"] += " (429)"
            response.success()
            gevent.sleep(float(response.headers.get("Retry-After", _RETRY_S)))
        elif response.status_code != 200:  # noqa: PLR2004 the only other good answer
            response.failure(f"status {response.status_code}")
