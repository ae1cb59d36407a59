"""The latent-factor model in TensorFlow, for the benchmark alone: the same equation, batches, Adam
and cosine as ours.

    python benchmarks/peers/tensorflow_latent_factor.py DATA.npz SETTINGS.json

It needs tensorflow-cpu and NumPy, nothing of ours; `benchmarks/latent_factor_peer.py` writes its
input and starts it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import tensorflow as tf


def main(data_path: str, settings_path: str) -> None:
    with open(settings_path) as file:
        s = json.load(file)
    tf.config.threading.set_intra_op_parallelism_threads(s["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.random.set_seed(s["seed"])
    d = {name: tf.constant(array) for name, array in np.load(data_path).items()}
    users, items = _table(s, d["user_bias"]), _table(s, d["item_bias"])
    seconds = _trained(s, d, users, items)
    k = s["factors"]
    p, q = users.numpy()[d["test_users"].numpy()], items.numpy()[d["test_items"].numpy()]
    expected = np.clip(
        (p[:, :k] * q[:, :k]).sum(1) + p[:, k] + q[:, k] + s["mean"], s["low"], s["high"]
    )
    mse = float(np.mean((expected - d["test_values"].numpy()) ** 2))
    # The first epoch traces the graph.
    found = {"test_mse": mse, "epoch_s": float(np.median(seconds[1:])), "first_epoch_s": seconds[0]}
    print(json.dumps(found | {"tensorflow": tf.__version__}))


def _table(s: dict[str, Any], bias: tf.Tensor) -> tf.Variable:
    """Factors that are drawn, and the biases beside them."""
    factors = tf.random.normal((bias.shape[0], s["factors"]), stddev=s["init_scale"])
    return tf.Variable(tf.concat([factors, bias[:, None]], 1))


def _trained(
    s: dict[str, Any], d: dict[str, tf.Tensor], users: tf.Variable, items: tf.Variable
) -> list[float]:
    """Train the tables; the seconds of each epoch."""
    k = s["factors"]
    n, size = d["users"].shape[0], s["batch_size"]
    steps = -(-n // size)
    rate = tf.keras.optimizers.schedules.CosineDecay(s["learning_rate"], steps * s["epochs"])
    adam = tf.keras.optimizers.Adam(rate)
    adam.build([users, items])

    @tf.function
    def step(u: tf.Tensor, i: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            p, q = tf.gather(users, u), tf.gather(items, i)
            expected = tf.reduce_sum(p[:, :k] * q[:, :k], 1) + p[:, k] + q[:, k]
            penalty = tf.constant(0.0)
            weights = tf.gather(d["user_weight"], u), tf.gather(d["item_weight"], i)
            for rows, weight in zip((p, q), weights, strict=True):
                squares = tf.square(rows)
                each = s["regularization"] * tf.reduce_sum(squares[:, :k], 1)
                each += s["bias_regularization"] * squares[:, k]
                penalty += tf.reduce_mean(each * weight)
            loss = tf.reduce_mean(tf.square(expected - y)) + penalty
        adam.apply_gradients(zip(tape.gradient(loss, [users, items]), [users, items], strict=True))
        return loss

    seconds = []
    for _ in range(s["epochs"]):
        began = time.perf_counter()
        order = tf.random.shuffle(tf.range(n))
        for low in range(0, n, size):
            chosen = order[low : low + size]
            step(*(tf.gather(d[name], chosen) for name in ("users", "items", "values")))
        seconds.append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
