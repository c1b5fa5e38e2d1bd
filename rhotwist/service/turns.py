"""Verbs of the directory's core that others wait for: where the disk fails under one, they are told, and not left."""

from __future__ import annotations

from collections.abc import Callable

from rhotwist.directory import jobs
from rhotwist.directory.directory import Directory
from rhotwist.errors import StoreError
from rhotwist.moment import Moment

Verb = Callable[[Directory, Moment], None]


def or_else(verb: Verb, instead: Verb) -> Verb:
    """The verb; where it fails with StoreError, instead is done, and it fails all the same."""

    def done(made: Directory, moment: Moment) -> None:
        try:
            verb(made, moment)
        except StoreError:
            instead(made, moment)
            raise

    return done


def lose(job: jobs.Judge | jobs.Keep) -> Verb:
    """Nothing came of a batch."""
    return lambda made, moment: made.lost(job, moment)


def break_off(job: jobs.Ask) -> Verb:
    """A request had no reply."""
    return lambda made, moment: made.replied(job, None, moment)
