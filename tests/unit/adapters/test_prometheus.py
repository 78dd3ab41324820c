"""What Prometheus reads."""

from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.domain.errors import StoreError
from pinfold.ports.audit_log import Backlog


def test_what_waits_for_the_audit_log_is_told_as_of_each_reading() -> None:
    telemetry = PrometheusTelemetry()
    backlogs = [Backlog(0, 0.0, None), Backlog(7, 1.5, StoreError("the disk is full"))]
    telemetry.audit_log(lambda: backlogs[-1])
    for expected in ({"7.0", "1.5", "1.0"}, {"0.0"}):
        lines = [line.split() for line in telemetry.render().decode().splitlines()]
        assert {line[1] for line in lines if line[0].startswith("pinfold_audit_")} == expected
        backlogs.pop()
