"""Several processes on one port: started together, restarted when one dies, stopped together."""

import logging
import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from types import FrameType

from pinfold.domain.errors import PinfoldError

log = logging.getLogger(__name__)

# A forked child would inherit the parent's threads' locks; a spawned one starts clean.
_SPAWN = multiprocessing.get_context("spawn")
Work = Callable[[Semaphore], None]
"""What a worker runs; picklable. It releases the semaphore once it accepts connections."""
YOUNG = 5.0
"""Seconds; a worker that dies sooner has not come up at all."""
MOST_YOUNG_DEATHS = 3


def reserve(host: str, port: int) -> socket.socket:
    """Bind a shared port without listening on it, so that it is the workers' for as long as the socket is open.

    Raises OSError where it cannot be had.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    reserved = socket.socket(family, socket.SOCK_STREAM)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((host, port))
    except OSError:
        reserved.close()
        raise
    return reserved


def supervise(count: int, work: Work, drain_seconds: float, all_up: Callable[[], None]) -> None:
    """Keep a number of workers running until SIGTERM or SIGINT, then stop them and wait for them to drain.

    `all_up` is called once every worker accepts connections. Raises PinfoldError when workers die as soon as they
    start.
    """
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    crew = _Crew(work)
    try:
        for _ in range(count):
            crew.add()
        while not stopping.is_set() and not crew.count_up() >= count:
            crew.mend(stopping, timeout=0.05)
        if not stopping.is_set():
            all_up()
        while not stopping.is_set():
            crew.mend(stopping, timeout=0.5)
    finally:
        crew.dismiss(drain_seconds)


class _Crew:
    """The workers that are running."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._up = _SPAWN.Semaphore(0)
        self._came_up = 0
        self._young_deaths = 0
        self._started: dict[BaseProcess, float] = {}

    def add(self) -> None:
        worker = _SPAWN.Process(target=self._work, args=(self._up,), daemon=True)
        worker.start()
        self._started[worker] = time.monotonic()

    def count_up(self) -> int:
        """Return how many workers have come up so far."""
        while self._up.acquire(block=False):
            self._came_up += 1
        return self._came_up

    def mend(self, stopping: threading.Event, timeout: float) -> None:
        """Wait a moment for a worker to die, and start another in its place unless everything is to stop."""
        wait([worker.sentinel for worker in self._started], timeout)
        for worker in [worker for worker in self._started if not worker.is_alive()]:
            age = time.monotonic() - self._started.pop(worker)
            if stopping.is_set():
                return
            log.error("worker %s died with status %s; starting another", worker.pid, worker.exitcode)
            self._young_deaths = self._young_deaths + 1 if age < YOUNG else 0
            if self._young_deaths >= MOST_YOUNG_DEATHS:
                raise PinfoldError("workers die as soon as they start; the log above says why")
            self.add()

    def dismiss(self, drain_seconds: float) -> None:
        """Tell all workers to stop, and kill those that take longer than draining allows."""
        for worker in self._started:
            worker.terminate()
        for worker in self._started:
            worker.join(drain_seconds + YOUNG)
            if worker.is_alive():
                worker.kill()
                worker.join()
