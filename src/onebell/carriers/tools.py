"""What a carrier is built with besides its account."""

from dataclasses import dataclass

from onebell.carriers.credentials import Credentials
from onebell.carriers.outbound import Outbound
from onebell.clock import Clock


@dataclass(frozen=True, kw_only=True)
class CarrierTools:
    """Shared by all carriers of a node."""

    outbound: Outbound
    credentials: Credentials
    clock: Clock
