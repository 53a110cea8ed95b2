"""The worker: any number may run, one leads, the others stand by and take over when its lease ends."""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from data.alerts import CommandRow
from data.broadcasts import Broadcasts
from data.campaigns import Campaigns
from data.clock import Clock, instant, micros, zone_database
from data.commands import Commands
from data.errors import Conflict, InvalidInput, NewsbellError
from data.leases import LEADER, Leases
from data.outbox import Outbox
from data.plans import Ticks
from data.settings import Settings
from data.store import Store
from recommender.experiments import desk
from recommender.snapshot import Snapshot
from scheduler import reach
from scheduler.broadcast import Broadcaster, Post
from scheduler.delivery import Deliverer
from scheduler.desk_alerts import broadcast_due, plan_alert
from scheduler.jobs import Job, jobs
from scheduler.learning import Stopped, learn_apart
from scheduler.message import Composer
from scheduler.planning import Planner
from scheduler.policy_replay import replay_command
from scheduler.sender import Sender
from scheduler.template import read_look

log = logging.getLogger(__name__)
LEASE_S = 15.0


class Runner:
    """Leads if nobody does; the leader plans, sends, obeys commands and closes what vanished senders left."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        *,
        sender: Sender,
        snapshot: Callable[[], Snapshot],
        lease_s: float = LEASE_S,
    ) -> None:
        self.settings, self.clock, self.lease_s = settings, clock, lease_s
        self.holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.leases, self.commands = Leases(store), Commands(store)
        self.campaigns, self.outbox = Campaigns(store), Outbox(store)
        self.broadcasts = Broadcasts(store)
        self.stopping = threading.Event()
        self.ticks = Ticks(store)
        self.planner = Planner(store, snapshot, dask=settings.dask)
        composer = Composer(read_look(settings.fcm_look))
        post: Post | None = getattr(sender, "post", None)  # a sender that cannot broadcast sends to each device
        self.broadcaster = Broadcaster(store, post, clock, read_look(settings.fcm_look)) if post else None
        self.deliverer = Deliverer(store, sender, clock, is_stopping=self._must_stop, composer=composer)
        self.fence: int | None = None
        self._ticks: BackgroundScheduler | None = None

    def start(self) -> None:
        """Begin ticking in the background."""
        log.info("worker %s; zone database %s", self.holder, zone_database())
        self.lead()
        # Threads for every job: a long plan must not keep the heartbeat from its tick.
        table = jobs(self, self.settings, lease_s=self.lease_s)
        self._ticks = BackgroundScheduler(
            timezone=UTC,
            executors={"default": {"type": "threadpool", "max_workers": len(table)}},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        for job in table:
            soon = datetime.now(UTC) + timedelta(seconds=0.2)
            self._ticks.add_job(_guarded, "interval", args=[job], id=job.name, seconds=job.every_s, next_run_time=soon)
        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every tick
        self._ticks.start()

    def stop(self) -> None:
        """Finish what is being sent, tick no more, and let another lead at once."""
        self.stopping.set()
        if self._ticks is not None:
            self._ticks.shutdown(wait=True)
            self._ticks = None
        if self.fence is not None:
            self.leases.release(LEADER, self.holder, now=self.clock.now())
            self.fence = None

    def run_until_signal(self) -> None:
        """Work until SIGTERM or SIGINT, then stop cleanly."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self.start()
        while not self.stopping.wait(0.5):
            pass
        self.stop()

    # --- the duties, one a tick ---

    def lead(self) -> None:
        """Take or renew the lease."""
        before = self.fence
        self.fence = self.leases.acquire(LEADER, self.holder, now=self.clock.now(), ttl_s=self.lease_s)
        if self.fence != before:
            log.info("leading with fence %d", self.fence) if self.fence else log.info("standing by")

    def obey(self) -> None:
        """Do what people asked for."""
        if self.fence is None:
            return
        for said in self.planner.store.publish_due(self.clock.now()):
            log.info("%s", said)
        if self.broadcaster:
            for said in broadcast_due(self.planner.store, self.broadcaster, now=self.clock.now()):
                log.info("%s", said)
        for command in self.commands.take():
            ok, result = True, ""
            try:
                result = self._do(command)
            except NewsbellError as error:
                ok, result = False, str(error)
            self.commands.finish(command.id, now=self.clock.now(), result=result, ok=ok)
            log.info("command %d %s: %s", command.id, command.kind, result)

    def plan(self) -> None:
        """Plan the campaigns that fell due since the last tick."""
        if self.fence is None:
            return
        tick_at, fence = tick_of(self.clock.now(), self.settings.tick_s), self.fence
        if not self.ticks.begin("plan", tick_at, now=self.clock.now(), fence=fence):
            return
        try:
            self._plan_campaigns(fence)
        except Exception:
            self.ticks.give_up("plan", tick_at, fence=fence)
            raise
        self.ticks.end("plan", tick_at, now=self.clock.now(), fence=fence)

    def _plan_campaigns(self, fence: int) -> None:
        for campaign in self.campaigns.all():
            report = self.planner.tick(campaign, self.clock.now(), fence=fence)
            if report is not None:
                counts = ", ".join(f"{name} {number}" for name, number in sorted(report.funnel.items()))
                log.info("planned %s: %s%s", campaign.key, counts, "; it waits for approval" if report.is_asked else "")

    def deliver(self) -> None:
        """Send what is ready."""
        if self.fence is not None:
            self.deliverer.drain(fence=self.fence)

    def recover(self) -> None:
        """Close what a vanished sender left behind."""
        if self.fence is None:
            return
        lost = self.outbox.recover(self.clock.now())
        if lost:
            log.warning("%d deliveries became unknown: their sender vanished", lost)
        for number in self.broadcasts.recover(self.clock.now()):
            log.warning("broadcast %d became unknown: its sender vanished; it is not sent again", number)

    def reach(self) -> None:
        """Bring the stories that the desk set a reach target for nearer to it."""
        if self.fence is None:
            return
        window_h = self.settings.window_days * 24
        for said in reach.tick(self.planner.store, self.planner.snapshot, self.clock.now(), window_h=window_h):
            log.info("%s", said)

    def judge(self) -> None:
        """Stop the experiments that do harm, end those whose time is over."""
        if self.fence is None:
            return
        for said in desk.look_after(self.planner.store, now=self.clock.now()):
            log.info("%s", said)

    def forget(self) -> None:
        """Remove what was served too long ago to learn from."""
        if self.fence is None:
            return
        gone = self.planner.store.forget_served(self.clock.now() - timedelta(days=self.settings.served_days))
        if gone:
            log.info("%d pages served more than %g days ago are forgotten", gone, self.settings.served_days)

    def learn(self) -> None:
        """Have weights learned from what readers opened, once in so many hours; they wait as a draft for the desk."""
        every_h = self.settings.learn_every_h
        if self.fence is None or not every_h:
            return
        tick_at, fence = tick_of(self.clock.now(), every_h * 3_600), self.fence
        if not self.ticks.begin("learn", tick_at, now=self.clock.now(), fence=fence):
            return
        try:
            log.info("%s", learn_apart(self.settings, self._must_stop))
        except Stopped as error:
            log.info("%s", error)
            self.ticks.give_up("learn", tick_at, fence=fence)
            return
        self.ticks.end("learn", tick_at, now=self.clock.now(), fence=fence)

    def _do(self, command: CommandRow) -> str:
        """Carry out one command; InvalidInput lists those there are."""
        args: dict[str, Any] = command.args
        if command.kind in {"pause", "resume"} and "campaign" in args:
            self.campaigns.set_state(args["campaign"], "paused" if command.kind == "pause" else "on")
            return f"{args['campaign']} is {'paused' if command.kind == 'pause' else 'on'}"
        if command.kind == "cancel" and ("campaign" in args or "plan" in args):
            campaign_id = self.campaigns.get(args["campaign"]).id if "campaign" in args else None
            reason = f"cancelled by {command.author or 'an operator'}"
            self.planner.plans.cancel(plan_id=args.get("plan"), campaign_id=campaign_id)
            stopped = self.outbox.cancel(
                now=self.clock.now(), reason=reason, plan_id=args.get("plan"), campaign_id=campaign_id
            )
            return f"cancelled {stopped}"
        if command.kind == "alert" and "alert" in args:
            number, may_broadcast = int(args["alert"]), self.broadcaster is not None
            now = self.clock.now()
            return plan_alert(self.planner, number, now=now, fence=self.fence, may_broadcast=may_broadcast)
        if command.kind == "update_story" and "story" in args:
            options = {"by": command.author or "an operator", "reason": args.get("reason", "")}
            number = self.planner.store.renew_story(int(args["story"]), now=self.clock.now(), **options)
            return f"story {args['story']} has update {number}"
        if command.kind == "replay_policy" and "day" in args:
            return replay_command(self.planner, args)
        raise InvalidInput(
            f"no command {command.kind!r} with {sorted(args)}; there are pause and resume {{campaign}}, "
            "cancel {campaign} or {plan}, alert {alert}, update_story {story}, replay_policy {day}"
        )

    def _must_stop(self) -> bool:
        return self.stopping.is_set() or self.fence is None

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping.set()


def tick_of(now: datetime, every_s: float) -> datetime:
    """The tick an instant belongs to: the same for every worker, whenever its timer wakes it."""
    every_us = max(round(every_s * 1_000_000), 1)
    return instant(micros(now) // every_us * every_us)


def _guarded(job: Job) -> None:
    """Run a tick; what goes wrong is logged, and the next tick tries again."""
    try:
        job.run()
    except Conflict as error:
        log.warning("%s: %s", job.name, error)
    except Exception:
        log.exception("%s failed; the next tick tries again", job.name)
