"""The real checks of carrier accounts, with nothing to connect with: they ask nobody."""

from typing import Any, cast

from onebell.carriers.accounts import Accounts
from onebell.carriers.tools import CarrierTools
from onebell.clock import Clock


def account_checks(clock: Clock) -> Accounts:
    """What ``Context.accounts`` is in a test without sockets."""
    return Accounts(CarrierTools(outbound=cast(Any, None), credentials=cast(Any, None), clock=clock))
