"""Floor 7: the command line. One file a command; what a command does lives in `cofactor.runs`."""
