"""Pure inspection: the bytes of an archive become a report; nothing in them is imported, executed or written out."""

from pinfold.inspection.compare import compare, foreign_packages
from pinfold.inspection.inspector import INSPECTOR, inspect
from pinfold.inspection.limits import Limits

__all__ = ["INSPECTOR", "Limits", "compare", "foreign_packages", "inspect"]
