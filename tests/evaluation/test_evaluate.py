from __future__ import annotations

import json

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError, TraitError, UnknownNameError
from cofactor.base.run import Run
from cofactor.evaluation.evaluate import evaluate
from cofactor.metrics.lists import gini
from cofactor.metrics.table import Metric, evaluate_lists, parse_metric, parse_metrics
from cofactor.models.baselines.popularity import Popularity
from score_table import interactions, question


def small(**more):
    """Three users and seven items; user 2 has no truth."""
    table = [[7, 6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 0, 0]]
    return question(table, [[2, 6], [5], []], [[0], [6, 4], [1]], **more)


def test_metrics_by_hand():
    result = evaluate(*small(), "ndcg@2,recall@2,precision@2,map@2,mrr@2,hit@2,auc")
    # User 0 sees 1, 2, 3, ... and 2 stands second; user 1 sees 5, 3, ... and 5 stands first.
    second = 1 / np.log2(3)
    assert list(result.user_rows) == [0, 1]
    np.testing.assert_allclose(result.values["ndcg@2"], [second / (1 + second), 1])
    np.testing.assert_allclose(result.values["recall@2"], [0.5, 1])
    np.testing.assert_allclose(result.values["precision@2"], [0.5, 0.5])
    np.testing.assert_allclose(result.values["map@2"], [0.25, 1])
    np.testing.assert_allclose(result.values["mrr@2"], [0.5, 1])
    np.testing.assert_allclose(result.values["hit@2"], [1, 1])
    np.testing.assert_allclose(result.values["auc"], [(3 / 4 + 0) / 2, 1])
    assert result["recall@2"] == pytest.approx(0.75)
    assert result.summary["recall@2"].n_users == 2


def test_ndcg_short_list_uses_shorter_ideal():
    model, split = small()
    assert evaluate(model, split, "ndcg@10").values["ndcg@10"][1] == 1.0


def test_seen_items_may_be_kept():
    model, split = small()
    kept = evaluate(model, split, "mrr", exclude_seen=False)
    np.testing.assert_allclose(kept.values["mrr"], [1 / 3, 1 / 2])


def test_true_items_that_may_not_be_recommended_are_left_out_and_counted():
    model, split = question([[3, 2, 1, 0]], [[0, 1, 3]], [[0]])
    result = evaluate(model, split, "recall@2")
    assert result.how.dropped == 1
    assert "1 true items" in result.how.protocol
    assert result.values["recall@2"][0] == 0.5


def test_candidates_of_a_part_are_the_only_ones_ranked():
    model, split = small(candidates=np.array([2, 5, 6], np.int32))
    result = evaluate(model, split, "mrr,recall@1,auc")
    assert result.how.n_candidates == 3
    np.testing.assert_allclose(result.values["mrr"], [1, 1])
    np.testing.assert_allclose(result.values["auc"], [0.5, 1])
    listed = evaluate(model, split, "recall@1")
    np.testing.assert_allclose(listed.values["recall@1"], result.values["recall@1"])


def test_published_negatives_are_used_and_labelled_as_sampled():
    negatives = np.array(
        [[1, 3], [5, 6], [0, 6]], np.int32
    )  # of user 0's items 2 and 6, and user 1's item 5
    model, split = small(negatives=negatives)
    result = evaluate(model, split, "hit@1,ndcg@2,auc")
    assert result.how.sampled
    assert "SAMPLED" in repr(result)
    # 2 stands between 1 and 3; 6 behind 5 (itself among its negatives is passed over); 5 between 6
    # and 0.
    np.testing.assert_allclose(result.values["hit@1"], [0, 0])
    np.testing.assert_allclose(result.values["auc"], [(0.5 + 0) / 2, 0.5])
    assert not evaluate(model, split, "hit@1", full=True).how.sampled


def test_drawn_candidates_follow_the_seed_alone():
    rng = np.random.default_rng(0)
    asked = question(rng.normal(size=(13, 60)), [[1, 2]] * 13, [[3]] * 13)
    first = evaluate(*asked, "ndcg@5,auc", candidates=9)
    same = evaluate(*asked, "ndcg@5,auc", candidates=9, memory_limit=1, run=Run(threads=1))
    other = evaluate(*asked, "ndcg@5,auc", candidates=9, run=Run(seed=1))
    assert first.how.sampled
    np.testing.assert_array_equal(first.values["ndcg@5"], same.values["ndcg@5"])
    assert (first.values["ndcg@5"] != other.values["ndcg@5"]).any()


def test_sampled_auc_comes_near_the_exact_one():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(200, 80)).astype(np.float32)
    table[:, :4] += 1
    asked = question(table, [[0, 1, 2, 3]] * 200, [[7, 9]] * 200)
    result = evaluate(*asked, "auc,auc_sampled@20")
    assert result["auc"] > 0.7
    assert result["auc_sampled@20"] == pytest.approx(result["auc"], abs=0.02)


def test_sampled_metrics_exceed_the_full_ranking():
    rng = np.random.default_rng(2)
    asked = question(rng.normal(size=(300, 150)), [[5]] * 300, [[0]] * 300)
    assert (
        evaluate(*asked, "hit@10", candidates=20)["hit@10"]
        > 3 * evaluate(*asked, "hit@10")["hit@10"]
    )


def test_new_users_are_folded_in_from_their_history():
    # The table's line of the first item of the history scores a folded-in user: item 6's line
    # doesn't exist for rows.
    table = np.tile(np.arange(7.0), (7, 1))
    table[3] = -np.arange(7.0)
    model, split = question(table, [[6]] * 7, [[3]] + [[1]] * 6, fold_in=True)
    result = evaluate(model, split, "mrr")
    np.testing.assert_allclose(result.values["mrr"], [1 / 6, *([1] * 6)])


def test_rating_errors_are_over_all_ratings_and_rounding_goes_to_the_steps_of_training():
    table = [[1.2, 2.6, 3.0], [4.4, 0.0, 2.5]]
    model, split = question(table, [[0, 1], [2]], [[2], [0]], values=[[1, 2], [3]])
    train = interactions([[2], [0]], 3, [[1], [3]])
    model.fit(train)
    result = evaluate(model, split, "rmse,mse,mae,mae_rounded")
    squares = np.array([0.04, 0.36, 0.25])
    assert result["rmse"] == pytest.approx(np.sqrt(squares.mean()))
    assert result["mse"] == pytest.approx(squares.mean())
    np.testing.assert_allclose(result.values["rmse"], np.sqrt([0.2, 0.25]), rtol=1e-6)
    assert result["mae"] == pytest.approx((0.2 + 0.6 + 0.5) / 3)
    assert result["mae_rounded"] == pytest.approx(
        (0 + 1 + 0) / 3
    )  # to 1, 3 and 3: the steps that training shows
    assert result.summary["rmse"].low <= result["rmse"] <= result.summary["rmse"].high


def test_ranking_and_rating_metrics_stand_side_by_side_with_nan_where_undefined():
    model, split = question([[3, 2, 1], [1, 2, 3]], [[0], [2]], [[0], [1]], values=[[4], [2]])
    result = evaluate(model, split, "rmse,ndcg@2")
    assert list(result.user_rows) == [0, 1]
    assert np.isnan(result.values["ndcg@2"][0])  # user 0's only true item is seen
    assert result.summary["ndcg@2"].n_users == 1
    assert result.summary["rmse"].n_users == 2


def test_groups_restrict_the_truth_and_not_the_ranking():
    model, split = small()
    result = evaluate(model, split, "mrr,auc", groups={"late": [5, 6], "early": np.arange(7) < 3})
    assert list(result.groups["late"].user_rows) == [0, 1]
    np.testing.assert_allclose(result.groups["late"].values["mrr"], [1 / 6, 1])
    np.testing.assert_allclose(result.groups["early"].values["mrr"], [1 / 2])
    warm = evaluate(model, split, "mrr", groups="warm").groups
    assert list(warm) == ["warm items", "cold items"]
    assert list(warm["warm items"].user_rows) == [
        0
    ]  # item 6 has an interaction (user 1's), 2 and 5 have none
    counted = evaluate(model, split, "mrr", groups="count").groups
    assert len(counted) == 5
    assert counted["10+ interactions"].n_users == 0


def test_lists_are_described_by_coverage_novelty_gini_and_popularity():
    model, split = question([[9, 8, 0, 0], [9, 0, 8, 0]], [[3], [3]], [[0], [1]])
    result = evaluate(model, split, "coverage@1,gini@1,novelty@1,popularity@1")
    # User 0 is given item 1, user 1 item 0; both have one interaction of two users, and item 0 is
    # the head.
    assert result["coverage@1"] == 0.5
    assert result["gini@1"] == pytest.approx(0.5)
    np.testing.assert_allclose(result.values["novelty@1"], -np.log2(2 / 3))
    np.testing.assert_allclose(result.values["popularity@1"], [0, 1])
    assert result.summary["coverage@1"].low is None


def test_gini_is_zero_for_even_and_near_one_for_one_item():
    assert gini(np.full(9, 4)) == pytest.approx(0)
    assert gini(np.array([0] * 99 + [7])) == pytest.approx(0.99)
    assert np.isnan(gini(np.zeros(3, np.int64)))


def test_intervals_cover_the_mean_and_shrink_with_more_users():
    rng = np.random.default_rng(5)
    widths = []
    for n_users in (50, 1250):
        asked = question(rng.normal(size=(n_users, 12)), [[1, 2]] * n_users, [[0]] * n_users)
        one = evaluate(*asked, "auc").summary["auc"]
        assert one.low < one.value < one.high
        widths.append(one.high - one.low)
    assert 3 < widths[0] / widths[1] < 8  # five, by the square root
    assert evaluate(*asked, "auc", resamples=0).summary["auc"].low is None


def test_results_go_out_as_json_arrow_and_text():
    model, split = small()
    result = evaluate(model, split, "ndcg@2,coverage@2", groups="warm")
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert told["metrics"]["ndcg@2"]["n_users"] == 2
    assert told["how"]["split"] == "made by hand"
    table = result.to_arrow()
    assert table.column_names == ["user_id", "ndcg@2"]
    assert table.column("user_id").to_pylist() == [0, 1]
    assert "made by hand" in repr(result)
    assert "full ranking of 7 items" in repr(result)


def test_metric_names_are_read_and_bad_ones_refused_with_a_cure():
    assert parse_metrics("NDCG@10, hr@5,auc,ndcg@10") == (
        Metric("ndcg", 10),
        Metric("hit", 5),
        Metric("auc"),
    )
    with pytest.raises(UnknownNameError, match="ndcg"):
        parse_metric("ndgc@10")
    with pytest.raises(ArgumentError, match="needs a cutoff; write 'recall@10'"):
        parse_metric("recall")
    with pytest.raises(ArgumentError, match="takes no cutoff"):
        parse_metric("auc@5")
    for text in ("ndcg@0", "ndcg@-1", "ndcg@x", "ndcg@", "ndcg@1.5"):
        with pytest.raises(ArgumentError, match="must be an integer"):
            parse_metric(text)
    with pytest.raises(ArgumentError, match="at least one"):
        parse_metrics([])


def test_what_cannot_be_measured_is_refused_with_the_reason():
    model, split = small()
    with pytest.raises(ArgumentError, match="no values"):
        evaluate(model, split, "rmse")
    with pytest.raises(TraitError, match="popularity doesn't predict ratings"):
        evaluate(Popularity().fit(split.train), split, "rmse")
    with pytest.raises(ArgumentError, match="other items"):
        evaluate(Popularity().fit(interactions([[0]], 4)), split, "mrr")
    with pytest.raises(ArgumentError, match="none of the .* may be.*all of them are there"):
        evaluate(*question([[1, 2]], [[0]], [[0]]), "mrr")
    with pytest.raises(ArgumentError, match="sampled already"):
        evaluate(model, split, "auc_sampled", candidates=3)
    with pytest.raises(ArgumentError, match="Split or a Part"):
        evaluate(model, split.train, "mrr")


def test_lists_from_elsewhere_are_measured():
    rows = np.array([[3, 1, 2], [0, -1, -1], [1, 2, 3]], np.int32)
    truth = np.array([0, 2, 3, 3]), np.array([1, 2, 1])
    values = evaluate_lists(rows, np.array([3, 1, 3]), *truth, "recall@2,mrr@3")
    np.testing.assert_allclose(values["recall@2"], [0.5, 0, np.nan])
    np.testing.assert_allclose(values["mrr@3"], [0.5, 0, np.nan])
    with pytest.raises(ArgumentError, match="don't determine auc"):
        evaluate_lists(rows, np.array([3, 1, 3]), *truth, "auc")
    with pytest.raises(ArgumentError, match="end at 3"):
        evaluate_lists(rows, np.array([3, 1, 3]), *truth, "recall@4")
