"""The life of an alert as one table: from which state what leads where.

::

    pending -> firing -> acknowledged -> resolved
                  ^______________|          |
                  |_________________________|   again within ten minutes

Snoozing and silencing are not states: they say whether people are told, not how things stand.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OPEN", "TRANSITIONS", "AlertError", "Event", "State", "after"]


class State(StrEnum):
    """How an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What can happen to an alert."""

    HINT = "hint"  # the limit is broken, the hold-down has not passed
    FIRE = "fire"  # the hold-down has passed, or a score is rare
    WORSE = "worse"  # the severity climbed
    CLEAR = "clear"  # what fired is over
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESOLVE = "resolve"  # a person says it is over


class AlertError(ValueError):
    """What was asked cannot be done to an alert in its state."""


OPEN = (State.PENDING, State.FIRING, State.ACKNOWLEDGED)
"""What is not over. Named one by one: a database finds them by their index."""

_P, _F, _A, _R = State
TRANSITIONS: dict[tuple[State | None, Event], State] = {
    (None, Event.HINT): _P,
    (None, Event.FIRE): _F,
    (_P, Event.HINT): _P,
    (_P, Event.FIRE): _F,
    (_P, Event.CLEAR): _R,
    (_P, Event.RESOLVE): _R,
    (_F, Event.HINT): _F,
    (_F, Event.FIRE): _F,
    (_F, Event.WORSE): _F,
    (_F, Event.CLEAR): _R,
    (_F, Event.ACKNOWLEDGE): _A,
    (_F, Event.RESOLVE): _R,
    (_A, Event.HINT): _A,
    (_A, Event.FIRE): _A,
    # An acknowledgement was of something milder.
    (_A, Event.WORSE): _F,
    (_A, Event.CLEAR): _R,
    (_A, Event.UNACKNOWLEDGE): _F,
    (_A, Event.RESOLVE): _R,
    (_R, Event.FIRE): _F,
}
"""Every transition there is; what is not here cannot happen."""


def after(state: str | None, event: Event) -> State:
    """The state after an event.

    Raises
    ------
    AlertError
        The event cannot happen in that state.
    """
    key = (None if state is None else State(state), event)
    if key not in TRANSITIONS:
        raise AlertError(f"an alert that is {state or 'new'} cannot be told to {event}")
    return TRANSITIONS[key]
