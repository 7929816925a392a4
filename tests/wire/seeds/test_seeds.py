"""Every request sample of the five documents, sent to a running server as it is printed."""

import json
import re

import pytest
from tests.wire.seeds.raw_http import RawAnswer, send
from tests.wire.seeds.samples import APP_TOKEN, DOCUMENTS, Sample, samples_of, unlisted


@pytest.fixture
async def app_token(server):
    """An Easemob app token, as its own endpoint gives it."""
    asked = {
        "grant_type": "client_credentials",
        "client_id": "YXA6-demo-client-id",
        "client_secret": "YXA6-demo-client-secret",
    }
    async with server.session.post(f"{server.url}/acme/demo/token", json=asked) as answer:
        return (await answer.json())["access_token"]


async def _sent(server, sample: Sample, app_token: str) -> RawAnswer:
    headers = tuple((name, value.replace(APP_TOKEN, app_token)) for name, value in sample.headers)
    return await send(server.url, sample.method, sample.target, headers, sample.body)


def _is_expected(sample: Sample, answer: RawAnswer) -> bool:
    text = answer.body.decode()
    return answer.status == sample.status and re.fullmatch(sample.answer, text) is not None


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_printed_samples_get_their_services_answers(server, app_token, document, subtests):
    """Unchanged but for host and credentials, each sample is answered as its service would answer."""
    for sample in samples_of(document):
        if not sample.waits:
            with subtests.test(sample.name):
                answer = await _sent(server, sample, app_token)
                assert _is_expected(sample, answer), (answer.status, answer.body.decode())


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_waiting_samples_are_refused_in_their_services_words(server, app_token, document, subtests):
    """What a later issue brings is refused politely until then; once it is answered, its mark must go."""
    for sample in samples_of(document):
        if sample.waits:
            with subtests.test(sample.name):
                answer = await _sent(server, sample, app_token)
                assert answer.status < 500
                json.loads(answer.body)
                assert not _is_expected(sample, answer), f"it no longer waits: {sample.waits}"


def test_every_file_is_in_its_table():
    """No sample is left out, and no row names a file that is not there."""
    assert unlisted() == []


def test_all_documents_are_complete():
    """As many samples as the documents print."""
    printed = {
        document: len({sample.name.split(" ")[0].split(".")[0] for sample in samples_of(document)})
        for document in DOCUMENTS
    }

    assert printed == {"pushplus": 13, "ums": 21, "pushgo": 2, "wecom": 10, "easemob": 9}
