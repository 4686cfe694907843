"""Where the study's data are, for tests that hold our figures against published ones."""

from pathlib import Path

import pytest


def _folder():
    for parent in Path(__file__).parents:
        folder = parent / "shared" / "data" / "materials"
        if (folder / "facts_production.csv").is_file():
            return folder
    return None


DATA = _folder()
needs_data = pytest.mark.skipif(
    DATA is None, reason="the study's data are not beside this checkout (shared/data/materials)"
)
