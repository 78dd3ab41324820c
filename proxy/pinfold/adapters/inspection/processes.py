"""A few processes that inspect for a server: started when needed, replaced now and then, killed when they hang."""

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec

from pinfold.adapters.inspection.messages import Answer, Ask
from pinfold.domain.errors import InspectionFailed
from pinfold.domain.inspection import Report
from pinfold.inspection import Limits

log = logging.getLogger(__name__)

PROCESSES = 2
"""At most, for one server process."""
INSPECTIONS = 200
"""After so many a process is replaced: whatever it leaked goes with it."""
GRACE_SECONDS = 15.0
"""How much longer than an inspection gives itself a process may take before it is killed."""
LONGEST_ANSWER = 64 << 20
_COMMAND = (sys.executable, "-I", "-m", "pinfold.adapters.inspection.worker")


class InspectionProcesses:
    """Inspects archives in other processes, which can neither hold up nor bring down this one."""

    def __init__(
        self,
        most: int = PROCESSES,
        timeout: float = Limits().seconds + GRACE_SECONDS,
        command: tuple[str, ...] = _COMMAND,
    ) -> None:
        self._most = most
        self._timeout = timeout
        self._command = command
        self._slots = asyncio.Semaphore(most)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    async def warm_up(self) -> None:
        """Start the processes before anybody needs them: that takes longer than inspecting most archives."""
        while len(self._all) < self._most:
            async with self._slots:
                self._idle.append(await self._start())

    async def inspect(self, path: Path, filename: str, project: str, version: str | None) -> Report:
        """Return the report on an archive; raises InspectionFailed where it took too long or the process died of it."""
        ask = Ask(str(path), filename, project, version)
        async with self._slots:
            worker = await self._take()
            try:
                async with asyncio.timeout(self._timeout):
                    answer = await worker.ask(ask)
            except TimeoutError as error:
                raise await self._failed(worker, filename, f"it took more than {self._timeout:g} s") from error
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                raise await self._failed(worker, filename, "the inspecting process died of it") from error
            except BaseException:
                # Whoever waited is gone, and an answer that comes now must not be taken for the next one's.
                await asyncio.shield(self._end(worker))
                raise
            await self._give_back(worker)
        if answer.report is None:
            raise InspectionFailed(f"{filename} was not inspected: {answer.why}")
        return answer.report

    async def close(self) -> None:
        """End the processes."""
        self._idle.clear()
        await asyncio.gather(*(self._end(worker) for worker in list(self._all)))

    async def _take(self) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await self._end(worker)
        return await self._start()

    async def _start(self) -> "_Worker":
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                limit=LONGEST_ANSWER,
                # Nothing of the server's secrets, and no part in the interrupts that its terminal sends.
                env={},
                start_new_session=True,
            )
        except OSError as error:
            # Clients see the reason, and the error may name files of this machine.
            log.error("no inspecting process can be started: %s", error)
            raise InspectionFailed("no inspecting process can be started") from error
        worker = _Worker(process)
        self._all.add(worker)
        return worker

    async def _give_back(self, worker: "_Worker") -> None:
        if worker.answered < INSPECTIONS:
            self._idle.append(worker)
        else:
            await self._end(worker)

    async def _failed(self, worker: "_Worker", filename: str, why: str) -> InspectionFailed:
        log.error("%s could not be inspected: %s", filename, why)
        await self._end(worker)
        return InspectionFailed(f"{filename} was not inspected: {why}")

    async def _end(self, worker: "_Worker") -> None:
        self._all.discard(worker)
        await worker.end()


class _Worker:
    """One process, and what it was asked."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.answered = 0

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, ask: Ask) -> Answer:
        """Return the answer; raises OSError, ValueError or MsgspecError where there is none to be had."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process has no pipes")
        self._process.stdin.write(msgspec.json.encode(ask) + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise ValueError("the process ended")
        self.answered += 1
        return msgspec.json.decode(line, type=Answer)

    async def end(self) -> None:
        """Kill the process and see its pipes closed."""
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            with suppress(OSError, ValueError):
                await self._process.stdout.read()
        await self._process.wait()
