"""The log sender: exact JSON, one line a message, no secrets."""

import io
import json
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from data.alerts import Due
from scheduler.message import Outgoing, compose
from scheduler.sender import LogSender, open_messages


def test_each_message_is_one_line_of_the_exact_body(make_due: Callable[..., Due], now: datetime) -> None:
    stream = io.StringIO()
    messages = [compose(make_due(title="Čas\nna změnu"), now), compose(make_due(fid="fid-2"), now)]
    outcomes = list(LogSender(stream).send(messages))
    lines = stream.getvalue().splitlines()
    assert [json.loads(line) for line in lines] == [message.body for message in messages]
    assert [outcome.state for _, outcome in outcomes] == ["sent", "sent"]


def test_a_legacy_token_is_masked_unless_asked_for(make_due: Callable[..., Due]) -> None:
    message = Outgoing(make_due(), b'{"message": {"token": "secret-token"}}')
    masked, shown = io.StringIO(), io.StringIO()
    list(LogSender(masked).send([message]))
    list(LogSender(shown, show_tokens=True).send([message]))
    assert "secret-token" not in masked.getvalue()
    assert "secret-token" in shown.getvalue()


def test_the_messages_file_is_its_owners_alone_and_grows(tmp_path: Path) -> None:
    path = tmp_path / "var" / "messages.jsonl"
    for line in ("one\n", "two\n"):
        with open_messages(path) as stream:
            stream.write(line)
    assert path.read_text() == "one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
