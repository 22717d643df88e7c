"""Questions asked of predictors: comparisons, sweeps, networks, files of configurations."""
