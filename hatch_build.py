"""Makes Python code of the ``.proto`` files: for wheels and editable installs through hatch, and for ``make setup``."""

from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTOS = ("src/onebell/dialects/easemob/msync/msync.proto",)


class ProtoHook(BuildHookInterface):  # type: ignore[type-arg]  # hatch's own examples leave the argument out
    """Runs before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate into the source tree; ``artifacts`` in pyproject.toml takes the results along."""
        generate(Path(self.root))


def generate(root: Path) -> None:
    """Write ``X_pb2.py`` and ``X_pb2.pyi`` beside each ``X.proto``."""
    for name in PROTOS:
        proto = root / name
        folder = proto.parent
        code = protoc.main(["protoc", f"-I{folder}", f"--python_out={folder}", f"--pyi_out={folder}", str(proto)])
        if code:
            raise SystemExit(f"protoc failed on {name}")


if __name__ == "__main__":
    generate(Path(__file__).parent)
