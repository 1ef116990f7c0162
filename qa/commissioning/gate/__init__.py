"""The gate that a retrained package must pass before it replaces the package in use."""

from autocontour.qa.commissioning.gate.judge import GateLimits, Judgement, judge_site, read_limits
from autocontour.qa.commissioning.gate.record import GateRecord, read_record, write_record
from autocontour.qa.commissioning.gate.run import Site, run_gate

__all__ = [
    "GateLimits",
    "GateRecord",
    "Judgement",
    "Site",
    "judge_site",
    "read_limits",
    "read_record",
    "run_gate",
    "write_record",
]
