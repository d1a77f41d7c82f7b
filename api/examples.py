"""Examples of the page of API docs; each can be sent as it stands while the shipped bank is served."""

from __future__ import annotations

import json
from typing import Any

import yaml
from fastapi.openapi.models import Example

_ANSWER = (
    "During training dropout turns off some of the neurons at random. "
    "No neuron can rely on the others, so the network overfits less."
)
_SIGNATURE = "grader-0.1.0|all-MiniLM-L6-v2@53aa51172d14/onnx-int8-v6|scoring-991ab8fc4a2b|verifier-d0c22231aac3"
_ROW: dict[str, Any] = {"item_id": "dropout", "candidate_answer": _ANSWER, "attempt_id": "attempt-17"}
_OWN_ITEM: dict[str, Any] = {
    "question": "Why does the sky look blue?",
    "reference_answers": [
        {"text": "Air scatters short blue waves of sunlight much more than long red ones, so the sky looks blue."}
    ],
    "max_mark": 5,
}
_OWN_ROW: dict[str, Any] = {
    "item": _OWN_ITEM,
    "candidate_answer": "Blue light is scattered by the air more strongly than red light.",
}

GRADE_REQUESTS: dict[str, Example] = {
    "bank": {"summary": "An item of the bank", "value": _ROW},
    "own": {"summary": "An item of your own", "value": _OWN_ROW},
}
GRADE_BATCHES: dict[str, Example] = {
    "rows": {"summary": "Two rows", "value": {"rows": [_ROW, _OWN_ROW]}},
    "list": {"summary": "A bare list", "value": [_ROW]},
    "partly": {
        "summary": "A bad row among good ones",
        "value": {"rows": [_ROW, {"item_id": "no-such-item", "candidate_answer": _ANSWER}]},
    },
}
ITEM_PUBLIC: dict[str, Any] = {
    "id": "dropout",
    "question": "What is dropout, and why is it used?",
    "topic": "Basics",
    "section": "Techniques",
    "difficulty": "easy",
    "max_mark": 10,
}
GRADED_ANSWER: dict[str, Any] = {
    "score": 0.7068,
    "mark": 7.0,
    "max_mark": 10,
    "grade": "good",
    "interval": {"low": 0.3568, "high": 1.0},
    "semantic_similarity": 0.8206,
    "keyword_coverage": 0.85,
    "keywords": {"matched": ["regularisation", "overfitting", "random", "switch off", "robust"], "missing": ["feature"]},
    "key_points": [
        {
            "id": "regularisation",
            "verdict": "covered",
            "weight": 3,
            "similarity": 0.6062,
            "evidence": [
                {"start": 0, "end": 64, "text": _ANSWER[:64]},
                {"start": 114, "end": 127, "text": "overfits less"},
            ],
        },
        {
            "id": "random-switch-off",
            "verdict": "covered",
            "weight": 4,
            "similarity": 0.8959,
            "evidence": [{"start": 0, "end": 64, "text": _ANSWER[:64]}],
        },
        {"id": "robust-features", "verdict": "missing", "weight": 3, "similarity": 0.6369, "evidence": []},
    ],
    "flags": [],
    "needs_review": False,
    "review_reasons": [],
    "feedback": ["This is a good answer.", "It covers 2 of 3 key points.", "Nothing was found about “feature”."],
    "signature": f"{_SIGNATURE}|item-7127ea0f8d5b",
    "item_id": "dropout",
    "attempt_id": "attempt-17",
}
STORED_RESULT: dict[str, Any] = {
    "id": "019a3b1c5d7e00112233445566778899",
    "created_at": "2026-03-01T09:30:00.120000Z",
    "key_name": "quiz",
    "bank_id": "shipped",
    "item_id": "dropout",
    "item_version": "2026.3",
    "content_hash": "7127ea0f8d5b000000000000000000000000000000000000000000000000000",
    "attempt_id": "attempt-17",
    "subject_id": "person-5",
    "candidate_answer": _ANSWER,
    "grading_ms": 14.2,
    "replaces_id": "019a3a0f11220033445566778899aabb",
    "replaced": False,
    "result": {name: value for name, value in GRADED_ANSWER.items() if name not in {"item_id", "attempt_id"}},
}
REVIEWED_RESULT: dict[str, Any] = {**STORED_RESULT, "reviews": 1, "reviewed_score": 0.9, "reviewed_mark": 9.0}
RESULT_PAGE: dict[str, Any] = {"results": [REVIEWED_RESULT], "next_cursor": STORED_RESULT["id"]}
ITEM_PAGE: dict[str, Any] = {"items": [ITEM_PUBLIC], "total": 1, "limit": 50, "offset": 0}
BATCH_RESULT: dict[str, Any] = {
    "graded": 1,
    "failed": 1,
    "rows": [
        {"index": 0, "result": GRADED_ANSWER},
        {
            "index": 1,
            "problem": {
                "type": "/problems/item-not-found",
                "title": "Item not found",
                "status": 404,
                "detail": "No item 'no-such-item' in the bank.",
                "errors": [
                    {
                        "loc": ["body", "rows", 1, "item_id"],
                        "msg": "No item with this id is in the bank",
                        "type": "item_not_found",
                    }
                ],
            },
        },
    ],
}
INFO: dict[str, Any] = {
    "version": "0.1.0",
    "signature": _SIGNATURE,
    "encoder": "all-MiniLM-L6-v2@53aa51172d14/onnx-int8-v6",
    "bank": {"version": "2026.3", "items": 30},
    "limits": {
        "max_answer_chars": 20_000,
        "max_batch_rows": 1_000,
        "max_body_bytes": 8_000_000,
        "max_upload_bytes": 1_000_000_000,
        "max_job_rows": 1_000_000,
        "max_page_items": 100,
        "max_in_flight": 2,
    },
}

STORED_BANK: dict[str, Any] = {
    "id": "physics",
    "title": "Physics, year 9",
    "read_only": False,
    "archived": False,
    "published": 12,
    "drafts": 1,
}
_NEW_ITEM: dict[str, Any] = {
    "id": "gravity",
    "topic": "Physics",
    "section": "Forces",
    "difficulty": "easy",
    "question": "Why do things fall?",
    "reference_answers": [
        {"kind": "short", "text": "Gravity pulls them."},
        {"kind": "full", "text": "The gravity of the Earth pulls all things towards its centre."},
    ],
    "key_points": [{"id": "pull", "text": "Gravity pulls things down.", "keywords": [["gravity", "gravitation"]]}],
}
STORED_ITEM: dict[str, Any] = {
    "version": "2",
    "state": "published",
    "content_hash": "5" * 64,
    "created_at": "2026-03-01T09:30:00.120000Z",
    "item": _NEW_ITEM,
}
NEW_BANKS: dict[str, Example] = {"bank": {"summary": "A bank", "value": {"id": "physics", "title": "Physics, year 9"}}}
NEW_ITEMS: dict[str, Example] = {"item": {"summary": "An item", "value": _NEW_ITEM}}
IMPORT_REPORT: dict[str, Any] = {
    "valid": False,
    "saved": False,
    "items": ["gravity"],
    "unchanged": 0,
    "problems": [{"place": "line 3", "field": "difficulty", "message": "Field required"}],
}
_CSV = (
    "id,topic,section,difficulty,question,reference_short,reference_full,key_point_1,key_point_1_keywords\n"
    "gravity,Physics,Forces,easy,Why do things fall?,Gravity pulls them.,"
    "The gravity of the Earth pulls all things towards its centre.,Gravity pulls things down.,gravity | gravitation\n"
)
IMPORTS: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}, "examples": {"csv": {"summary": "CSV", "value": _CSV}}},
    "application/jsonl": {
        "schema": {"type": "string"},
        "examples": {"jsonl": {"summary": "JSONL", "value": json.dumps(_NEW_ITEM)}},
    },
    "application/yaml": {
        "schema": {"type": "string"},
        "examples": {"yaml": {"summary": "YAML", "value": yaml.safe_dump([_NEW_ITEM], sort_keys=False)}},
    },
}
REGRADES: dict[str, Example] = {
    "look": {"summary": "Show the difference", "value": {"dry_run": True}},
    "store": {"summary": "Store new results", "value": {"bank_id": "shipped", "dry_run": False}},
}
REGRADE_REPORT: dict[str, Any] = {
    "item_version": "3",
    "stored": True,
    "affected": 242,
    "graded": 200,
    "next_cursor": STORED_RESULT["replaces_id"],
    "differences": [
        {
            "result_id": STORED_RESULT["replaces_id"],
            "new_result_id": STORED_RESULT["id"],
            "attempt_id": "attempt-17",
            "old_score": 0.61,
            "new_score": 0.76,
            "old_mark": 6.0,
            "new_mark": 7.5,
            "reviews": 1,
        }
    ],
}
CALIBRATES: dict[str, Example] = {
    "look": {"summary": "Show what it would bring", "value": {"dry_run": True}},
    "store": {"summary": "Grade by it", "value": {"bank_id": "shipped", "dry_run": False}},
}
CALIBRATION: dict[str, Any] = {
    "bank_id": "physics",
    "item_id": "gravity",
    "created_at": "2026-03-02T15:00:00Z",
    "key_name": "teacher",
    "answers": 24,
    "in_use": True,
}
CALIBRATION_REPORT: dict[str, Any] = {
    "item_version": "3",
    "stored": True,
    "answers": 24,
    "signature": "calibration-3f2a91c07be4",
    "before": {"n": 24, "qwk": 0.81, "rmse": 0.17, "exact": 0.42, "adjacent": 0.75},
    "after": {"n": 24, "qwk": 0.88, "rmse": 0.13, "exact": 0.5, "adjacent": 0.83},
}
REVIEW: dict[str, Any] = {
    "id": "019a3b2f00112233445566778899aabb",
    "created_at": "2026-03-02T14:05:00Z",
    "result_id": STORED_RESULT["id"],
    "reviewer": "Ms Rahman",
    "key_name": "teacher",
    "decision": "override",
    "score": 0.9,
    "mark": 9.0,
    "key_points": [{"id": "robust-features", "verdict": "covered"}],
    "comment": "Said in other words.",
}
NEW_REVIEWS: dict[str, Example] = {
    "accept": {"summary": "The machine is right", "value": {"decision": "accept", "reviewer": "Ms Rahman"}},
    "override": {
        "summary": "The machine is wrong",
        "value": {"decision": "override", "score": 0.9, "comment": "Said in other words."},
    },
}
_AGREEMENT: dict[str, Any] = {"answers": 40, "exact": 0.7, "adjacent": 0.95, "qwk": 0.91, "rmse": 0.08}
AGREEMENT_REPORT: dict[str, Any] = {"with_machine": _AGREEMENT, "between_reviewers": _AGREEMENT}
USAGE_REPORT: dict[str, Any] = {
    "days": [{"day": "2026-03-01", "key_name": "quiz", "requests": 120, "answers": 480, "characters": 96_000}]
}
JOB: dict[str, Any] = {
    "id": "019a3c4d00112233445566778899aabb",
    "name": "Spring exam",
    "created_at": "2026-03-03T08:00:00Z",
    "state": "running",
    "bank_id": "shipped",
    "store": False,
    "columns": ["item_id", "candidate_answer", "student"],
    "rows": 12_000,
    "rows_done": 3_072,
    "rows_failed": 2,
    "rows_for_review": 610,
    "rows_per_second": 64.0,
    "seconds_left": 139.5,
}
JOB_PAGE: dict[str, Any] = {"jobs": [JOB], "next_cursor": JOB["id"]}
JOB_SUMMARY: dict[str, Any] = {
    "rows": 40,
    "graded": 38,
    "failed": 2,
    "for_review": 9,
    "mean_score": 0.5861,
    "histogram": [4, 1, 0, 1, 1, 2, 0, 1, 2, 1, 2, 3, 1, 2, 4, 5, 3, 2, 2, 1],
    "flags": {"contradicts": 3, "off_topic": 2},
    "items": {
        "dropout": {"answers": 38, "mean_score": 0.5861, "standard_deviation": 0.2817, "for_review": 9, "discrimination": 0.41}
    },
}
NEW_JOBS: dict[str, Any] = {
    "application/json": {
        "schema": {"type": "array", "items": {"type": "object"}},
        "examples": {"list": {"summary": "A JSON list", "value": [_ROW]}},
    },
    "text/csv": {
        "schema": {"type": "string"},
        "examples": {"csv": {"summary": "CSV", "value": f'item_id,candidate_answer,student\ndropout,"{_ANSWER}",17\n'}},
    },
    "application/jsonl": {
        "schema": {"type": "string"},
        "examples": {"jsonl": {"summary": "JSONL", "value": json.dumps(_ROW)}},
    },
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}
WEBHOOK: dict[str, Any] = {
    "id": "019a3c5e00112233445566778899aabb",
    "created_at": "2026-03-03T08:00:00Z",
    "url": "https://school.example/hooks/grader",
    "events": ["job.finished"],
}
CREATED_WEBHOOK: dict[str, Any] = {**WEBHOOK, "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
WEBHOOK_LIST: dict[str, Any] = {"webhooks": [WEBHOOK]}
NEW_WEBHOOKS: dict[str, Example] = {
    "jobs": {"summary": "Told of jobs", "value": {"url": WEBHOOK["url"], "events": ["job.finished"]}},
    "all": {"summary": "Told of everything", "value": {"url": WEBHOOK["url"]}},
}
DELIVERY: dict[str, Any] = {
    "id": "019a3c6f00112233445566778899aabb",
    "created_at": "2026-03-03T09:00:00Z",
    "webhook_id": WEBHOOK["id"],
    "event": "job.finished",
    "state": "dead",
    "attempts": 10,
    "problem": "The address answered with status 503.",
}
DELIVERY_PAGE: dict[str, Any] = {"deliveries": [DELIVERY], "next_cursor": DELIVERY["id"]}
ROW_PAGE: dict[str, Any] = {
    "rows": [
        {"number": 2, "values": {"item_id": "no-such-item", "student": "17"}, "problem": "No item 'no-such-item' in the bank."}
    ],
    "next_first": 52,
    "total": 120,
}
NEW_TOKENS: dict[str, Example] = {
    "page": {"summary": "For a page of a quiz", "value": {"item_ids": ["dropout"], "origin": "https://quiz.example"}},
    "person": {
        "summary": "For one person's attempt",
        "value": {
            "item_ids": ["dropout", "optimiser"],
            "expires_in_s": 3_600,
            "origin": "https://quiz.example",
            "subject_id": "person-5",
            "attempt_id": "attempt-17",
            "store": True,
        },
    },
}
TOKEN: dict[str, Any] = {
    "token": "gt_kR5o2mTQmXq0mS1n6zv9b1yH3u8WcD4eF7gJ0lLpAaE",
    "expires_at": "2026-03-01T09:45:00.120000Z",
    "bank_id": "shipped",
    "item_ids": ["dropout"],
}
