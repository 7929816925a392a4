"""Where SDKs in HTTP-DNS mode find the API and the socket: at the address they asked (sheet easemob-msync §8)."""

from typing import Any
from urllib.parse import urlsplit

from onebell.dialects.easemob import answer
from onebell.http.exchange import Answer, Request

PORTS = {"http": "80", "https": "443"}


async def server_json(request: Request, _: tuple[str, ...]) -> Answer:
    """The same host for both; the SDK adds ``/websocket`` itself and takes what fits its own protocol."""
    if request.method == "OPTIONS":
        return answer.preflight()
    return answer.plain(_document(request.scheme, request.text_header(b"host")))


def _document(scheme: str, host: str) -> dict[str, Any]:
    try:
        place = urlsplit(f"{scheme}://{host}")
        domain, port = place.hostname or "", str(place.port or PORTS.get(scheme, "80"))
    except ValueError:
        domain, port = "", "80"
    hosts = [{"protocol": scheme, "domain": domain, "ip": "", "port": port}]
    return {
        "rest": {"hosts": hosts},
        "msync-wx": {"hosts": hosts},
        "enableReportLogs": "false",
        "enableDataReport": "false",
        "uploadinparts_enable": "false",
    }
