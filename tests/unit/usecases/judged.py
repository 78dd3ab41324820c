"""What tests compare of judged files: two that say the same need not gather their evidence from one object."""

from collections.abc import Iterable

from pinfold.usecases.judged_files import JudgedFile


def told(files: Iterable[JudgedFile]) -> list[tuple[object, ...]]:
    return [(one.file, one.decision, one.evidence, one.sighting, one.vanished) for one in files]
