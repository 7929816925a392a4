"""Sends callbacks: packed by the dialect, signed by us, tried by the dialect's schedule, then parked."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
import structlog

from onebell.core import signing
from onebell.core.bell import Due
from onebell.core.context import Context
from onebell.core.defects import noted
from onebell.core.events import CallbackAnswer, CallbackRequest, CallbackSchedule
from onebell.core.packing import Packer, Packing
from onebell.core.retry_after import retry_after_s
from onebell.core.waking import woken
from onebell.core.work import CallbackJob, CallbackResult
from onebell.errors import OnebellError, StoreUnavailable

log = structlog.get_logger()

IN_FLIGHT = 64
"""Requests of one node at once."""
PER_ORIGIN = 16
"""Of those, to one receiver: one that hangs must not hold up the others."""
PUT_OFF_S = 1.0
"""How long a callback waits whose receiver has as many under way as it gets."""
GONE = 410
"""A receiver that wants no more (Standard Webhooks)."""


class NoAnswer(OnebellError):
    """No HTTP answer: not found, refused, not trusted, too slow."""


class NotAllowed(OnebellError):
    """The address gate refuses the URL: nothing was sent, and nothing ever will be."""


class CallbackSender(Protocol):
    """The way out: never follows a redirect, reads at most 64 KiB."""

    async def post(
        self, request: CallbackRequest, headers: Mapping[str, str], allow: Sequence[str], timeout_s: float
    ) -> CallbackAnswer:
        """Send one request; ``allow`` are the origins that an unverified URL may name beside public addresses.

        Raises:
            NoAnswer, NotAllowed
        """
        ...


@runtime_checkable
class HearsFailures(Protocol):
    """A packer that counts what its receivers do not take."""

    async def on_failure(self, space: int, context: Mapping[str, Any]) -> None:
        """A try failed; ``context`` is the request's."""
        ...


class Callbacks:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context, packers: Mapping[str, Packer], sender: CallbackSender) -> None:
        self.context = context
        self._packers = packers
        self._sender = sender
        self._packing = Packing(context, packers)
        self._secrets: dict[int, tuple[str, ...]] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._origins: dict[str, int] = {}
        self._pack_wake, self._send_wake = asyncio.Event(), asyncio.Event()
        self._claiming = asyncio.Lock()
        self._is_stopping = False
        context.bell.listen(Due, self._heard)

    def _heard(self, note: Due) -> None:
        if note.queue == "events":
            self._pack_wake.set()
        elif note.queue == "callbacks":
            self._send_wake.set()

    async def run(self) -> None:
        """Pack and send until :meth:`stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop(self._pack_wake, self.pack_turn))
            group.create_task(self._loop(self._send_wake, self.send_turn))

    async def _loop(self, wake: asyncio.Event, turn: "_Turn") -> None:
        while not self._is_stopping:
            wake.clear()
            try:
                wait_s = await turn()
            except StoreUnavailable as error:
                log.warning("callbacks_wait_for_store", why=str(error))
                wait_s = 1.0
            await woken(wake, wait_s)

    async def stop(self, deadline_s: float = 0) -> None:
        """Send nothing more; requests under way get ``deadline_s``."""
        self._is_stopping = True
        self._pack_wake.set()
        self._send_wake.set()
        async with self._claiming:  # what is being claimed is given back
            pass
        if self._calls and deadline_s:
            await asyncio.wait(self._calls, timeout=deadline_s)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until no request is under way."""
        while self._calls:
            await asyncio.wait(self._calls)

    async def pack_turn(self) -> float:
        """Pack what is ready; seconds until more will be."""
        made, wait_s = await self._packing.turn()
        if made:
            self.context.bell.ring(Due(space=0, queue="callbacks"))
        return wait_s

    async def send_turn(self) -> float:
        """Claim what is due and start the requests; seconds until it is worth looking again."""
        room = IN_FLIGHT - len(self._calls)
        if room <= 0:
            return self.context.settings.poll_s
        now = self.context.clock.now_ms()
        due = await self.context.store.callbacks.next_due()
        if due is None:
            return self.context.settings.poll_s
        if due > now:
            return min(self.context.settings.poll_s, 1.0, (due - now) / 1000)
        async with self._claiming:
            if self._is_stopping:
                return 0
            jobs = await self.context.store.callbacks.claim_due(now, self.context.mint.node, room)
            put_off = [job for job in jobs if not self._start(job)]
            if put_off:
                await self.context.store.callbacks.give_back(put_off, now + round(PUT_OFF_S * 1000))
        return 0.01 if len(jobs) == room else min(self.context.settings.poll_s, 1.0)

    def _start(self, job: CallbackJob) -> bool:
        origin = "/".join(job.url.split("/", 3)[:3])
        if self._is_stopping or self._origins.get(origin, 0) >= PER_ORIGIN:
            return False
        self._origins[origin] = self._origins.get(origin, 0) + 1
        task = asyncio.create_task(self._send(job))
        self._calls.add(task)
        task.add_done_callback(lambda done: self._ended(done, origin))
        return True

    def _ended(self, task: asyncio.Task[None], origin: str) -> None:
        self._calls.discard(task)
        self._origins[origin] -= 1
        if not self._origins[origin]:
            del self._origins[origin]
        self._send_wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease ends by itself; the callback is tried again then.
            log.error("callback_not_stored", exc_info=error)

    async def _send(self, job: CallbackJob) -> None:
        result = await self._try(job)
        await self._tell_failure(job, result)
        await asyncio.shield(self.context.store.callbacks.close([result], self.context.clock.now_ms()))
        if result.state != "done":
            log.info(
                "callback_not_taken",
                dialect=job.dialect,
                callback=job.id,
                attempt=job.attempt,
                status=result.status,
                state=result.state,
            )

    async def _try(self, job: CallbackJob) -> CallbackResult:
        packer = self._packers.get(job.dialect)
        if packer is None:
            return CallbackResult(job=job, state="parked", reply="this dialect is off")
        try:
            request = self._packing.unpacked(job)
        except Exception as error:
            # It will not read better later, and must not hold up what waits behind it for ever.
            log.exception("callback_unreadable", callback=job.id)
            return CallbackResult(job=job, state="parked", reply=f"cannot be read: {type(error).__name__}")
        try:
            return await self._ask(job, packer, request)
        except StoreUnavailable:
            raise
        except Exception as error:
            # A try like any other, so that it ends: else the callback, and all behind it, waits for ever (R15).
            defect = noted("callback_defect", "sending the callback", error, callback=job.id, dialect=job.dialect)
            return self._again(job, packer.callbacks, 0, defect.why)

    async def _ask(self, job: CallbackJob, packer: Packer, request: CallbackRequest) -> CallbackResult:
        schedule = packer.callbacks
        try:
            answer = await self._post(job, request, schedule)
        except NotAllowed as error:
            return CallbackResult(job=job, state="parked", reply=str(error))
        except NoAnswer as error:
            return self._again(job, schedule, 0, str(error))
        reply = answer.body.decode("utf-8", "replace")
        if not ends(schedule, answer.status):
            if answer.status == GONE and not schedule.success:
                return CallbackResult(job=job, state="parked", status=answer.status, reply=reply)
            return self._again(
                job, schedule, answer.status, reply, asked_s(schedule, answer, self.context.clock.now_ms())
            )
        if answer.status in schedule.success or 200 <= answer.status < 300:
            await self._tell(packer, request, answer)
        return CallbackResult(job=job, state="done", status=answer.status, reply=reply)

    async def _post(self, job: CallbackJob, request: CallbackRequest, schedule: CallbackSchedule) -> CallbackAnswer:
        keys = await self._keys(job.space)
        at_s = self.context.clock.now_ms() // 1000
        # The same id on every try, so that a receiver can tell a repeat.
        headers = {**request.headers, **signing.headers(f"cb_{job.id}", at_s, request.body, keys)}
        allow = () if job.verified else (await self.context.lookups.space(job.space)).allow_callbacks
        return await self._sender.post(request, headers, allow, request.timeout_s or schedule.timeout_s)

    def _again(
        self, job: CallbackJob, schedule: CallbackSchedule, status: int, reply: str, least_s: float = 0
    ) -> CallbackResult:
        if job.attempt > len(schedule.pauses_s):
            return CallbackResult(job=job, state="parked", status=status, reply=reply)
        pause_s = max(schedule.pauses_s[job.attempt - 1], least_s)
        due = self.context.clock.now_ms() + round(pause_s * 1000)
        return CallbackResult(job=job, state="due", due_at=due, status=status, reply=reply)

    async def _tell(self, packer: Packer, request: CallbackRequest, answer: CallbackAnswer) -> None:
        try:
            await packer.on_answer(request, answer)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("callback_answer_defect", kind=request.kind, space=request.space)

    async def _tell_failure(self, job: CallbackJob, result: CallbackResult) -> None:
        packer = self._packers.get(job.dialect)
        if result.state == "done" or not isinstance(packer, HearsFailures):
            return
        try:
            await packer.on_failure(job.space, job.context)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("callback_failure_defect", callback=job.id, dialect=job.dialect)

    async def _keys(self, space: int) -> tuple[str, ...]:
        """The space's signing secrets; the first is made when it is first needed."""
        if space not in self._secrets:
            store, vault = self.context.store.callbacks, self.context.vault
            sealed = await store.secrets(space)
            if sealed is None:
                await store.keep_secrets(space, vault.seal(msgspec.json.encode([signing.new_secret()]).decode()))
                sealed = await store.secrets(space)
            assert sealed is not None, "just stored"
            self._secrets[space] = tuple(msgspec.json.decode(vault.unseal(sealed), type=list[str]))
        return self._secrets[space]

    async def replay(self, space: int, callback: int) -> None:
        """Send a closed or parked callback again.

        Raises:
            NotFound: there is none, or it is still open.
        """
        await self.context.store.callbacks.replay(space, callback, self.context.clock.now_ms())
        self.context.bell.ring(Due(space=space, queue="callbacks"))


class _Turn(Protocol):
    async def __call__(self) -> float: ...


def ends(schedule: CallbackSchedule, status: int) -> bool:
    """Whether an answer of this status ends the matter. A redirect is never followed and never a success of its own."""
    if schedule.any_answer_ends:
        return True
    if schedule.success:
        return status in schedule.success
    return 200 <= status < 300


def asked_s(schedule: CallbackSchedule, answer: CallbackAnswer, now_ms: int) -> float:
    """How long the receiver asks to be left alone, where the schedule is ours (Standard Webhooks) and no sheet's."""
    if schedule.success:
        return 0
    return retry_after_s(answer.headers.get("retry-after", ""), now_ms) or 0
