"""Figures for Prometheus. A part registers a function that reads its figure; nothing is counted twice."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Read = Callable[[], float]


class Metrics(Collector):
    """One node's figures."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._figures: list[tuple[type[GaugeMetricFamily] | type[CounterMetricFamily], str, str, Read]] = []
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def gauge(self, name: str, about: str, read: Read) -> None:
        """A figure that goes up and down."""
        self._figures.append((GaugeMetricFamily, f"onebell_{name}", about, read))

    def counter(self, name: str, about: str, read: Read) -> None:
        """A figure that only rises while the process runs."""
        self._figures.append((CounterMetricFamily, f"onebell_{name}", about, read))

    def collect(self) -> Iterator[Metric]:
        """What the figures are now."""
        for family, name, about, read in self._figures:
            metric = family(name, about)
            metric.add_metric([], read())
            yield metric

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: figures are registered later."""
        return []

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
