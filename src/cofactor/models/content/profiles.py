"""What models with content read of users: columns of their profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.data.features import FeatureSpec
from cofactor.data.interactions import Interactions
from cofactor.models.answering.descriptions import check_read
from cofactor.models.content.content_config import ProfileConfig
from cofactor.models.content.feature_map import SPEC_ARRAYS, check_width
from cofactor.models.traits import ArraySpec

USER_ARRAYS = {
    "user_" + name: ArraySpec(
        spec.dtype,
        tuple(a if a.isdecimal() else "user_" + a for a in spec.axes),
        optional=True,
        rows_of=spec.rows_of,
    )
    for name, spec in SPEC_ARRAYS.items()
}


def learn_profiles(data: Interactions, config: ProfileConfig) -> tuple[FeatureSpec | None, Any]:
    """Return the spec of the profiles' columns that are named, and the users' features, SciPy CSR
    float32 [n_users, width]; None and None where none are.
    """
    if not (config.user_text or config.user_features):
        return None, None
    spec = FeatureSpec.fit(
        data.profiles,
        text=config.user_text,
        features=config.user_features,
        rows=np.flatnonzero(data.user_counts),
    )
    return spec, spec.transform(data.profiles)


def features_of_profiles(spec: FeatureSpec | None, profiles: Any) -> Any:
    """Return the features of profiles (an Arrow table, a line a user), SciPy CSR float32.

    Raises
    ------
    ArgumentError
        If the model was fitted without, or a number is a text.
    """
    if spec is None:
        raise ArgumentError(
            "this model was fitted without profiles; name their columns in user_features or"
            " user_text."
        )
    check_read(spec, profiles, "features")
    return spec.transform(profiles)


def user_spec_arrays(spec: FeatureSpec | None) -> dict[str, np.ndarray]:
    """Return the spec as named arrays; none without one."""
    return {} if spec is None else {"user_" + n: a for n, a in spec.arrays().items()}


def user_spec_of(
    arrays: Mapping[str, np.ndarray], specs: Mapping[str, ArraySpec]
) -> FeatureSpec | None:
    """Return the spec from what `user_spec_arrays` gave.

    Raises
    ------
    ArtifactError
        If it isn't one, or doesn't fit the arrays that multiply its features, which ``specs``
        declares with the axis ``"user_width"``.
    """
    own = {n.removeprefix("user_"): a for n, a in arrays.items() if n.startswith("user_spec")}
    maps = {n for n, wanted in specs.items() if "user_width" in wanted.axes}
    if not own and not maps & arrays.keys():
        return None
    missing = sorted((maps | {"user_" + name for name in SPEC_ARRAYS}) - arrays.keys())
    if missing:
        raise ArtifactError(f"the model's state lacks {missing}, which users' features need.")
    spec = FeatureSpec.from_arrays(own)
    check_width(spec, arrays, specs, "user_width")
    return spec
