"""The transparency log (Rekor, version 1): a Merkle tree, its checkpoints, and its promises."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from tests.fakes.sigstore.authority import new_key, public_der, sign

_ORIGIN = "rekor.example - 42"
_EARLIER_TREES = 1000
"""Entries in trees before this one: an entry's index in the log is not its index in the tree."""


class Rekor:
    """Takes up entries and proves it."""

    def __init__(self) -> None:
        self.key = new_key()
        self.log_id = hashlib.sha256(public_der(self.key)).digest()
        self._leaves = [_leaf_hash(b"an entry of somebody else's %d" % n) for n in range(5)]

    def add(self, body: bytes, integrated_time: int) -> "Entry":
        """Log a canonical body, with another entry after it, so that proofs have both kinds of sibling."""
        index = len(self._leaves)
        self._leaves += [_leaf_hash(body), _leaf_hash(b"the next entry")]
        return Entry(self, list(self._leaves), body, integrated_time, index)


class Entry:
    """An entry with everything that vouches for it; each part can be replaced before it is exported."""

    def __init__(self, rekor: Rekor, leaves: list[bytes], body: bytes, integrated_time: int, index: int) -> None:
        self.body = body
        self.integrated_time = integrated_time
        self.root_hash = _tree_hash(leaves)
        self.path = _path(leaves, index)
        self.kind_version = {"kind": "dsse", "version": "0.0.1"}
        self._log_id, self._index, self._size = rekor.log_id, index, len(leaves)
        self.promise: bytes | None = self.promised(rekor.key)
        self.checkpoint = self.checkpointed(rekor.key, self.root_hash)

    def promised(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """Return the signed entry timestamp: over canonical JSON with integers and a hexadecimal log id."""
        promised = {
            "body": _b64(self.body),
            "integratedTime": self.integrated_time,
            "logID": self._log_id.hex(),
            "logIndex": _EARLIER_TREES + self._index,
        }
        return sign(key, json.dumps(promised, sort_keys=True, separators=(",", ":")).encode())

    def checkpointed(self, key: ec.EllipticCurvePrivateKey, root_hash: bytes) -> str:
        """Return a signed note: the signature covers the text with its last line break, and a blank line follows."""
        text = f"{_ORIGIN}\n{self._size}\n{_b64(root_hash)}\n"
        return f"{text}\n\N{EM DASH} rekor.example {_b64(self._log_id[:4] + sign(key, text.encode()))}\n"

    def to_json(self) -> dict[str, Any]:
        promise = {"inclusionPromise": {"signedEntryTimestamp": _b64(self.promise)}} if self.promise else {}
        return {
            "logIndex": str(_EARLIER_TREES + self._index),
            "logId": {"keyId": _b64(self._log_id)},
            "kindVersion": self.kind_version,
            "integratedTime": str(self.integrated_time),
            **promise,
            "inclusionProof": {
                "logIndex": str(self._index),
                "rootHash": _b64(self.root_hash),
                "treeSize": str(self._size),
                "hashes": [_b64(node) for node in self.path],
                "checkpoint": {"envelope": self.checkpoint},
            },
            "canonicalizedBody": _b64(self.body),
        }


def _leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\0" + body).digest()


def _tree_hash(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = _split(leaves)
    return hashlib.sha256(b"\1" + _tree_hash(leaves[:split]) + _tree_hash(leaves[split:])).digest()


def _path(leaves: list[bytes], index: int) -> list[bytes]:
    """Return the inclusion proof of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = _split(leaves)
    if index < split:
        return [*_path(leaves[:split], index), _tree_hash(leaves[split:])]
    return [*_path(leaves[split:], index - split), _tree_hash(leaves[:split])]


def _split(leaves: list[bytes]) -> int:
    """Return the largest power of two below the number of leaves."""
    return 1 << (len(leaves) - 1).bit_length() - 1


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
