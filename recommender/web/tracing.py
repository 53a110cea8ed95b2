"""OpenTelemetry spans, if its environment is set and its packages are there; otherwise nothing at all."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, Protocol

from starlette.types import Scope

from recommender.web.gate import Given

VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


class Span(Protocol):
    """One request, as it ended."""

    def end(self, route: str, status: int) -> None:
        """Tell the route, not the address: an address names a reader."""


class _Nothing:
    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""

    def end(self, route: str, status: int) -> None:
        """There is nobody to tell."""


_NOTHING = _Nothing()


def is_on() -> bool:
    """Whether spans are made."""
    return _tracer() is not None


def span(scope: Scope, headers: Given) -> AbstractContextManager[Span]:
    """A span around a request, a child of the caller's where `traceparent` names one."""
    tracer = _tracer()
    return _NOTHING if tracer is None else _span(tracer, scope, headers)


@contextmanager
def _span(tracer: Any, scope: Scope, headers: Given) -> Iterator[Span]:
    from opentelemetry import trace
    from opentelemetry.propagate import extract

    with tracer.start_as_current_span(scope["method"], extract(headers.as_dict()), kind=trace.SpanKind.SERVER) as made:
        yield _Told(made, scope["method"])


class _Told:
    def __init__(self, span: Any, method: str) -> None:
        self._span, self._method = span, method

    def end(self, route: str, status: int) -> None:
        """Name the span by its route."""
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes(
            {"http.request.method": self._method, "http.route": route, "http.response.status_code": status}
        )


@lru_cache(maxsize=1)
def _tracer() -> Any:
    """A tracer that exports, made once a process; None where nobody asked for it."""
    if not any(os.environ.get(name) for name in VARIABLES) or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        import logging

        logging.getLogger(__name__).warning("spans are asked for; install newsbell[otel] to have them")
        return None
    name = os.environ.get("OTEL_SERVICE_NAME", "newsbell")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("newsbell")
