"""Several processes on one port: started together, restarted when one dies, stopped together."""

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType

from pinfold.domain.errors import PinfoldError

log = logging.getLogger(__name__)

# A forked child would inherit the parent's threads' locks; a spawned one starts clean.
_SPAWN = multiprocessing.get_context("spawn")
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


def supervise(count: int, work: Callable[[], None], drain_seconds: float) -> None:
    """Keep a number of workers running until SIGTERM or SIGINT, then stop them and wait for them to drain.

    `work` is what a worker runs; it must be picklable. Raises PinfoldError when workers die as soon as they start.
    """
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers = {_start(work): time.monotonic() for _ in range(count)}
    young_deaths = 0
    try:
        while not stopping:
            wait([worker.sentinel for worker in workers], timeout=0.5)
            for worker in [worker for worker in workers if not worker.is_alive()]:
                started = workers.pop(worker)
                if stopping:
                    break
                log.error("worker %s died with status %s; starting another", worker.pid, worker.exitcode)
                young_deaths = young_deaths + 1 if time.monotonic() - started < YOUNG else 0
                if young_deaths >= MOST_YOUNG_DEATHS:
                    raise PinfoldError("workers die as soon as they start; the log above says why")
                workers[_start(work)] = time.monotonic()
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(drain_seconds + YOUNG)
            if worker.is_alive():
                worker.kill()
                worker.join()


def _start(work: Callable[[], None]) -> BaseProcess:
    worker = _SPAWN.Process(target=work, daemon=True)
    worker.start()
    return worker
