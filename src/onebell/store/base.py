"""The store as the core sees it: the verbs in groups, one attribute each."""

from dataclasses import dataclass

from onebell.store.app_users import Accounts
from onebell.store.audit import Audit
from onebell.store.belongings import Belongings
from onebell.store.blocks import Blocks
from onebell.store.callbacks import Callbacks
from onebell.store.carrier_accounts import CarrierAccounts
from onebell.store.changes import Changes
from onebell.store.conversations import Conversations
from onebell.store.credentials import Credentials
from onebell.store.deliveries import Deliveries
from onebell.store.devices import Devices
from onebell.store.easemob import EasemobStore
from onebell.store.engine import Database
from onebell.store.expansions import Expansions
from onebell.store.feeds import Feeds
from onebell.store.friends import Friends
from onebell.store.inbox import Inbox
from onebell.store.inbox_changes import InboxChanges
from onebell.store.joining import Joining
from onebell.store.keeping import Keeping
from onebell.store.members import Members
from onebell.store.messages import Messages
from onebell.store.numbers import Numbers
from onebell.store.people import People
from onebell.store.plans import Plans
from onebell.store.prepared import Box, Expansion, Prepared, Timer, Wait
from onebell.store.pressing import Pressing
from onebell.store.pushplus import PushPlusStore
from onebell.store.queues import Queues
from onebell.store.receipts import Receipts
from onebell.store.records import Records
from onebell.store.relations import Relations
from onebell.store.sessions import Sessions
from onebell.store.set_back import SetBack
from onebell.store.targets import Targets
from onebell.store.timeline import Timelines
from onebell.store.ums import UmsStore
from onebell.store.wecom import WecomStore

__all__ = ["Box", "Expansion", "Prepared", "Store", "Timer", "Wait", "build_store"]


@dataclass(frozen=True, kw_only=True)
class Store:
    """Verb groups over one database. Each is a class of its own file that takes the database."""

    db: Database
    changes: Changes
    inbox: Inbox
    inbox_changes: InboxChanges
    pressing: Pressing
    conversations: Conversations
    queues: Queues
    devices: Devices
    sessions: Sessions
    timelines: Timelines
    people: People
    belongings: Belongings
    feeds: Feeds
    members: Members
    friends: Friends
    blocks: Blocks
    joining: Joining
    credentials: Credentials
    records: Records
    numbers: Numbers
    carrier_accounts: CarrierAccounts
    targets: Targets
    accounts: Accounts
    relations: Relations
    audit: Audit
    deliveries: Deliveries
    messages: Messages
    expansions: Expansions
    callbacks: Callbacks
    plans: Plans
    receipts: Receipts
    keeping: Keeping
    set_back: SetBack
    ums: UmsStore
    easemob: EasemobStore
    wecom: WecomStore
    pushplus: PushPlusStore


def build_store(db: Database, changes: Changes) -> Store:
    """All verb groups over one database; what changes the directory goes through ``changes``."""
    return Store(
        db=db,
        changes=changes,
        inbox=Inbox(db),
        inbox_changes=InboxChanges(db),
        pressing=Pressing(db),
        conversations=Conversations(db),
        queues=Queues(db),
        devices=Devices(db),
        sessions=Sessions(db),
        timelines=Timelines(db),
        people=People(changes),
        belongings=Belongings(changes),
        feeds=Feeds(changes),
        members=Members(changes),
        friends=Friends(changes),
        blocks=Blocks(changes),
        joining=Joining(changes),
        credentials=Credentials(changes),
        records=Records(changes),
        numbers=Numbers(db),
        carrier_accounts=CarrierAccounts(changes),
        targets=Targets(changes),
        accounts=Accounts(changes),
        relations=Relations(db, changes.clock),
        audit=Audit(db, changes.mint, changes.clock),
        deliveries=Deliveries(db),
        messages=Messages(db),
        expansions=Expansions(db),
        callbacks=Callbacks(db),
        plans=Plans(db),
        receipts=Receipts(db),
        keeping=Keeping(db, changes),
        set_back=SetBack(db),
        ums=UmsStore(db),
        easemob=EasemobStore(changes),
        wecom=WecomStore(db),
        pushplus=PushPlusStore(changes),
    )
