"""How long one grade takes over HTTP with 1, 8 and 64 clients at once, beside the naive service in the same run.

    python -m benchmarks.latency [--requests N] [--json FILE]

Starts the real servers on free loopback ports, with nothing mocked, and stops by itself. Every answer has 60 words and no two are
alike, so nothing that is remembered helps; the rounds of the services alternate. A second table is of answers as people write
them: the shipped bank's marked ones. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring import Row, Times, answers, keep, load, marked_answers, served, show
from grader import ItemBank, default_bank_dir

_CLIENTS = (1, 8, 64)
_ROUNDS = 2
_SERVICES = {
    "grader": ([sys.executable, "-m", "grader", "serve"], {}),
    "grader, fp32": ([sys.executable, "-m", "grader", "serve"], {"GRADER_PRECISION": "fp32"}),
    "naive": ([sys.executable, "-m", "benchmarks.naive_service"], {}),
}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=256, help="for each service, number of clients and round")
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bank = ItemBank.from_directory(default_bank_dir())
    figures: dict[str, Times] = {}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(served(command, "/readyz", extra))[0] for name, (command, extra) in _SERVICES.items()}
        for clients in _CLIENTS:
            best: dict[str, Times] = {}
            for round_ in range(_ROUNDS):
                seed = clients * 10 + round_
                bodies = _bodies(answers(bank, words=arguments.words, count=arguments.requests, seed=seed))
                for name, port in ports.items():
                    times = load(port, "/v1/grades", bodies, clients=clients)
                    best[name] = times if name not in best or times.rate > best[name].rate else best[name]
            figures |= {f"{name}, {clients}": times for name, times in best.items()}
        marked = marked_answers(bank, count=arguments.requests)
        for name, port in ports.items():
            figures[f"{name}, marked"] = load(port, "/v1/grades", _bodies(marked), clients=1)
    show(
        f"One grade over HTTP, {arguments.words} words; the better of {_ROUNDS} rounds",
        ["service", "clients", "p50 ms", "p95 ms", "p99 ms", "requests/s", "times naive rate", "p50 of naive p50"],
        [_row(name, clients, figures) for clients in _CLIENTS for name in _SERVICES],
    )
    words = statistics.median(len(answer.split()) for _, answer in marked)
    show(
        f"The same for {len(marked)} marked answers, {words:.0f} words in the median",
        ["service", "clients", "p50 ms", "p95 ms", "p99 ms", "requests/s"],
        [[name, 1, *figures[f"{name}, marked"]] for name in _SERVICES],
    )
    keep(arguments.json, {"latency": {name: times._asdict() for name, times in figures.items()}})


def _bodies(rows: Sequence[Row]) -> list[bytes]:
    return [json.dumps({"item_id": item.id, "candidate_answer": answer}).encode() for item, answer in rows]


def _row(name: str, clients: int, figures: dict[str, Times]) -> list[object]:
    times, naive = figures[f"{name}, {clients}"], figures[f"naive, {clients}"]
    return [name, clients, *times, f"{times.rate / naive.rate:.2f}", f"{times.p50 / naive.p50:.2f}"]


if __name__ == "__main__":
    main()
