"""Floor 2: metrics. Arrays in, one number per user out; knows no model and no data set.

A metric is one function in `ranking`, `rating` or `lists`, and one line in `table.METRICS`."""
