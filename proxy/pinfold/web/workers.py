"""Several processes on one port: started, mended when one dies, replaced one by one, and stopped together.

The supervising process owns the sockets and lends each to one worker at a time. A connection that comes while a worker
dies or is replaced waits in its socket for the next one, so that none is refused.
"""

import gc
import logging
import multiprocessing
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, wait
from types import FrameType

from pinfold.domain.errors import PinfoldError

log = logging.getLogger(__name__)

# What the supervisor imported is shared with its workers, and they are up at once. It never starts a thread: a forked
# child would inherit that thread's locks.
_FORK = multiprocessing.get_context("fork")
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Sockets = tuple[socket.socket, ...]
"""One worker's sockets on the shared port, one for each address; none for one that works for the others."""
Work = Callable[[Sockets, Callable[[], None]], None]
"""What a worker runs: it accepts connections from the sockets, and calls the function once it does."""

YOUNG = 5.0
"""Seconds; a worker that dies sooner has not come up at all."""
MOST_YOUNG_DEATHS = 3
"""Of those who follow each other in one place."""


def supervise(places: list[Sockets], prepare: Callable[[], Work], drain_seconds: float, up: Callable[[], None]) -> None:
    """Keep a worker running on every place until SIGTERM or SIGINT, then stop all and wait for them to drain.

    `up` is called once every worker accepts connections. On SIGHUP `prepare` is asked for the work anew, and every
    worker is replaced; where the new work cannot be had, or does not come up, the old goes on. Raises PinfoldError
    where the first workers do not come up, or when workers die as soon as they start.
    """
    work = prepare()
    # Looking for garbage writes to what it looks at, and memory that is written to is shared no longer.
    gc.freeze()
    gc.enable()
    crew = _Crew(places, work, drain_seconds)
    with _signals() as signalled:
        try:
            announced = False
            while True:
                ready = wait([signalled, *crew.lines])
                crew.listen({line for line in ready if isinstance(line, Connection)})
                if signalled in ready:
                    numbers = set(signalled.recv(64))
                    if numbers & {signal.SIGTERM, signal.SIGINT}:
                        return
                    if signal.SIGHUP in numbers:
                        _reload(crew, prepare)
                if crew.complete and not announced:
                    announced = True
                    up()
        finally:
            crew.dismiss()


def _reload(crew: "_Crew", prepare: Callable[[], Work]) -> None:
    try:
        work = prepare()
    except PinfoldError as error:
        log.error("what was changed does not hold, and what held before goes on: %s", error)
    else:
        crew.replace(work)


class _Worker:
    """One process, and the line on which it tells that it is up, or why it is not."""

    def __init__(self, work: Work, sockets: Sockets) -> None:
        self.line, theirs = _FORK.Pipe(duplex=False)
        # A signal that comes before the child has set its own handlers must not reach the supervisor's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self.process = _FORK.Process(target=_run, args=(work, sockets, theirs), daemon=True)
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        # Nobody else holds this end now: when the worker dies, the line is at its end.
        theirs.close()
        self.work = work
        self.started = time.monotonic()
        self.up = False
        self.error: PinfoldError | None = None

    def hear(self) -> bool:
        """Take in what the worker told; return False where it is dead."""
        try:
            self.error = self.line.recv()
        except EOFError:
            self.line.close()
            self.process.join()
            return False
        self.up = self.error is None
        return True


def _run(work: Work, sockets: Sockets, line: Connection) -> None:
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        work(sockets, partial(line.send, None))
    except PinfoldError as error:
        line.send(error)
        sys.exit(1)


class _Place:
    """One worker's place on the port, and who has it."""

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets
        self.worker: _Worker | None = None
        self.successor: _Worker | None = None
        self.young_deaths = 0


class _Crew:
    """All workers: those that serve, those that are to follow them, and those that drain."""

    def __init__(self, places: list[Sockets], work: Work, drain_seconds: float) -> None:
        self._places = [_Place(sockets) for sockets in places]
        self._work = work
        self._proven: Work | None = None
        """The work that came up last, to go back to."""
        self._vacant = list(self._places)
        self._retired: list[_Worker] = []
        self._drain_seconds = drain_seconds
        self._fill()

    @property
    def lines(self) -> list[Connection]:
        """Where something is heard when a worker comes up or dies."""
        return [worker.line for worker in self._all()]

    @property
    def complete(self) -> bool:
        """Whether every place has a worker that is up."""
        return all(place.worker is not None and place.worker.up for place in self._places)

    def listen(self, lines: set[Connection]) -> None:
        """Take in what workers told, and do what follows from it."""
        for worker in [worker for worker in self._all() if worker.line in lines]:
            alive = worker.hear()
            if worker in self._retired:
                if not alive:
                    self._retired.remove(worker)
                continue
            place = next(place for place in self._places if worker in (place.worker, place.successor))
            if worker is not place.successor:
                if not alive:
                    self._mend(place, worker)
            elif worker.up:
                self._promote(place, worker)
            elif not alive:
                self._bury(place, worker)

    def replace(self, work: Work) -> None:
        """Give every place a new worker, one after the other: the old one serves until the new one is up."""
        log.info("replacing %d worker(s)", len(self._places))
        self._work = work
        self._vacant = list(self._places)
        self._fill()

    def dismiss(self) -> None:
        """Tell all workers to stop, and kill those that take longer than draining allows."""
        workers = self._all()
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + self._drain_seconds + YOUNG
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _all(self) -> list[_Worker]:
        placed = [worker for place in self._places for worker in (place.worker, place.successor)]
        return [*(worker for worker in placed if worker is not None), *self._retired]

    def _fill(self) -> None:
        """Begin the next successors: one at a time until the work has proven to come up, and while others serve."""
        if any(place.successor for place in self._places):
            return
        while self._vacant:
            place = self._vacant.pop()
            place.successor = _Worker(self._work, place.sockets)
            if place.worker is not None or self._proven is not self._work:
                return

    def _promote(self, place: _Place, worker: _Worker) -> None:
        """Let a successor that came up serve alone."""
        if place.worker is not None:
            log.info("worker %s serves in place of %s", worker.process.pid, place.worker.process.pid)
            place.worker.process.terminate()
            self._retired.append(place.worker)
        place.worker, place.successor = worker, None
        self._proven = worker.work
        self._fill()

    def _bury(self, place: _Place, worker: _Worker) -> None:
        """Do what is left where a successor died before it came up."""
        place.successor = None
        if self._proven is None:
            raise worker.error or PinfoldError("no worker comes up; the log above says why")
        if place.worker is None:
            self._mend(place, worker)
        else:
            log.error("a new worker does not come up, and the old go on: %s", worker.error or "the log above says why")
            self._work, self._vacant = self._proven, []

    def _mend(self, place: _Place, dead: _Worker) -> None:
        log.error("worker %s died with status %s; starting another", dead.process.pid, dead.process.exitcode)
        young = time.monotonic() - dead.started < YOUNG
        place.young_deaths = place.young_deaths + 1 if young else 0
        if place.young_deaths >= MOST_YOUNG_DEATHS:
            raise PinfoldError("workers die as soon as they start; the log above says why")
        place.worker = None
        if place.successor is None:
            place.successor = _Worker(self._work, place.sockets)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Have the numbers of signals sent to a socket, byte by byte, in place of what they do otherwise."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    before = {number: signal.signal(number, _do_nothing) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(theirs.fileno())
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        ours.close()
        theirs.close()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Stand in for a handler: the number was sent to the wakeup socket already."""
