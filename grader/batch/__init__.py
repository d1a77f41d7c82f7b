"""Tables of answers, however long: read in chunks, graded, written, and resumed where a run stopped."""

from grader.batch.grading import GraderRecipe, WorkerProcesses
from grader.batch.rows import FORMATS, BatchError
from grader.batch.run import BatchReport, grade_file

__all__ = ["FORMATS", "BatchError", "BatchReport", "GraderRecipe", "WorkerProcesses", "grade_file"]
