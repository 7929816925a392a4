"""What a webhookUrl of each type says of the account behind it (sheet pushplus §5.1)."""

from typing import Any

import pytest
from tests.fakes.account_checks import account_checks
from tests.fakes.clock import MovedClock

from onebell.core.directory import CarrierAccount
from onebell.dialects.pushplus.manage.webhook_kinds import KINDS, BadUrl, masked, type_of

READ = (
    (1, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k", {"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"}),
    (4, "https://sctapi.ftqq.com/SCT123abc.send", {"sendkey": "SCT123abc"}),
    (4, "https://42.push.ft07.com/send/sctp42tKEY.send", {"sendkey": "sctp42tKEY"}),
    (4, "https://sc.example.org/x/SCT123.send", {"sendkey": "SCT123", "base_url": "https://sc.example.org/x"}),
    (50, "https://api.day.app/AbCdEfG", {"device_key": "AbCdEfG", "base_url": "https://api.day.app"}),
    (50, "https://bark.example.org/b/AbCdEfG/", {"device_key": "AbCdEfG", "base_url": "https://bark.example.org/b"}),
    (10, "https://g.example.org/message?token=Ax.1_-", {"base_url": "https://g.example.org", "token": "Ax.1_-"}),
    (10, "https://g.example.org/sub/message?a=b&token=A", {"base_url": "https://g.example.org/sub", "token": "A"}),
    (8, "https://maker.ifttt.com/trigger/e/with/key/k", {"url": "https://maker.ifttt.com/trigger/e/with/key/k"}),
)  # fmt: skip


@pytest.mark.parametrize(("number", "url", "fields"), READ)
def test_an_address_becomes_fields(number: int, url: str, fields: dict[str, Any]) -> None:
    """The fields are those of the kind's manifest, which takes them as they are."""
    assert KINDS[number].fields(url) == fields

    account = CarrierAccount(
        id=0,
        space=1,
        code="",
        kind=KINDS[number].carrier,
        name="",
        fields=fields,
        allow_networks=(),
        owner=1,
        enabled=True,
        stopped_why="",
        is_foreign=True,
    )
    secret = account_checks(MovedClock()).secret_fields(account)
    assert secret & fields.keys()


@pytest.mark.parametrize(
    ("number", "url"),
    [
        (4, "https://sctapi.ftqq.com/SCT123abc"),
        (50, "https://api.day.app"),
        (10, "https://g.example.org/message"),
        (10, "https://g.example.org/messages?token=A"),
    ],
)
def test_another_services_address_is_refused(number: int, url: str) -> None:
    """An address that does not have the type's form."""
    with pytest.raises(BadUrl):
        KINDS[number].fields(url)


def test_types_and_carriers() -> None:
    """Each type is shown for its carrier; bark is 50, and what PushPlus does not know is of one's own making."""
    assert [type_of(kind.carrier) for kind in KINDS.values()] == list(KINDS)
    assert (type_of("bark"), type_of("webhook"), type_of("")) == (50, 12, 12)


def test_an_operators_address_is_shown_without_its_key() -> None:
    """Host and scheme are all that is told."""
    assert masked({"url": "https://u:p@host.example:8443/x?key=K"}) == "https://host.example:8443/******"
    assert masked({"base_url": "https://bark.example"}) == "https://bark.example/******"
    assert masked({}) == "******"
