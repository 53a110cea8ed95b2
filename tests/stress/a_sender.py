"""One sender process: `a_sender.py DATABASE TLS_URL CA QUOTA_PER_MINUTE SHARE COUNT NUMBER`."""

import sys
from pathlib import Path

from benchmarks.fcm_clients import due
from data.clock import SystemClock
from data.paces import Paces
from data.store import Store
from scheduler.fcm import FcmSender
from scheduler.fcm_transport import Transport
from scheduler.message import Composer
from scheduler.pace import Limits
from scheduler.pacer import Pacer
from scheduler.projects import FixedBearer, Project

if __name__ == "__main__":
    database, tls, ca_file, quota, share, count, number = sys.argv[1:]
    with Store.open(database) as store:
        pacer = Pacer(Limits(float(quota), float(share), 0.0), Paces(store))
        project = Project("", "demo-news", f"{tls}/v1/projects/demo-news/messages:send", FixedBearer())
        sender = FcmSender({"": project}, Transport(connections=4, ca_file=Path(ca_file)), pacer)
        composer, now, start = Composer(), SystemClock().now(), int(number) * 10**7
        messages = (composer.compose(due(one, now), now) for one in range(start, start + int(count)))
        states = {outcome.state for _, outcome in sender.send(messages)}
        sender.close()
    sys.exit(0 if states == {"sent"} else 1)
