"""Which fields a v1 message may have, by FCM's discovery document (revision 20261023)."""

from collections.abc import Mapping
from typing import Any

ANY: dict[str, Any] = {}  # a map whose keys are the caller's own
_LIGHT = {"color": ANY, "light_off_duration": None, "light_on_duration": None}
_SHOWN = (
    "body body_loc_args body_loc_key channel_id click_action color default_light_settings default_sound "
    "default_vibrate_timings event_time icon image local_only notification_count notification_priority sound sticky "
    "tag ticker title title_loc_args title_loc_key vibrate_timings visibility"
)
_ANDROID = "bandwidth_constrained_ok collapse_key direct_boot_ok restricted_package_name restricted_satellite_ok ttl"
_LABEL = {"analytics_label": None}


def _fields(names: str, **nested: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split()) | nested


MESSAGE: dict[str, Any] = _fields(
    "condition fid name token topic",
    data=ANY,
    fcm_options=_LABEL,
    notification=_fields("body image title"),
    android=_fields(
        f"{_ANDROID} priority",
        data=ANY,
        fcm_options=_LABEL,
        notification=_fields(f"{_SHOWN} bypass_proxy_notification proxy", light_settings=_LIGHT),
    ),
    android_v2=_fields(
        _ANDROID,
        data=ANY,
        fcm_options=_LABEL,
        background_sync=ANY,
        remote_notification=_fields(
            "mutable_content use_as_v1_data_message", notification=_fields(f"{_SHOWN} id", light_settings=_LIGHT)
        ),
    ),
    apns=_fields("live_activity_token", fcm_options=_fields("analytics_label image"), headers=ANY, payload=ANY),
    webpush=_fields("", data=ANY, headers=ANY, notification=ANY, fcm_options=_fields("analytics_label link")),
)


def snake(name: str) -> str:
    """`collapseKey` -> `collapse_key`; proto-JSON takes both."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).replace("_v_2", "_v2")


def unknown(content: Mapping[str, Any], known: Mapping[str, Any] = MESSAGE, where: str = "message") -> str | None:
    """The path of the first field FCM does not have, like `message.android.colour`; None when all are known."""
    for name, value in content.items():
        field = name if name in known else snake(name)
        if field not in known:
            return f"{where}.{name}"
        inner = known[field]
        if inner and isinstance(value, dict):
            found = unknown(value, inner, f"{where}.{name}")
            if found:
                return found
    return None


def pick(content: Mapping[str, Any], name: str) -> Any:
    """The value under a snake_case name, however it is written."""
    if name in content:
        return content[name]
    head, *rest = name.split("_")
    return content.get(head + "".join(part.capitalize() for part in rest))
