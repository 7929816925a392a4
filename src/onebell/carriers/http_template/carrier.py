"""Any HTTP service: a request of one's own with ``{title}``, ``{content}`` and ``{url}`` filled in; 2xx is success
(sheet pushplus §5.1 type 12, wecom §6.11)."""

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier
from onebell.carriers.one_call import Call, OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.request_template import plain, read_template, values_of
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Sent


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """Any 2xx is success."""
    return http_answers.failure(answer, now_ms) or Sent(detail=http_answers.told(answer))


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account.

    Raises:
        InvalidInput: the headers cannot be read.
    """
    # A form's values go in as they are: that is how the configurations of PushPlus were written.
    template = read_template(account.fields, escape_form=plain)

    def ask(_account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
        return template.filled(values_of(batch, content=batch.rendered.text))

    return OneCall(account, tools, ask, read)
