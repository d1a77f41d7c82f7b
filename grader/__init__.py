"""Grading of written answers: by meaning and by keyword coverage, with evidence for every mark."""

from grader.agreement import adjacent_agreement, exact_agreement, qwk, rmse
from grader.bank import ItemBank, MarkedResponse, checksums, default_bank_dir
from grader.calibration import MAX_MARKS, MIN_MARKS, Calibration, calibrate, suggest, with_calibration
from grader.compiled import open_bank
from grader.cross_validation import AgreementFigures, CalibrationReport, cross_validate
from grader.encoders import Encoder, OnnxEncoder, SentenceTransformerEncoder
from grader.errors import (
    CalibrationError,
    CompiledBankError,
    EncoderError,
    FileProblem,
    GraderError,
    InvalidAnswerError,
    InvalidBankError,
    ItemNotFoundError,
    MarkedDataError,
    ScoringModelError,
)
from grader.evidence import NAMES as EVIDENCE_NAMES
from grader.evidence import Evidence
from grader.grader import Grader, check_answer
from grader.groups import AnswerGroup, group_answers
from grader.imports import MAX_IMPORT_ITEMS, ImportFormat, read_items
from grader.items import (
    MAX_ANSWER_CHARS,
    Difficulty,
    Gradable,
    Grade,
    Item,
    ItemHead,
    KeyPoint,
    Misconception,
    ReferenceAnswer,
    Slug,
)
from grader.observing import Cache, Observer
from grader.profiles import effective_key_points
from grader.remembering import RememberingEncoder
from grader.results import EvidenceSpan, Flag, GradingResult, Interval, KeyPointMatch, Keywords, Verdict
from grader.scoring import ScoringModel, default_scoring_model, mark_from_score
from grader.store import EmbeddingStore
from grader.suggestions import suggest_key_points

__all__ = [
    "EVIDENCE_NAMES",
    "MAX_ANSWER_CHARS",
    "MAX_IMPORT_ITEMS",
    "MAX_MARKS",
    "MIN_MARKS",
    "AgreementFigures",
    "AnswerGroup",
    "Cache",
    "Calibration",
    "CalibrationError",
    "CalibrationReport",
    "CompiledBankError",
    "Difficulty",
    "EmbeddingStore",
    "Encoder",
    "EncoderError",
    "Evidence",
    "EvidenceSpan",
    "FileProblem",
    "Flag",
    "Gradable",
    "Grade",
    "Grader",
    "GraderError",
    "GradingResult",
    "ImportFormat",
    "Interval",
    "InvalidAnswerError",
    "InvalidBankError",
    "Item",
    "ItemBank",
    "ItemHead",
    "ItemNotFoundError",
    "KeyPoint",
    "KeyPointMatch",
    "Keywords",
    "MarkedDataError",
    "MarkedResponse",
    "Misconception",
    "Observer",
    "OnnxEncoder",
    "ReferenceAnswer",
    "RememberingEncoder",
    "ScoringModel",
    "ScoringModelError",
    "SentenceTransformerEncoder",
    "Slug",
    "Verdict",
    "adjacent_agreement",
    "calibrate",
    "check_answer",
    "checksums",
    "cross_validate",
    "default_bank_dir",
    "default_scoring_model",
    "effective_key_points",
    "exact_agreement",
    "group_answers",
    "mark_from_score",
    "open_bank",
    "qwk",
    "read_items",
    "rmse",
    "suggest",
    "suggest_key_points",
    "with_calibration",
]
