"""What a carrier is: a way out, for one configured account, in batches. The words are ``core/carriage.py``'s.

Required: ``open``, ``close``, ``send``. The rest is found with ``isinstance`` on the small protocols, so a carrier
implements only what its provider can do.
"""

from onebell.core.carriage import (
    Address,
    Batch,
    Carrier,
    CarrierReceipt,
    Checks,
    HearsReceipts,
    Polls,
    Recalls,
    Rendered,
    Updates,
)

__all__ = [
    "Address",
    "Batch",
    "Carrier",
    "CarrierReceipt",
    "Checks",
    "HearsReceipts",
    "Polls",
    "Recalls",
    "Rendered",
    "Updates",
]
