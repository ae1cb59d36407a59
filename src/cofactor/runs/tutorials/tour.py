"""What the tutorials end with: one prediction, recommendations, similar items, and the factors
as arrays.
"""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.runs.tutorials.figures import Reproduced, ratings


def recipe(run: Run) -> Reproduced:
    """Fit LatentFactor on all of ml-100k and show what it answers."""
    data = ratings("ml-100k")
    model = LatentFactor(
        factors=32,
        epochs=20,
        batch_size=2048,
        schedule="cosine",
        regularization=0.13,
        bias_weight=0.0,
    ).fit(data, run=run)
    report = Reproduced("tour", "Answers of one model (ml-100k)", "Fitted on all 100,000 ratings.")
    report.curves["LatentFactor"] = model.curve
    user, item = 196, 242
    of_user = data.user_rows == data.users.rows(user)[0]
    of_item = data.item_rows == data.items.rows(item)[0]
    rated = float(data.weights[of_user & of_item][0])
    predicted = float(model.predict([user], [item])[0])
    title = data.catalogue.titles(data.items.rows(item))[0]
    report.shown = [
        f"User {user} gave {title!r} {rated:g}; predicted {predicted:.2f}.",
        f"Recommended to user {user}:",
        *(
            f"  {line['rank']}. {line['title']}  {line['score']:.2f}"
            for line in model.recommend(user, k=5, run=run)
        ),
        "Nearest to 'Star Wars (1977)':",
        *(
            f"  {line['rank']}. {line['title']}  cosine {line['score']:.2f}"
            for line in model.similar_items(50, k=5, run=run)
        ),
        (
            f"Factors: users {model.user_vectors().shape}, items {model.item_vectors().shape},"
            f" {model.item_vectors().dtype}."
        ),
    ]
    return report
