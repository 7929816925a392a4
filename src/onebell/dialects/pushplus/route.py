"""The router plug-in's reports in sections (sheet pushplus §4 ``route``)."""

from collections.abc import Callable
from typing import Any

Section = tuple[str, dict[str, Any]]

_NET_LABELS = (
    ("协议", "proto"),
    ("WAN IPv4", "wanIPv4"),
    ("公网 IPv4", "pubIPv4"),
    ("公网 IPv6", "pubIPv6"),
    ("DNS", "wanDNS"),
    ("接收", "wanRX"),
    ("发送", "wanTX"),
)
_CLIENT_LABELS = (
    ("名称", "cliNAME"),
    ("IP", "cliIP"),
    ("MAC", "cliMAC"),
    ("上线时间", "upTIME"),
    ("到期时间", "expTIME"),
)
_SYSTEM_LABELS = (
    ("名称", "routerNAME"),
    ("固件", "routerFIRMWARE"),
    ("时间", "routerTIME"),
    ("运行时间", "routerUPTIME"),
    ("模式", "routerMODE"),
    ("内存", "routerMEM"),
    ("平均负载", "routerAVGLOAD"),
    ("JFFS", "routerJFFS"),
    ("交换区", "routerSWAP"),
)


def sections(report: dict[str, Any]) -> list[Section]:
    """A report's sections, empty ones left out; nothing for an unknown ``msgTYPE``."""
    make = _KINDS.get(str(report.get("msgTYPE", "")))
    return [section for section in make(report) if section[1]] if make else []


def _picked(source: object, labels: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    if not isinstance(source, dict):
        return {}
    return {label: source[name] for label, name in labels if source.get(name) not in (None, "")}


def _numbered(sources: object, labels: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    if not isinstance(sources, list):
        return {}
    picked = (_picked(source, labels) for source in sources)
    return {str(no): values for no, values in enumerate(picked, 1) if values}


def _listed(source: object) -> dict[str, Any]:
    if isinstance(source, dict):
        return source
    if isinstance(source, list):
        return {str(no): value for no, value in enumerate(source, 1)}
    return {}


def _network_up(report: dict[str, Any]) -> list[Section]:
    router = _picked(report, (("上线时间", "upTIME"), ("重启时间", "rebootTIME")))
    return [("路由器", router), ("网络", _numbered(report.get("netSTATE"), _NET_LABELS))]


def _new_client(report: dict[str, Any]) -> list[Section]:
    client = _picked(report, _CLIENT_LABELS)
    known = report.get("cliLISTS")
    listed = {
        str(one.get("ip", "")): one.get("name", "")
        for one in (known if isinstance(known, list) else [])
        if isinstance(one, dict)
    }
    return [("客户端", {**client, **({"列表": listed} if listed else {})})]


def _status(report: dict[str, Any]) -> list[Section]:
    online, leased = _listed(report.get("cliINFO")), _listed(report.get("dhcpINFO"))
    clients = {**({"在线": online} if online else {}), **({"DHCP": leased} if leased else {})}
    return [
        ("路由器", _picked(report.get("sysINFO"), _SYSTEM_LABELS)),
        ("网络", _listed(report.get("netINFO"))),
        ("温度", _listed(report.get("tempINFO"))),
        ("客户端", clients),
        ("USB", _listed(report.get("usbINFO"))),
    ]


_KINDS: dict[str, Callable[[dict[str, Any]], list[Section]]] = {
    "ifUP": _network_up,
    "newDHCP": _new_client,
    "manuINFO": _status,
    "cronINFO": _status,
}
