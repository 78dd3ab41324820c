"""What is done with an installation is answered as it is, however much there is to it."""

from pathlib import Path

from pinfold.bootstrap import Installation
from pinfold.cli.invocation import Invocation


class Answer:
    described = 0

    def __repr__(self) -> str:
        self.described += 1
        return ""


def test_an_answer_is_described_to_nobody(folder: Path) -> None:
    answer = Answer()

    async def work(_: Installation) -> Answer:
        return answer

    assert Invocation().run(work) is answer
    assert not answer.described, "asyncio tells of its interrupt handler, with all that a task returned"
