"""Floor 7: the command line. One file a command; what a command does lives in `cofactor.runs`.

A ``command`` function is as long as its list of options: typer reads them from the signature.
"""
