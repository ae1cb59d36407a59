"""Settings of the models with content, chosen on a fifth of the training items that was held out
as if it were new; test items decided nothing."""

TAGS = ("text=tags", "features=tags")
CITATIONS = ("text=tags", "features=tags,citations")
LETTERS = ("characters=true", "value_weight=1.4")
CITEULIKE = {
    "content_knn": (),
    "bridge": ("base_settings=factors=256,unobserved_weight=0.02,regularization=0.02",),
    "two_tower": (
        "factors=64",
        "epochs=8",
        "learning_rate=0.005",
        "regularization=0.1",
        "hidden=256",
        "value_weight=1.4",
    ),
    "feature_ials": (
        "factors=256",
        "unobserved_weight=0.02",
        "regularization=0.02",
        "ridge=1",
        "feature_prior_count=none",
        "normalize_scores=0.5",
    ),
    "content_ridge": (*LETTERS, "ridge=5", "size=1", "normalize_scores=0.5"),
    "content_blend": (
        *LETTERS,
        "weight=2",
        "normalize_scores=0.5",
        "ridge_settings=ridge=5,size=1",
        "ials_settings=factors=448,unobserved_weight=0.02,regularization=0.02,ridge=2,"
        "feature_prior_count=none,item_weight_power=0.3,value_weight=1",
    ),
}
FILMS = ("text=title,plot,director,actors,writer", "features=genres,year")
IALS = ("factors=64", "unobserved_weight=0.1", "regularization=0.003", "epochs=8")
TOWER = ("factors=64", "epochs=3", "learning_rate=0.005", "regularization=0.03")
ML1M = {
    "content_knn": (),
    "bridge": (f"base_settings={','.join(IALS)}",),
    "two_tower": TOWER,
    "feature_ials": IALS,
    "content_ridge": ("ridge=30",),
    "content_blend": ("ridge_settings=ridge=30", f"ials_settings={','.join(IALS)}"),
}
