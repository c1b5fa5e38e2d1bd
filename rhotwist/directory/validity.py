"""When a record counts: functions of the record and the day alone, so that all nodes answer alike.

An epoch is a UTC day, counted from 2020-01-01; a quarter is 91 of them. Dates are seconds since then. Which records
stand in the tree changes at midnight and when one comes, never in between: nodes that hold the same records have the
same root all day long.
"""

from __future__ import annotations

DAY = 86_400
MINUTE = 60
HOUR = 3_600
#: Days of a quarter: 13 weeks.
QUARTER = 91
SLACK = 600
"""Seconds by which clocks may differ: a record issued later than that from now is not due."""


def epoch_of(date: int) -> int:
    """The day of a date."""
    return date // DAY


def quarter_of(epoch: int) -> int:
    """The quarter of a day."""
    return epoch // QUARTER


def stands(until: int, epoch: int) -> bool:
    """Whether a record that lasts until that date is in the tree of that day: its last day is none of the tree's."""
    return until // DAY > epoch


def early(issued: int, date: int) -> int:
    """How many seconds too early it is for a record issued then; 0 or less: it is due."""
    return issued - SLACK - date
