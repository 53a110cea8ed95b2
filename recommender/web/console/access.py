"""Who may ask for which address of the console: one table, and nothing is allowed that it does not name."""

from data.errors import NotAllowed
from data.store.people import ROLES, PersonRow

ANYBODY = ""  # no sign-in needed
ACCESS: dict[tuple[str, str], str] = {  # method and path of the route -> the least role
    ("GET", "/console/sign-in"): ANYBODY,
    ("POST", "/console/sign-in"): ANYBODY,
    ("GET", "/console/sign-in/provider"): ANYBODY,
    ("GET", "/console/sign-in/back"): ANYBODY,
    ("POST", "/console/sign-out"): "viewer",
    ("GET", "/console"): "viewer",
    ("POST", "/console/push/pause"): "editor",
    ("POST", "/console/push/resume"): "push_editor",
    ("GET", "/console/ranking"): "viewer",
    ("GET", "/console/ranking/{surface}"): "viewer",
    ("GET", "/console/ranking/{surface}/preview"): "viewer",
    ("GET", "/console/ranking/{surface}/reach"): "viewer",
    ("POST", "/console/ranking/{surface}/draft"): "editor",
    ("POST", "/console/ranking/{surface}/discard"): "editor",
    ("POST", "/console/ranking/{surface}/rebase"): "editor",
    ("POST", "/console/ranking/{surface}/take"): "editor",
    ("GET", "/console/ranking/{surface}/publish"): "editor",
    ("POST", "/console/ranking/{surface}/publish"): "editor",
    ("GET", "/console/why"): "viewer",
    ("GET", "/console/why.json"): "viewer",
    ("GET", "/console/personas"): "viewer",
    ("GET", "/console/personas/{key}"): "viewer",
    ("POST", "/console/personas/{key}"): "editor",
    ("POST", "/console/personas/{key}/remove"): "editor",
    ("GET", "/console/history"): "viewer",
    ("GET", "/console/history.csv"): "viewer",
    ("POST", "/console/history/{surface}/restore"): "editor",
    ("GET", "/console/compare"): "viewer",
    ("GET", "/console/replay"): "viewer",
    ("POST", "/console/replay"): "editor",
    ("GET", "/console/replay/{replay_id}"): "viewer",
    ("POST", "/console/replay/{replay_id}/stop"): "editor",
    ("GET", "/console/experiments"): "viewer",
    ("POST", "/console/experiments"): "lead",
    ("GET", "/console/experiments/{experiment_id}"): "viewer",
    ("POST", "/console/experiments/{experiment_id}/stop"): "lead",
    ("GET", "/console/rules"): "viewer",
    ("GET", "/console/rules/new"): "editor",
    ("POST", "/console/rules/new"): "editor",
    ("POST", "/console/rules/{rule_id}/end"): "editor",
    ("POST", "/console/rules/{rule_id}/extend"): "editor",
    ("GET", "/console/stories"): "viewer",
    ("GET", "/console/stories/{article}"): "viewer",
    ("POST", "/console/stories/{article}/judge"): "editor",
    ("POST", "/console/stories/{article}/split"): "editor",
    ("POST", "/console/stories/{article}/merge"): "editor",
    ("POST", "/console/stories/{article}/reach"): "editor",
    ("POST", "/console/reach/{target_id}/stop"): "editor",
    ("GET", "/console/push"): "viewer",
    ("POST", "/console/push/cancel"): "push_editor",
    ("POST", "/console/push/approve"): "lead",
    ("GET", "/console/push/new"): "push_editor",
    ("GET", "/console/push/preview"): "push_editor",
    ("POST", "/console/push/new"): "push_editor",
    ("GET", "/console/push/alerts/{alert_id}"): "viewer",
    ("POST", "/console/push/alerts/{alert_id}/test"): "push_editor",
    ("POST", "/console/push/alerts/{alert_id}/ask"): "push_editor",
    ("POST", "/console/push/alerts/{alert_id}/send"): "push_editor",
    ("POST", "/console/push/alerts/{alert_id}/cancel"): "push_editor",
    ("GET", "/console/policy"): "viewer",
    ("POST", "/console/policy/draft"): "push_editor",
    ("POST", "/console/policy/discard"): "push_editor",
    ("POST", "/console/policy/publish"): "lead",
    ("POST", "/console/policy/restore"): "lead",
    ("GET", "/console/push/{campaign}/policy"): "viewer",
    ("POST", "/console/push/{campaign}/policy"): "lead",
    ("GET", "/console/system"): "viewer",
    ("POST", "/console/system/people"): "operator",
    ("GET", "/console/patterns"): "viewer",
}


def may(person: PersonRow | None, role: str) -> bool:
    """Whether somebody holds a role or one above it."""
    return role == ANYBODY or (person is not None and ROLES.index(person.role) >= ROLES.index(role))


def least_role(method: str, path: str) -> str:
    """The least role for a route; NotAllowed where the table has none."""
    role = ACCESS.get(("GET" if method == "HEAD" else method, path))
    if role is None:
        raise NotAllowed("Nobody may do this: the table of permissions does not name it.")
    return role


def check(person: PersonRow, role: str) -> None:
    """NotAllowed unless the person holds a role: for what depends on more than the address."""
    if not may(person, role):
        raise NotAllowed(f"This needs the role of {words(role)}; you are signed in as {words(person.role)}.")


def words(role: str) -> str:
    """A role as pages say it."""
    return role.replace("_", " ")
