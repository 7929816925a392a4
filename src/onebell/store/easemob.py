"""What only Easemob asks of the store: its tokens, and the people and names behind what is sent."""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.core.accounts import NewToken
from onebell.core.conversations import Channel, HourPage, Numbered, Queued, Roam
from onebell.core.model import PartyKind
from onebell.store import claims, easemob_messages, easemob_names, easemob_roaming, easemob_tokens, parties
from onebell.store.changes import Changes
from onebell.store.easemob_tokens import DIALECT, TOKEN


class EasemobStore:
    """Verbs of the Easemob dialect."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def issue_token(self, space: int, value: str, new: NewToken) -> bool:
        """Let a token be found; False when its account has changed meanwhile so that none may be issued.

        It is no change of the directory: caches stay, 300 tokens are issued a second.
        """
        changes = self._changes
        which, now_ms = changes.mint.mint(), changes.clock.now_ms()
        digest = changes.vault.digest(DIALECT, TOKEN, value)

        def work(connection: sa.Connection) -> bool:
            if new.user and not easemob_tokens.is_current(connection, space, new):
                return False
            easemob_tokens.insert(connection, space, which, digest, new, now_ms)
            return True

        return await changes.database.write(work)

    async def numbered(self, number: str) -> tuple[int, Numbered] | None:
        """The space and message of a receiver's id; None = nobody has it."""
        return await self._changes.database.read(lambda connection: easemob_messages.numbered(connection, number))

    async def recall_numbered(self, space: int, message: int, owner: int, number: int) -> tuple[int, ...]:
        """Recall what one receiver has of a message, and the sender's copy of that; the mailboxes, none when it was
        before."""
        changes, now_ms = self._changes, self._changes.clock.now_ms()
        return await changes.database.write(
            lambda connection: easemob_messages.recall_numbered(
                connection, space, message, owner, number, now_ms, changes.mint
            )
        )

    async def once_told(self, space: int, scope: str, keys: Sequence[str]) -> dict[str, str]:
        """The ids of messages that were stored once, by their idempotency keys; others are not in it."""
        wanted = [(space, scope, key) for key in keys]
        found = await self._changes.database.read(lambda connection: claims.first_ids(connection, wanted))
        return {key: number for (_, _, key), number in found.items()}

    async def separate(self, space: int, message: int, number: int) -> None:
        """Give what one receiver has of a message of several a message of its own; see
        :func:`easemob_messages.separate`."""
        which = self._changes.mint.mint()
        await self._changes.database.write(
            lambda connection: easemob_messages.separate(connection, space, message, number, which)
        )

    async def hour(
        self, space: int, app: str, span: tuple[int, int], after: tuple[int, int] = (0, 0), limit: int = 200
    ) -> HourPage:
        """What an app's users got in a span of time, of up to ``limit`` messages behind (instant, message)."""
        return await self._changes.database.read(
            lambda connection: easemob_messages.hour(connection, space, app, span, after, limit)
        )

    async def roam(self, asked: Roam) -> list[Queued]:
        """See :func:`onebell.store.easemob_roaming.page`."""
        return await self._changes.database.read(lambda connection: easemob_roaming.page(connection, asked))

    async def channels(self, space: int, me: int, realm: str) -> list[Channel]:
        """Conversations in which clients have written, the newest first, each with its last message."""
        return await self._changes.database.read(
            lambda connection: easemob_roaming.channels(connection, space, me, realm)
        )

    async def clear_channel(self, space: int, me: int, feed: int) -> None:
        """Take a conversation off somebody's list until something new comes."""
        up_to, now_ms = self._changes.mint.mint(), self._changes.clock.now_ms()
        await self._changes.database.write(
            lambda connection: easemob_roaming.clear(connection, space, me, feed, up_to, now_ms)
        )

    async def clear_history(self, space: int, me: int, feed: int) -> None:
        """Likewise, and he looks back on nothing of it up to now."""
        up_to, now_ms = self._changes.mint.mint(), self._changes.clock.now_ms()
        await self._changes.database.write(
            lambda connection: easemob_roaming.clear_history(connection, space, me, feed, up_to, now_ms)
        )

    async def count_names(self, space: int, app: str) -> int:
        """How many names that nobody has something waits for, in one app."""
        return await self._changes.database.read(lambda connection: easemob_names.count(connection, space, app))

    async def known_names(self, space: int, app: str, names: Sequence[str]) -> dict[str, int]:
        """Parties of names that something waits for already."""
        keys = {easemob_names.key_of(app, name): name for name in names}
        found = await self._changes.database.read(
            lambda connection: parties.known(connection, space, PartyKind.NAME, list(keys))
        )
        return {keys[key]: number for key, number in found.items()}
