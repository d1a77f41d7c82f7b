"""The service that one would write in an afternoon: `SentenceTransformer.encode` for each request, `util.cos_sim`, FastAPI.

    python -m benchmarks.naive_service --port N

It gives a cosine to the closest reference answer and nothing else: no keywords, no verdicts, no feedback. References are encoded
once. It is what the benchmarks hold the grader's service against, with the same weights.
"""

from __future__ import annotations

import argparse
import os
from typing import Annotated

import torch
import uvicorn
from fastapi import Body, FastAPI
from sentence_transformers import SentenceTransformer, util

from grader import ItemBank, default_bank_dir
from grader.weights import find_weights


def use_all_cores() -> None:
    """Let torch share its products among all cores, whatever the environment says of that (`OMP_NUM_THREADS`)."""
    torch.set_num_threads(os.cpu_count() or 1)


def create_app() -> FastAPI:
    """Return the service."""
    model = SentenceTransformer(str(find_weights()), device="cpu", local_files_only=True)
    bank = ItemBank.from_directory(default_bank_dir())
    references = {item.id: model.encode([r.text for r in item.reference_answers], convert_to_tensor=True) for item in bank}
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> bool:
        return True

    @app.post("/v1/grades")
    def grade(item_id: Annotated[str, Body()], candidate_answer: Annotated[str, Body()]) -> float:
        vector = model.encode(candidate_answer, convert_to_tensor=True)
        return float(util.cos_sim(vector, references[item_id]).max())

    return app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    use_all_cores()
    uvicorn.run(create_app(), host=arguments.host, port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
