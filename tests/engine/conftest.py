import pytest

from napari_unit.engine import sampling


@pytest.fixture
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLE_CORE_PX", 32)
    monkeypatch.setattr(sampling, "MAX_SAMPLED", 6)
