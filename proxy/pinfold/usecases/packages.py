"""What was published here, in the hands of those who look after it: listed, yanked, deleted."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import NotFound
from pinfold.domain.published import Deletion, PublishedFile
from pinfold.domain.records import stated_reason
from pinfold.domain.target import Target
from pinfold.ports.clock import Clock
from pinfold.ports.published import PublishedStore


class Packages:
    """Shows and changes what was published; each change is audited in the store's own transaction.

    Targets mean the files of an index that were published on it and not deleted. Every method raises StoreError.
    """

    def __init__(self, store: PublishedStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def files(self, index: str | None = None, target: Target | None = None) -> list[PublishedFile]:
        """Return what was published, in the order of upload within a project, with what was deleted since."""
        found: list[PublishedFile] = []
        for claimed_index, project in sorted((await self._store.current()).projects):
            if index not in (None, claimed_index) or (target and target.project not in (None, project)):
                continue
            published = await self._store.project(claimed_index, project)
            found += [each for each in (published.files if published else ()) if _is_meant(target, each)]
        return found

    async def yank(self, index: str, target: Target, reason: str, actor: Actor) -> list[PublishedFile]:
        """Yank files (PEP 592): installers take them only where somebody pins them, and say why.

        Raises NotFound where the target means no file, InvalidRecord without a reason.
        """
        reason = stated_reason(reason)
        return await self._set_yanked(index, target, reason, Action.FILE_YANKED, actor, reason)

    async def unyank(self, index: str, target: Target, reason: str, actor: Actor) -> list[PublishedFile]:
        """Take a yank back; raises what `yank` raises."""
        return await self._set_yanked(index, target, None, Action.FILE_UNYANKED, actor, stated_reason(reason))

    async def delete(self, index: str, target: Target, reason: str, actor: Actor) -> list[PublishedFile]:
        """Take files away for good: nobody is served them again, and their names are given to no other bytes.

        Raises what `yank` raises.
        """
        deletion = Deletion(self._clock.now(), actor.name, stated_reason(reason))
        files = await self._meant(index, target)
        for project, of_project in _by_project(files).items():
            names = [each.file.filename for each in of_project]
            entries = self._entries(Action.FILE_DELETED, of_project, actor, deletion.reason)
            await self._store.delete(index, project, names, deletion, entries)
        return [replace(each, deletion=deletion) for each in files]

    async def _set_yanked(
        self, index: str, target: Target, yanked: str | None, action: Action, actor: Actor, reason: str
    ) -> list[PublishedFile]:
        files = await self._meant(index, target)
        for project, of_project in _by_project(files).items():
            names = dict.fromkeys((each.file.filename for each in of_project), yanked)
            await self._store.yank(index, project, names, self._entries(action, of_project, actor, reason))
        return [replace(each, file=structs.replace(each.file, yanked=yanked)) for each in files]

    async def _meant(self, index: str, target: Target) -> list[PublishedFile]:
        files = [each for each in await self.files(index, target) if each.deletion is None]
        if not files:
            raise NotFound(f"nothing that was published on index {index} is {target}")
        return files

    def _entries(self, action: Action, files: Sequence[PublishedFile], actor: Actor, reason: str) -> list[Entry]:
        return [
            Entry(
                action,
                self._clock.now(),
                actor,
                index=each.index,
                project=each.project,
                version=each.file.version,
                filename=each.file.filename,
                sha256=each.file.sha256,
                details={"reason": reason},
            )
            for each in files
        ]


def _is_meant(target: Target | None, published: PublishedFile) -> bool:
    return target is None or target.covers(published.project, published.file)


def _by_project(files: Sequence[PublishedFile]) -> dict[str, list[PublishedFile]]:
    found: dict[str, list[PublishedFile]] = {}
    for each in files:
        found.setdefault(each.project, []).append(each)
    return found
