"""Items without interactions, ranked by what is said of them: our figures by one call each."""

RECIPES: dict[str, str] = {
    "citeulike": "CiteULike-a, the published cold split, by tags: five minutes on two cores",
    "citations": "the same with the citations between articles: five minutes on two cores",
    "films": "MovieLens 1M, a fifth of the films new, by plots and people: five minutes",
    "beauty": "Beauty, a fifth of the items new, by titles, as next items: five minutes",
}
