"""What editors set: weights, rules, and how much an article matters; always as versioned or ending rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update

from data.errors import InvalidInput, NotFound
from data.models import Article, Rule
from data.store.audit import note
from data.store.database import Database, bump, table
from data.store.versions import WEIGHTS, live, publish, weight_row
from data.values import RuleRow, WeightRow

RULES, ARTICLES = table(Rule), table(Article)
STRONGEST = 0.5  # a boost or bury adds at most this to a score of at most about 1: it influences, a pin overrides


class Desk(Database):
    """The live weights of each surface and the rules in effect."""

    def live_weights(self, surface: str) -> WeightRow | None:
        """The version in force, or None before the first."""
        with self.reading() as connection:
            return live(connection, surface)

    def weight_versions(self, surface: str) -> list[WeightRow]:
        """Every version of a surface, newest first."""
        query = select(WEIGHTS).where(WEIGHTS.c.surface == surface).order_by(WEIGHTS.c.version.desc())
        with self.reading() as connection:
            return [weight_row(row) for row in connection.execute(query)]

    def weight_version(self, surface: str, version: int) -> WeightRow:
        """One version; NotFound if there is none of that number."""
        query = select(WEIGHTS).where(WEIGHTS.c.surface == surface, WEIGHTS.c.version == version)
        with self.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"{surface} has no version {version}; the history lists those there are")
        return weight_row(row)

    def publish_weights(
        self,
        surface: str,
        weights: dict[str, float],
        options: dict[str, float],
        *,
        author: str,
        reason: str,
        now: datetime,
        expected: int | None = None,
    ) -> WeightRow:
        """Insert the next version of a surface, make it the live one and note it, in one transaction.

        Conflict if the live version is not the `expected` one.
        """
        with self.transaction() as connection:
            return publish(
                connection,
                self.insert,
                surface,
                weights,
                options,
                author=author,
                reason=reason,
                now=now,
                expected=expected,
            )

    def rules(self, at: datetime) -> list[RuleRow]:
        """The rules in effect at `at`, oldest first."""
        return self.rules_between(at, at)

    def rules_between(self, first_at: datetime, last_at: datetime) -> list[RuleRow]:
        """The rules in effect at some instant of [first, last], oldest first."""
        ends = or_(RULES.c.ends_at.is_(None), RULES.c.ends_at > first_at)
        query = select(RULES).where(RULES.c.starts_at <= last_at, ends)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(RULES.c.starts_at, RULES.c.id))
            return [_rule_row(row) for row in rows]

    def rule(self, rule_id: int) -> RuleRow:
        """One rule; NotFound if there is none of that number."""
        with self.reading() as connection:
            row = connection.execute(select(RULES).where(RULES.c.id == rule_id)).first()
        if row is None:
            raise NotFound(f"no rule {rule_id}; list the rules to find its number")
        return _rule_row(row)

    def add_rule(self, rule: Rule, *, now: datetime | None = None) -> int:
        """Write a rule; the database refuses one that would never end (blocks excepted). Returns its number."""
        if not 0.0 <= rule.strength <= STRONGEST:
            raise InvalidInput(f"strength {rule.strength:g}: use a number from 0 to {STRONGEST:g}")
        fields = rule.model_dump(exclude={"id"})
        with self.transaction() as connection:
            made = self.insert(Rule).values(**fields).returning(RULES.c.id)
            number = int(connection.execute(made).scalar_one())
            after = {name: value for name, value in fields.items() if name not in {"author", "reason"} and value}
            target = f"rule {number}"
            note(connection, rule.author, "added", target, after=after, why=rule.reason, now=now or rule.starts_at)
            return number

    def end_rule(self, rule_id: int, *, now: datetime, by: str = "command line", reason: str = "") -> None:
        """End a rule now; NotFound if there is none of that number. One that is over stays as it was."""
        self._set_end(rule_id, now, now=now, by=by, what="ended", reason=reason)

    def extend_rule(self, rule_id: int, *, ends_at: datetime, now: datetime, by: str, reason: str = "") -> None:
        """Let a rule end at another instant, which must lie ahead; NotFound if there is none of that number."""
        if ends_at <= now:
            raise InvalidInput("a rule can only be extended to a time ahead; to stop it, end it now")
        self._set_end(rule_id, ends_at, now=now, by=by, what="extended", reason=reason)

    def _set_end(self, rule_id: int, ends_at: datetime, *, now: datetime, by: str, what: str, reason: str) -> None:
        with self.transaction() as connection:
            row = connection.execute(select(RULES).where(RULES.c.id == rule_id)).first()
            if row is None:
                raise NotFound(f"no rule {rule_id}; list the rules to find its number")
            if row.ends_at is not None and row.ends_at <= now:
                return
            connection.execute(update(RULES).where(RULES.c.id == rule_id).values(ends_at=ends_at))
            before, after = {"ends_at": row.ends_at}, {"ends_at": ends_at}
            note(connection, by, what, f"rule {rule_id}", before=before, after=after, why=reason, now=now)

    def judge_article(
        self, article_id: int, *, news_value: int | None, lifetime: str, by: str, now: datetime, reason: str = ""
    ) -> None:
        """Say how much an article matters (1 to 5, None: not judged) and for how long; every worker follows."""
        if news_value is not None and not 1 <= news_value <= 5:
            raise InvalidInput(f"news value {news_value}: use 1 to 5")
        if lifetime not in {"short", "medium", "long"}:
            raise InvalidInput(f"lifetime {lifetime!r}: use short, medium or long")
        with self.transaction() as connection:
            row = connection.execute(select(ARTICLES).where(ARTICLES.c.id == article_id)).first()
            if row is None:
                raise NotFound("no such article; it may have been removed")
            before, after = {}, {}
            for name, old, new in (("news_value", row.news_value, news_value), ("lifetime", row.lifetime, lifetime)):
                if old != new:
                    before[name], after[name] = old, new
            if not after:
                return
            rev = bump(connection, "article")
            change = update(ARTICLES).where(ARTICLES.c.id == article_id)
            connection.execute(change.values(news_value=news_value, lifetime=lifetime, rev=rev))
            note(connection, by, "judged", f"article {row.key}", before=before, after=after, why=reason, now=now)


def _rule_row(row: Row[Any]) -> RuleRow:
    return RuleRow(**{name: getattr(row, name) for name in RuleRow.__dataclass_fields__})
