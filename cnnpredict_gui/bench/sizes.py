"""Sizes of a benchmark of predictors: usual ones and limits."""

#: Most rows per call, timed calls, and calls before them.
MAX_ROWS, MAX_ITERATIONS, MAX_WARM_UP = 10_000_000, 1_000_000, 10_000
#: Timed calls and calls before them, if nobody says otherwise.
ITERATIONS, WARM_UP = 100, 3
#: Rows per call that are offered: one layer, a screenful, a batch file.
USUAL_ROWS = (1, 64, 10_000)
