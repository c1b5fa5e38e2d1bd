"""``python -m rhotwist.service [wallet] [options]``: the same service without ``twistd``, as ``rho`` starts it.

No pid file, no search for plugins, a log that is turned over at a megabyte. What is wrong at the start goes to stderr.
"""

from __future__ import annotations

import sys
from typing import IO, Any, cast

from twisted.internet.error import ReactorNotRunning
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python import usage
from twisted.python.logfile import LogFile

from rhotwist.control import trouble
from rhotwist.control.places import Places
from rhotwist.service.tap import Options, makeService, stop

LOG_MOST = 2**20
"""Bytes of a log file before the next begins; two old ones are kept."""
_PRIVATE = 0o600


def main(arguments: list[str]) -> None:
    """Run until a signal comes."""
    from twisted.internet import reactor  # noqa: TID251 - an entry point

    options = Options()
    try:
        options.parseOptions(arguments)
    except usage.UsageError as error:
        said = trouble.OPTION_WRONG(option="the command line", value="understood", why=error, hint="--help")
        stop(said, debug=False)
    made = makeService(options)
    places: Places = made.settings.places  # type: ignore[attr-defined]  # it is ours
    begin_log(places, made.settings.debug)  # type: ignore[attr-defined]
    made.startService()
    reactor.addSystemEventTrigger("before", "shutdown", made.stopService)
    try:
        reactor.run()
    except ReactorNotRunning:
        pass


def begin_log(places: Places, debug: bool) -> None:
    """Send the log to the data folder. debug keeps the lines that strangers cause."""
    file = LogFile(
        places.log.name, str(places.datadir), rotateLength=LOG_MOST, maxRotatedFiles=2, defaultMode=_PRIVATE
    )
    level = LogLevelFilterPredicate(LogLevel.debug if debug else LogLevel.info)
    globalLogBeginner.beginLoggingTo([FilteringLogObserver(textFileLogObserver(cast("IO[Any]", file)), [level])])


if __name__ == "__main__":
    main(sys.argv[1:])
