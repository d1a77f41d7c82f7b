"""How long one grade takes: from a cold shell, over HTTP, and until the server is ready.

    python -m benchmarks.latency [--requests N]

Starts the real command line and the real server on a free loopback port, with nothing mocked, and stops by itself. Run it with
nothing else on the machine; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

_ITEM = "dropout"
_ANSWER = (
    "Dropout is a way to regularise a neural network. While training, each unit is switched off at random with some probability, "
    "so no unit can count on the others being there. The network has to spread what it knows and ends up with features that hold "
    "for new data too, which is why it overfits less. When it predicts, all units are kept."
)
_READY_WITHIN_S = 60.0
# Words: the first sentence of the answer above, the first two, all of it.
_LENGTHS = (9, 31, 63)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--cold-starts", type=int, default=5)
    arguments = parser.parse_args()
    subprocess.run([sys.executable, "-m", "grader", "prepare"], check=True, stderr=subprocess.DEVNULL)
    cold = [_cold_grade_s() for _ in range(arguments.cold_starts)]
    port = _free_port()
    command = [sys.executable, "-m", "grader", "serve", "--host", "127.0.0.1", "--port", str(port)]
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ready = _seconds_until_ready(f"http://127.0.0.1:{port}", started)
        base = f"http://127.0.0.1:{port}"
        took_ms = {
            length: sorted(_request_ms(base, " ".join(_ANSWER.split()[:length])) for _ in range(arguments.requests))
            for length in _LENGTHS
        }
    finally:
        server.terminate()
        server.wait(timeout=30)
    print("| measured | median | 95th percentile | target |\n|---|---|---|---|")
    print(
        f"| `grader grade` from a cold shell | {statistics.median(cold):.2f} s | {max(cold):.2f} s (most of {len(cold)}) | 2 s |"
    )
    print(f"| server ready after start | {ready:.2f} s | – | 5 s |")
    for length, times in took_ms.items():
        row = f"{statistics.median(times):.1f} ms | {_percentile(times, 0.95):.1f} ms"
        print(f"| one grade over HTTP, {length} words | {row} | 30 ms |")


def _cold_grade_s() -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "grader", "grade", _ITEM, _ANSWER, "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _seconds_until_ready(base: str, started: float) -> float:
    while time.perf_counter() - started < _READY_WITHIN_S:
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=5) as answer:  # noqa: S310 loopback
                if answer.status == 200:  # noqa: PLR2004 OK
                    return time.perf_counter() - started
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise TimeoutError("the server was not ready in a minute")


def _request_ms(base: str, answer: str) -> float:
    body = json.dumps({"item_id": _ITEM, "candidate_answer": answer}).encode()
    request = urllib.request.Request(f"{base}/v1/grades", body, {"Content-Type": "application/json"})  # noqa: S310 loopback
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 loopback
        reply.read()
    return (time.perf_counter() - started) * 1000


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
