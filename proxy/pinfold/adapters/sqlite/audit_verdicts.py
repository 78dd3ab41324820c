"""Sets of verdicts recur from request to request: each is stored once, and cut out of the entries' bytes.

The view `audit_entry` puts it back where it was, so that what is hashed, signed, exported and read are the canonical
bytes, whole. Nothing has to be believed of the sets: a wrong one makes wrong bytes of every entry that it is put into.
"""

from hashlib import sha256

import sqlite_utils

from pinfold.audit.canonical import canonical_verdicts
from pinfold.domain.audit_entry import Entry

SHORTEST = 40
"""Bytes; to refer to a set costs some itself."""


def cut_out(database: sqlite_utils.Database, body: bytes, entry: Entry) -> tuple[bytes, int | None, int | None]:
    """Return canonical bytes without the entry's verdicts, the number of that set, and the place where it was.

    The set is stored in the transaction that is open, unless it is there already.
    """
    text = canonical_verdicts(entry)
    place = body.find(text)
    if len(text) < SHORTEST or place < 0:
        return body, None, None
    digest = sha256(text).digest()
    database.execute("INSERT OR IGNORE INTO audit_verdicts (digest, text) VALUES (?, ?)", [digest, text])
    (number,) = database.execute("SELECT id FROM audit_verdicts WHERE digest = ?", [digest]).fetchone()
    return body[:place] + body[place + len(text) :], number, place
