"""A resolver that says what a test wants, and counts what it was asked."""

from collections.abc import Sequence


class FakeResolver:
    """Answers by name; each name has a list of answers, the last of which stays (rebinding)."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers: dict[str, list[Sequence[str]]] = {name: list(turns) for name, turns in answers.items()}
        self.asked: list[str] = []

    def says(self, name: str, *turns: Sequence[str]) -> None:
        """The first lookup gets the first turn, and so on; an empty turn means NXDOMAIN."""
        self._answers[name] = list(turns)

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        turns = self._answers.get(host, [()])
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        if not addresses:
            raise OSError("name or service not known")
        return addresses

    def close(self) -> None:
        """Nothing is open."""
