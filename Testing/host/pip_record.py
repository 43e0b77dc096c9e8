"""What a module asked to install, and how the installation ends; stands behind slicer.packaging and slicer.util."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One call of pip_install: requirement specifiers, and the name of who asked."""

    requirements: tuple[str, ...]
    requester: str


@dataclass
class PipRecord:
    """Requests in their order; every one ends with exit code `code` after `lines` of output."""

    requests: list[Request] = field(default_factory=list)
    code: int = 0
    lines: tuple[str, ...] = ()

    def asked(self, requirements: tuple[str, ...], requester: str) -> tuple[int, tuple[str, ...]]:
        """Notes a request; its exit code and output."""
        self.requests.append(Request(requirements, requester))
        return self.code, self.lines
