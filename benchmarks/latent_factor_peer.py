"""LatentFactor beside its twin in TensorFlow: test error and seconds per epoch, alternating, on a
named dataset.

python benchmarks/latent_factor_peer.py --tensorflow-python ENV/bin/python [--data ml-1m] [--rounds
2] [--threads 2]"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.models.defaults.damped_biases import damped_biases
from cofactor.models.neural.factor_fold_in import l2_weights
from cofactor.models.neural.latent_factor import LatentFactor

PEER = Path(__file__).parent / "peers" / "tensorflow_latent_factor.py"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tensorflow-python", required=True)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8192)
    options = parser.parse_args()
    cut = split(Interactions.build(datasets.load(options.data)), "random", test=0.2, seed=0)
    model = LatentFactor(
        factors=options.factors,
        epochs=options.epochs,
        batch_size=options.batch,
        schedule="cosine",
        learning_rate=0.01,
        regularization=0.08,
        sparse="no",
    )
    for number in range(options.rounds):
        ours = _ours(model, cut, number, options.threads)
        theirs = _theirs(model, cut, number, options)
        print(
            json.dumps({"round": number, "data": options.data, "ours": ours, "tensorflow": theirs}),
            flush=True,
        )


def _ours(model: LatentFactor, cut: Split, seed: int, threads: int) -> dict[str, float]:
    model.fit(cut.train, run=Run(seed=seed, threads=threads, device="cpu"))
    truth = cut.test.truth
    error = model.predict_rows(truth.user_rows, truth.item_rows).astype(np.float64) - truth.values
    return {
        "test_mse": float(np.mean(error**2)),
        "epoch_s": float(np.median(model.curve.seconds[1:])),
    }


def _theirs(
    model: LatentFactor, cut: Split, seed: int, options: argparse.Namespace
) -> dict[str, float]:
    train, truth, config = cut.train, cut.test.truth, model.config
    mean, user_bias, item_bias = damped_biases(train)
    settings = {**config.to_dict(), "seed": seed, "threads": options.threads, "mean": mean}
    settings |= {"low": float(train.values.min()), "high": float(train.values.max())}
    with tempfile.TemporaryDirectory() as folder:
        data, words = Path(folder) / "data.npz", Path(folder) / "settings.json"
        np.savez(
            data,
            users=train.user_rows,
            items=train.item_rows,
            values=train.values - np.float32(mean),
            user_bias=user_bias,
            item_bias=item_bias,
            test_users=truth.user_rows,
            test_items=truth.item_rows,
            test_values=truth.values,
            user_weight=l2_weights(train.user_counts, train.user_counts, config.frequency_exponent),
            item_weight=l2_weights(train.item_counts, train.item_counts, config.frequency_exponent),
        )
        words.write_text(json.dumps(settings))
        done = subprocess.run(
            [options.tensorflow_python, str(PEER), str(data), str(words)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
