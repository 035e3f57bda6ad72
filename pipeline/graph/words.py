"""The words that are understood without any value mapping."""

from __future__ import annotations

CRITICAL, SEVERE, WARNING, OK, UNKNOWN = "CRITICAL", "SEVERE", "WARNING", "OK", "N/A"

# An alarm whose source reports one of these is over.
CLEARING = frozenset({"OK", "CLEARED", "NORMAL"})

# X.733's perceived severities and the names in common use: (priority, operational severity).
SEVERITIES: dict[str, tuple[int, str]] = {
    "CRITICAL": (50, CRITICAL),
    "MAJOR": (40, SEVERE),
    "SEVERE": (40, SEVERE),
    "MINOR": (30, WARNING),
    "WARNING": (30, WARNING),
    "INDETERMINATE": (20, UNKNOWN),
    "UNKNOWN": (20, UNKNOWN),
    "N/A": (20, UNKNOWN),
    "OK": (10, OK),
    "CLEARED": (10, OK),
    "NORMAL": (10, OK),
}

STATES: dict[str, tuple[int, str]] = {
    **dict.fromkeys(("DELETED", "SOFT_DELETED"), (90, "DELETED")),
    **dict.fromkeys(("ERROR", "FAILED", "FAULT", "DOWN", "UNREACHABLE"), (80, "ERROR")),
    **dict.fromkeys(
        (
            "SUSPENDED",
            "PAUSED",
            "STOPPED",
            "SHUTOFF",
            "RESCUED",
            "SHELVED",
            "OFFLINE",
            "UNAVAILABLE",
            "DISABLED",
        ),
        (60, "SUBOPTIMAL"),
    ),
    **dict.fromkeys(("SUBOPTIMAL", "DEGRADED", "WARNING"), (30, "SUBOPTIMAL")),
    **dict.fromkeys(
        (
            "BUILD",
            "BUILDING",
            "CREATING",
            "DELETING",
            "MIGRATING",
            "REBOOT",
            "REBUILD",
            "RESIZE",
            "REVERT_RESIZE",
            "VERIFY_RESIZE",
            "ATTACHING",
            "DETACHING",
        ),
        (20, "TRANSIENT"),
    ),
    **dict.fromkeys(
        ("ACTIVE", "AVAILABLE", "ENABLED", "IN-USE", "OK", "ONLINE", "READY", "RUNNING", "UP"), (10, "OK")
    ),
}
