"""HTTP load by ``wrk`` (Debian's package): one thread, so that the server keeps a core of its own."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_LUA = """
wrk.method = {method}
wrk.body = {body}
{headers}
bad = 0
local count = 0
if string.find(wrk.body, "%d", 1, true) then
  local body = wrk.body
  function request()
    count = count + 1
    return wrk.format(nil, nil, nil, (string.gsub(body, "%%d", tostring(count))))
  end
end
function response(status, headers, body)
  if status ~= 200 or not string.find(body, {expect}, 1, true) then bad = bad + 1 end
end
local thread
function setup(t) thread = t end
function done(summary, latency, requests)
  io.write(string.format('RESULT {{"requests":%d,"us":%d,"p50":%d,"p99":%d,"bad":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), thread:get("bad")))
end
"""
MESSAGE_BODY = (
    '{"channel_id":"06J0FZG1Y8XGG14VTQ4Y3G10MR","password":"channel-password","title":"备份完成",'
    '"body":"NAS 每日备份已经完成。","severity":"normal"}'
)
_RESULT = re.compile(r"RESULT (\{.*\})")


@dataclass(frozen=True)
class Shot:
    """One request that is sent over and over."""

    path: str
    body: str
    """Each ``%d`` in it is the number of the request: WeCom refuses equal bodies in flight at once."""
    expect: str
    """A text that every answer must hold; else the run does not count."""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Load:
    """What one run saw."""

    per_second: float
    p50_ms: float
    p99_ms: float


def fire(url: str, shot: Shot, connections: int, seconds: int) -> Load:
    """Send as fast as the answers come.

    Raises:
        RuntimeError: an answer was not the expected one.
    """
    script = _LUA.format(
        method=json.dumps("POST"),
        body=json.dumps(shot.body, ensure_ascii=False),
        headers="\n".join(
            f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}"
            for name, value in (("Content-Type", shot.content_type), *shot.headers)
        ),
        expect=json.dumps(shot.expect, ensure_ascii=False),
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", file.name, url + shot.path]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = _RESULT.search(output)
    if found is None:
        raise RuntimeError(output)
    seen = json.loads(found.group(1))
    if seen["bad"]:
        raise RuntimeError(f"{seen['bad']} of {seen['requests']} answers to {shot.path} were not as expected")
    return Load(seen["requests"] / seen["us"] * 1e6, seen["p50"] / 1000, seen["p99"] / 1000)


def scratch() -> Path:
    """A new directory for one server's data."""
    return Path(tempfile.mkdtemp(prefix="onebell-bench-"))
