"""Configurations: old names of settings are read from saved models, and refused elsewhere."""

from __future__ import annotations

import pytest

from cofactor.base.config import Config, Renamed, setting
from cofactor.base.errors import ArgumentError, UnknownNameError


class SamplerConfig(Config):
    """Settings of a base."""

    renamed = {"law": "sampling", "gone": None}

    sampling: str = setting("uniform", choices=("uniform", "popularity"), doc="Distribution.")


class PenaltyConfig(SamplerConfig):
    """Settings of a subclass, with a value that changed its meaning."""

    renamed = {"balance": Renamed("exponent", lambda b: 1 - b)}

    exponent: float = setting(0.5, low=0.0, high=1.0, doc="Exponent.")


class BackConfig(SamplerConfig):
    """Settings of a subclass that uses an old name again."""

    law: float = setting(1.0, doc="A law.")


def test_old_names_are_read_with_their_values_converted() -> None:
    config = PenaltyConfig.from_dict({"law": "popularity", "balance": 0.3, "gone": 1})
    assert config == PenaltyConfig(sampling="popularity", exponent=0.7)


def test_an_old_value_is_checked_like_a_new_one() -> None:
    with pytest.raises(ArgumentError, match="exponent"):
        PenaltyConfig.from_dict({"balance": 3.0})


def test_old_names_are_refused_elsewhere_and_the_error_says_the_present_one() -> None:
    with pytest.raises(UnknownNameError, match="balance is now called exponent"):
        PenaltyConfig(balance=0.5)
    with pytest.raises(UnknownNameError, match="law is now called sampling"):
        PenaltyConfig.from_text(["law=uniform"])
    with pytest.raises(UnknownNameError, match="unknown setting of Penalty 'gone'"):
        PenaltyConfig(gone=1)


def test_a_setting_of_an_old_name_is_itself() -> None:
    assert BackConfig.from_dict({"law": 2.0}).law == 2.0


class SharperConfig(PenaltyConfig):
    """Settings of a subclass with another default."""

    new_defaults = {"exponent": 0.25}


def test_a_new_default_keeps_the_place_the_type_the_range_and_the_meaning() -> None:
    assert SharperConfig.defaults() == {"sampling": "uniform", "exponent": 0.25}
    assert SharperConfig.settings() == PenaltyConfig.settings()
    assert SharperConfig().exponent == 0.25
    assert PenaltyConfig().exponent == 0.5
    assert SharperConfig.signature().parameters["exponent"].annotation is float
    with pytest.raises(ArgumentError, match="exponent"):
        SharperConfig(exponent=3.0)


def test_a_new_default_of_no_setting_is_refused() -> None:
    with pytest.raises(KeyError, match="exponnet"):
        type("BadConfig", (PenaltyConfig,), {"new_defaults": {"exponnet": 1.0}})


class LooseConfig(Config):
    """Numbers without an upper end, or without any."""

    penalty: float | None = setting(None, low=0, doc="A penalty.")
    rate: float = setting(0.1, above=0, doc="A rate.")
    lowest: float | None = setting(None, doc="A rating.")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("penalty", 1e30, r"Loose penalty must be a finite number .*1.8e\+19.*, not 1e\+30"),
        ("rate", 1e300, r"Loose rate must be a finite number .*1.8e\+19.*, not 1e\+300"),
        ("lowest", -1e30, r"Loose lowest must be a finite number at least -1.8e\+19, not -1e\+30"),
        ("penalty", 1.8e19, None),
        ("lowest", -1.8e19, None),
        ("rate", 1e-30, None),
    ],
)
def test_numbers_that_float32_cannot_square_are_no_settings(
    name: str, value: float, said: str | None
) -> None:
    if said is None:
        assert getattr(LooseConfig(**{name: value}), name) == value
        return
    with pytest.raises(ArgumentError, match=said):
        LooseConfig(**{name: value})
    with pytest.raises(ArgumentError, match=said):
        LooseConfig.from_text([f"{name}={value}"])
