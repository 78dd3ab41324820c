"""Checkpoints as in C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint): a tree's size and root, signed.

The log's key bears the log's origin as its name. To replace the key, the old one signs a last checkpoint that names its
successor in an extension line, and the successor signs it too, to show that somebody holds it. From then on the old key
vouches for no larger tree. Whoever trusts the old key follows the chain to the present one, which is then the key to
keep: a key that is stolen later can begin another chain. Older checkpoints are verified by the key of their time.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from pinfold.audit.merkle import HASH_SIZE
from pinfold.audit.note import Signer, Verifier, from_base64, open_note, sign_note, to_base64
from pinfold.domain.errors import InvalidNote

_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_FIXED_LINES = 3
_SUCCESSOR = "next-key "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size."""

    origin: str
    """The log's name, for instance `pinfold.example/audit`."""
    size: int
    """How many entries there are: those numbered 1 to `size`."""
    root: bytes
    """The Merkle root over them."""
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a note's text; raises InvalidNote for any spelling but the one of `str()`."""
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) < _FIXED_LINES or not all(lines):
            raise InvalidNote("a checkpoint is three or more lines, none of them empty")
        origin, size, encoded, *extensions = lines
        try:
            root = from_base64(encoded)
        except ValueError:
            root = b""
        if not _SIZE.fullmatch(size) or len(root) != HASH_SIZE:
            raise InvalidNote("a checkpoint's second line is a size and its third the base64 of a sha256 hash")
        return cls(origin, int(size), root, tuple(extensions))

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))

    @property
    def successor(self) -> Verifier | None:
        """The key that follows the one that signed, where this checkpoint is the last of its key."""
        named = [line.removeprefix(_SUCCESSOR) for line in self.extensions if line.startswith(_SUCCESSOR)]
        if len(named) > 1:
            raise InvalidNote("the checkpoint names two keys to follow")
        return Verifier.parse(named[0]) if named else None

    def sign(self, *signers: Signer) -> bytes:
        """Return the checkpoint as a signed note; raises InvalidNote where it could not be read back."""
        text = str(self)
        if Checkpoint.parse(text) != self:
            raise InvalidNote("a checkpoint's lines must not contain line breaks")
        return sign_note(text, signers)

    def sign_as_last(self, signer: Signer, successor: Signer) -> bytes:
        """Return the signed note that ends a key's service at this size and hands over to the next key."""
        line = f"{_SUCCESSOR}{successor.verifier}"
        return Checkpoint(self.origin, self.size, self.root, (*self.extensions, line)).sign(signer, successor)


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The public keys by which a log is known, and up to which size each of them counts."""

    origin: str
    _through: Mapping[Verifier, int | None]
    """The size of each key's last checkpoint; None as long as the key is not replaced."""

    @classmethod
    def of(cls, *verifiers: Verifier) -> Self:
        """Return the keys of one log, all of which bear its origin as their name; raises InvalidNote otherwise."""
        origins = {verifier.name for verifier in verifiers}
        if len(origins) != 1:
            raise InvalidNote("the keys of a log are one or more, and of one name")
        return cls(origins.pop(), dict.fromkeys(verifiers))

    def open(self, note: bytes) -> Checkpoint:
        """Return a checkpoint of this log; raises InvalidNote unless one of its keys, in its time, signed it."""
        return self._open(note)[0]

    def follow(self, note: bytes) -> Self:
        """Return the keys after a change of keys, given the last checkpoint of a known key.

        Raises InvalidNote unless a key that was not replaced before and its successor signed it. To follow a change
        again changes nothing, and a key that was replaced does not come back.
        """
        checkpoint, signed_by = self._open(note)
        successor = checkpoint.successor
        if successor is None or successor.name != self.origin:
            raise InvalidNote("the checkpoint names no key of this log to follow")
        open_note(note, [successor])
        ending = [key for key in signed_by if self._through[key] is None and key != successor]
        if successor not in self._through and not ending:
            raise InvalidNote("the checkpoint names a key to follow after its own key was replaced")
        return replace(self, _through={successor: None, **self._through, **dict.fromkeys(ending, checkpoint.size)})

    def follow_all(self, notes: Iterable[bytes]) -> tuple[Self, list[Checkpoint]]:
        """Follow changes of keys, oldest first; return the keys, and the last checkpoints that were followed.

        Changes from before the time of the known keys are passed over, as far as their successors signed them.
        """
        keys, followed = self, list[Checkpoint]()
        for note in notes:
            try:
                keys = keys.follow(note)
            except InvalidNote:
                if followed or not _is_change(note):
                    raise
            else:
                followed.append(keys.open(note))
        return keys, followed

    def _open(self, note: bytes) -> tuple[Checkpoint, list[Verifier]]:
        opened = open_note(note, self._through)
        checkpoint = Checkpoint.parse(opened.text)
        if checkpoint.origin != self.origin:
            raise InvalidNote(f"the checkpoint is not of {self.origin}")
        signed_by = [key for key in opened.signed_by if self._counts(key, checkpoint.size)]
        if not signed_by:
            raise InvalidNote("the checkpoint is signed by a key that was replaced before its size was reached")
        return checkpoint, signed_by

    def _counts(self, key: Verifier, size: int) -> bool:
        through = self._through[key]
        return through is None or size <= through


def read_checkpoint(note: bytes) -> Checkpoint:
    """Return what a note says, whoever signed it; raises InvalidNote where it is no checkpoint."""
    return Checkpoint.parse(note.decode(errors="replace").rpartition("\n\n")[0] + "\n")


def _is_change(note: bytes) -> bool:
    """Tell whether a note names a key to follow and is signed by it, whoever else signed."""
    successor = read_checkpoint(note).successor
    return successor is not None and bool(open_note(note, [successor]))
