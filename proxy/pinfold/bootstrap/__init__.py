"""The only wiring: from settings to adapters to use cases to a running server.

`stores`, `upstreams`, `feeds`, `trust` and `outlets` each open one kind of adapter, `installation` connects them to the
use cases, and `running` serves requests with the result.
"""

from pinfold.bootstrap.installation import Installation, open_installation
from pinfold.bootstrap.running import run_server

__all__ = ["Installation", "open_installation", "run_server"]
