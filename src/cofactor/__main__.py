"""``python -m cofactor``: the command line."""

from cofactor.cli.main import run

if __name__ == "__main__":
    run()
