"""Clients that ask again and again, from several threads, while something is done to the server."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def without_pause(work: Callable[[int], None], threads: int = 4) -> Iterator[None]:
    """Have each thread do some work, given its number, over and over until the context is left."""
    ended = threading.Event()

    def keep_working(number: int) -> None:
        while not ended.is_set():
            work(number)

    working = [threading.Thread(target=keep_working, args=(number,)) for number in range(threads)]
    for thread in working:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in working:
            thread.join()
