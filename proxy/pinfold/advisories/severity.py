"""How grave a record says that something is: by CVSS vectors (v2, v3 and v4), else by its database's own word."""

from collections.abc import Iterable
from functools import lru_cache

from pinfold.domain.advisory import Severity

_WORDS = {
    "none": Severity.NONE,
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "important": Severity.HIGH,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}
_FLOORS = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
"""The qualitative scale of CVSS v3 and v4, which v2 scores are read by too."""
MAX_VECTOR = 512


def rate(vectors: Iterable[tuple[str, str]], word: object) -> tuple[Severity | None, float | None]:
    """Return the severity and the highest base score of (type, vector) pairs; without one, that of the word.

    Vectors that cannot be read are passed over, since others may stand beside them.
    """
    scores = [score for kind, vector in vectors if (score := base_score(kind, vector)) is not None]
    if scores:
        score = max(scores)
        return next((severity for floor, severity in _FLOORS if score >= floor), Severity.NONE), score
    return (_WORDS.get(word.lower()) if isinstance(word, str) else None), None


@lru_cache(maxsize=16384)
def base_score(kind: str, vector: str) -> float | None:
    """Return the base score of a CVSS vector, or None for what is none; `kind` is the schema's, such as `CVSS_V3`."""
    # Slow to load, and needed by nothing but the intake of a feed.
    import cvss  # type: ignore[import-untyped]

    readers = {"CVSS_V2": cvss.CVSS2, "CVSS_V3": cvss.CVSS3, "CVSS_V4": cvss.CVSS4}
    reader = readers.get(kind)
    if reader is None or len(vector) > MAX_VECTOR:
        return None
    try:
        return float(reader(vector).base_score)
    except cvss.exceptions.CVSSError:
        return None
