"""What editors set: weights and rules, always as versioned or ending rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from data.errors import NotFound
from data.models import Rule, WeightSet
from data.store.database import Database, table
from data.values import RuleRow, WeightRow

WEIGHTS, RULES = table(WeightSet), table(Rule)


class Desk(Database):
    """The live weights of each surface and the rules in effect."""

    def live_weights(self, surface: str) -> WeightRow | None:
        """The version in force, or None before the first."""
        with self.reading() as connection:
            row = connection.execute(select(WEIGHTS).where(WEIGHTS.c.surface == surface, WEIGHTS.c.live)).first()
        return _weight_row(row) if row else None

    def publish_weights(
        self,
        surface: str,
        weights: dict[str, float],
        options: dict[str, float],
        *,
        author: str,
        reason: str,
        now: datetime,
    ) -> WeightRow:
        """Insert the next version of a surface and make it the live one, in one transaction."""
        with self.transaction() as connection:
            connection.execute(update(WEIGHTS).where(WEIGHTS.c.surface == surface).values(live=False))
            last = select(func.coalesce(func.max(WEIGHTS.c.version), 0)).where(WEIGHTS.c.surface == surface)
            fields: dict[str, Any] = {
                "surface": surface,
                "version": int(connection.execute(last).scalar_one()) + 1,
                "weights": weights,
                "options": options,
                "live": True,
                "author": author,
                "reason": reason,
                "created_at": now,
            }
            connection.execute(self.insert(WeightSet).values(**fields))
        return WeightRow(**fields)

    def rules(self, at: datetime) -> list[RuleRow]:
        """The rules in effect at `at`, oldest first."""
        query = select(RULES).where(RULES.c.starts_at <= at, RULES.c.ends_at.is_(None) | (RULES.c.ends_at > at))
        with self.reading() as connection:
            rows = connection.execute(query.order_by(RULES.c.starts_at, RULES.c.id))
            return [RuleRow(**{name: getattr(row, name) for name in RuleRow.__dataclass_fields__}) for row in rows]

    def add_rule(self, rule: Rule) -> int:
        """Write a rule; the database refuses one that would never end (blocks excepted). Returns its number."""
        fields = rule.model_dump(exclude={"id"})
        with self.transaction() as connection:
            made = self.insert(Rule).values(**fields).returning(RULES.c.id)
            return int(connection.execute(made).scalar_one())

    def end_rule(self, rule_id: int, *, now: datetime) -> None:
        """End a rule now; NotFound if there is none of that number."""
        with self.transaction() as connection:
            ended = connection.execute(update(RULES).where(RULES.c.id == rule_id).values(ends_at=now))
            if not ended.rowcount:
                raise NotFound(f"no rule {rule_id}; list the rules to find its number")


def _weight_row(row: Row[Any]) -> WeightRow:
    return WeightRow(**{name: getattr(row, name) for name in WeightRow.__dataclass_fields__})
