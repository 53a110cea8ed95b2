"""Log lines for people (text) or machines (JSON), on stderr. Ids and counts only: no titles, no tokens."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from data.settings import Settings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")  # of the request being answered
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class OfRequest(logging.Filter):
    """Adds the id of the request to whatever is logged while it is answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        if request_id := REQUEST_ID.get():
            record.request_id = request_id
        return True


class TextLines(logging.Formatter):
    """Time, level, logger and message; then whatever was passed as `extra`, like name=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in extra.items())])


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message and whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(settings: Settings) -> None:
    """Send every logger to stderr in the form that the settings ask for. Calling it again replaces the form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    handler.addFilter(OfRequest())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("httpx", "httpcore", "apscheduler", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn.access").disabled = True  # its lines say who read what
