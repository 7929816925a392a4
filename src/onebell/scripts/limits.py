"""How much of the machine a script may use (sheet pushplus §4: 1 s, 32 MB)."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one run, and of the pool around it; a worker is told them when it starts."""

    run_s: float = 1.0  # from the first instruction to the content in hand
    heap_bytes: int = 32 * 1024 * 1024  # of the engine
    process_bytes: int = (
        128 * 1024 * 1024
    )  # of data in the process: what lies outside the engine's heap (array buffers)
    result_chars: int = 100_000  # the longest content that any dialect takes
    error_chars: int = 500  # of a script's own error
    grace_s: float = 0.5  # how much longer than ``run_s`` a worker may take before it is killed
    answer_s: float = 4.5  # for everything: a turn, a worker, the run; beyond it the pool is overloaded
    start_s: float = 20.0  # of a worker's start; on a busy machine the first run may give up earlier, the next finds it
    idle_s: float = 60.0  # an unused worker is stopped: at rest there is none
    workers: int = 2  # each works for one owner at a time
