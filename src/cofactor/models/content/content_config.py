"""Settings that models with content share."""

from __future__ import annotations

from cofactor.base.config import Config, setting


class FeatureConfig(Config):
    """Which columns of the catalogue are read, and how they are weighted."""

    group = "content"

    text: tuple[str, ...] = setting(
        (), doc="Columns read as text; if none is named here or in features, they are detected."
    )
    features: tuple[str, ...] = setting(
        (), doc="Columns read as categories, lists, numbers or dates."
    )
    characters: bool = setting(
        False,
        doc=(
            "Whether the words' character 4- and 5-grams count too: for names, codes and"
            " inflected words."
        ),
    )
    text_weight: float = setting(
        1.0,
        low=0.0,
        high=100.0,
        doc="Weight of the text beside the other features; 0 leaves it out.",
    )
    value_weight: float = setting(
        1.0, low=0.0, high=100.0, doc="Weight of categories and lists; 0 leaves them out."
    )


class ContentConfig(FeatureConfig):
    """What the settings of all models with content begin with."""

    renamed = {"twin": "compare_without_features"}

    compare_without_features: bool = setting(
        True,
        doc=(
            "Whether fitting with validation data also fits the no-features baseline and"
            " reports what features cost."
        ),
    )


class ProfileConfig(Config):
    """Which columns of the users' profiles are read."""

    group = "content"

    user_text: tuple[str, ...] = setting(
        (), doc="Columns of the profiles read as text; profiles count only if columns are named."
    )
    user_features: tuple[str, ...] = setting(
        (), doc="Columns of the profiles read as categories, lists, numbers or dates."
    )


class NormalizationConfig(Config):
    """Score normalisation of new items; see `cofactor.models.content.score_normalisation`."""

    group = "content"
    renamed = {"levelling": "normalize_scores"}

    normalize_scores: float = setting(
        0.0,
        low=0.0,
        high=1.0,
        doc=(
            "Score normalisation: power of the spread over users that new"
            " items' scores are divided by; 0: off."
        ),
    )


class CalibrationConfig(Config):
    """Exposure calibration of new items; see `cofactor.models.content.check`."""

    group = "content"
    renamed = {"fair": "calibrate_exposure"}

    calibrate_exposure: bool = setting(
        True,
        doc=(
            "Exposure calibration: whether content vectors are scaled so that"
            " new items get their share of the lists."
        ),
    )


class PriorConfig(Config):
    """How much features count beside interactions."""

    group = "content"
    renamed = {"half_at": "feature_prior_count"}

    feature_prior_count: float | None = setting(
        20.0,
        above=0.0,
        doc=(
            "Interactions at which id and content weigh the same, c in c / (c +"
            " n); None: content always counts fully."
        ),
    )
