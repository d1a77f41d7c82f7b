"""Traces of requests and of chunks of jobs for OpenTelemetry, with nothing in them that names a person or repeats an answer.

FastAPI's own traces hold addresses with their queries, which name attempts and subjects, and the messages of errors; they are
turned off. What is traced here goes to whatever provider the program that embeds the service has set, or to the exporter that
the standard variables `OTEL_*` name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from api.settings import TraceSettings
from grader import GraderError

# What FastAPI is to send of its own.
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
_EXPORTERS = "opentelemetry_traces_exporter"
_SERVICE = "answer-grader"


class TracingError(GraderError):
    """Traces are asked for and cannot be made."""


def configure(settings: TraceSettings) -> None:
    """Send traces where the variables `OTEL_*` say, if they say so and no provider is set already.

    Raises:
        TracingError: If the extra is not installed, or there is no such exporter.
    """
    name = settings.wanted_exporter()
    if name is None or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    if find_spec("opentelemetry.sdk") is None:
        raise TracingError('Variables OTEL_* ask for traces, which need the extra: pip install "answer-grader[otel]".')
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    found = list(entry_points(group=_EXPORTERS, name=name))
    if not found:
        raise TracingError(f"OTEL_TRACES_EXPORTER asks for the exporter {name!r}, and none of this name is installed.")
    # The SDK reads OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, the sampler's and the exporter's variables itself.
    named = Resource.create() if settings.service_name else Resource.create({"service.name": _SERVICE})
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    trace.set_tracer_provider(provider)


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Trace a request, as a part of the trace that its sender names, if any."""
    context = propagate.extract(headers)
    with _span(method, kind=SpanKind.SERVER, context=context, attributes={"http.request.method": method}) as span:
        yield span


def answered(span: Span, *, method: str, route: str, status: int) -> None:
    """Note what became of a request, by the pattern of its route: the address itself may name a person."""
    if span.is_recording():
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:  # noqa: PLR2004 the server's own faults
            span.set_status(StatusCode.ERROR)


@contextmanager
def chunk_span(job_id: str, number: int, run: int) -> Iterator[Span]:
    """Trace the grading of a chunk of a job."""
    attributes: dict[str, str | int] = {"grader.job.id": job_id, "grader.chunk.number": number, "grader.job.run": run}
    with _span("grade chunk", kind=SpanKind.CONSUMER, attributes=attributes) as span:
        yield span


@contextmanager
def _span(name: str, *, kind: SpanKind, attributes: Mapping[str, str | int], context: Context | None = None) -> Iterator[Span]:
    """Trace something. Of an error only the class is noted, since its message may repeat an answer."""
    tracer = trace.get_tracer(_SERVICE)
    with tracer.start_as_current_span(
        name, context, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise
