"""What is the same in all models: settings, fitting, state.

What a model has to implement is in `hooks`, the calls by rows are in `row_calls`, and those by
outside ids in `recommender`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args

import numpy as np

from cofactor.base import checks, memory
from cofactor.base.config import Config as BaseConfig
from cofactor.base.errors import ArgumentError
from cofactor.base.extras import naming_extras
from cofactor.base.run import Run, run_of
from cofactor.base.signatures import document, join
from cofactor.data.conversion import as_interactions
from cofactor.data.guards import doubts, ruling
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.data.splits.cut import NO_TIMES
from cofactor.kernels.work import run_context
from cofactor.models.checks import collapse, learned
from cofactor.models.checks.engine_check import check_request, fit_where, say_if_unused
from cofactor.models.defaults import popularity_term
from cofactor.models.hooks import ConfigT
from cofactor.models.row_calls import RowCalls
from cofactor.models.traits import check_arrays

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike
    from cofactor.training.curve import LearningCurve


class Model(RowCalls[ConfigT]):
    """A model by rows: its settings, fitting and state, beside the calls of `RowCalls`.

    Every model is a `Recommender`, which adds the calls by ids.

    Parameters
    ----------
    config
        The model's configuration; or give its settings by name: ``IALS(factors=32)``.
    """

    # Whether it is trained in epochs, by the training loop.
    iterative: ClassVar[bool] = False
    # The losses and metrics of the last fit, in models that are trained in epochs.
    curve: LearningCurve | None = None
    # The fingerprint of the held-out interactions that its last fit was stopped or weighed by.
    chosen_by: str | None = None
    # The comparison with the same model without features, in models with content.
    comparison: Any = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Take the Config from the class declaration, and show its settings in the signature and
        the docstring.
        """
        super().__init_subclass__(**keywords)
        arguments = [a for base in vars(cls).get("__orig_bases__", ()) for a in get_args(base)]
        for kind in arguments:
            if isinstance(kind, type) and issubclass(kind, BaseConfig):
                cls.Config = kind
        if "Config" in vars(cls):
            cls.__doc__ = document(cls.__doc__, cls.Config.parameters())
        if hasattr(cls, "Config"):
            settings = cls.Config.signature()
            signature = join(cls.__init__, cls.Config.__name__, settings)
            cls.__signature__ = signature  # type: ignore[attr-defined]

    def __init__(self, config: ConfigT | None = None, **settings: Any) -> None:
        if config is not None and not isinstance(config, self.Config):
            raise ArgumentError(
                f"config must be a {self.Config.__name__}, not {type(config).__name__}."
            )
        base: Any = config if config is not None else self.Config()
        self._max_time: float | None = None
        self._configure(base.replace(**settings) if settings else base)

    def _configure(self, config: ConfigT) -> None:
        """Set the configuration; the learned state is discarded."""
        self.config = config
        self.traits, self.arrays = self.traits_of(config), self.arrays_of(config)
        self._data = self.popularity_offset = None
        self._cache = {}

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.config.changed().items())
        fitted = f" fitted on {self._data!r}" if self._data is not None else ""
        return f"{type(self).__name__}({settings}){fitted}"

    # Settings, in scikit-learn's interface.

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings by name; ``deep`` changes nothing, since none holds a model."""
        return self.config.to_params()

    def set_params(self, **settings: Any) -> Self:
        """Change settings by name; the model is then unfitted. Returns the model itself."""
        self._configure(self.config.replace(**settings))
        return self

    def clone(self) -> Self:
        """Return an unfitted model with the same settings."""
        return type(self)(self.config)

    def __sklearn_clone__(self) -> Self:
        return self.clone()

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(None, TargetTags(required=False), input_tags=InputTags(sparse=True))

    # Fitting.

    def fit(
        self,
        data: DataLike,
        *,
        validation: Part | None = None,
        run: Run | None = None,
        max_time: float | None = None,
    ) -> Self:
        """Learn from interactions, and return the fitted model itself.

        Parameters
        ----------
        data
            The training interactions, which aren't changed: `Interactions`, or what `cofactor.read`
            takes (a data frame, a SciPy sparse matrix of users by items, tuples, a path). A second
            fit discards the first.
        validation
            Held-out interactions for early stopping, in models that have it.
        run
            Device, seed, threads, progress.
        max_time
            Seconds for training, in models that are trained in epochs: an epoch is started only if
            it would end in time; the first one always runs.

        Raises
        ------
        ArgumentError, MemoryLimitError, TrainingError
            If data, settings and run don't suit the model, the data holds interactions of the
            validation part, memory is too small, or training fails.
        """
        data = as_interactions(data)
        if len(data) == 0:
            raise ArgumentError("`data` is empty: there are no interactions to learn from.")
        if max_time is not None and not self.iterative:
            raise ArgumentError(
                f"{self.name} isn't trained in epochs, so max_time can't end its training; leave it"
                " out."
            )
        self._max_time = None if max_time is None else checks.real(max_time, "max_time", above=0)
        run = run_of(run)
        check_request(type(self), data, validation, run)
        say_if_unused(self.name, self.uses_device, run)
        self._data = self.popularity_offset = self.chosen_by = None
        self._cache = {}
        needed = self.memory_needed(data)
        if needed is not None:
            cure = "use fewer factors, or fewer users and items"
            memory.require(needed, what=f"fitting {self.name}", cure=cure)
        with run_context(run), naming_extras(f"fitting {self.name}"):
            fit_where(self, data, validation, run)
            how: Any = {"rates": self.traits.predicts_ratings, "settings": self.config.settings()}
            learned.check_learned(self.name, self._state(), self.arrays, **how)
        self._data = data
        self.popularity_offset = popularity_term.offset_of(self, data, run)
        collapse.say_if_collapsed(self, run)
        for note in self._doubts:
            run.progress.say(note)
        return self

    @property
    def _doubts(self) -> tuple[str, ...]:
        """Remarks on a missing order of time, and on values that don't mean "liked" or rule all."""
        data, rates = self.data, self.traits.predicts_ratings
        order = (NO_TIMES,) if self.traits.uses_order and data.times is None else ()
        weighs = getattr(self.config, "confidence", "") == "linear"
        ruled = ruling(data.values) if rates or weighs else ()
        return (*order, *ruled, *(() if rates else doubts(data.values)))

    def state(self) -> dict[str, np.ndarray]:
        """Return the learned state as named arrays; the ids and histories are `data`'s."""
        _ = self.data
        state = {**self._state(), **popularity_term.state_of(self)}
        return {name: np.ascontiguousarray(array) for name, array in state.items()}

    def compare_if_wanted(self, part: Part, run: Run) -> None:
        """Compare with the same model without features, in models with content, if the settings ask
        for it.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the fitted model, a sentence each."""
        return self._doubts

    @property
    def refit_config(self) -> ConfigT:
        """The settings for a fit on more data without a validation part, including the number of
        epochs that early stopping chose.
        """
        return self.config

    @classmethod
    def from_state(
        cls, config: ConfigT, arrays: Mapping[str, np.ndarray], data: Interactions
    ) -> Self:
        """Build a fitted model from its named arrays and the interactions it was fitted on.

        Raises
        ------
        ArtifactError
            If an array is missing, unknown, of a wrong dtype or shape, or not finite.
        """
        model = cls(config)
        numbers = {
            k: v
            for k, v in config.to_dict().items()
            if isinstance(v, int) and not isinstance(v, bool)
        }
        check_arrays(
            arrays, model.arrays, {**numbers, "users": data.n_users, "items": data.n_items, "1": 1}
        )
        model._data = data
        model._restore({n: a for n, a in arrays.items() if n not in popularity_term.ARRAYS})
        model.popularity_offset = arrays.get("popularity_offset")  # older versions have none
        return model
