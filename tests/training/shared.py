"""Data beside the repository, for tests that need more than is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """A file of ../shared/data; the test is skipped where it is absent."""
    path = _FOLDER / name
    if not path.exists():
        pytest.skip(f"needs {path}, which is not here")
    return path
