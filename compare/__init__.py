"""Running, judging, showing and serving comparisons, and the command line."""
