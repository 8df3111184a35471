"""`python -m cakegate` and the console script."""

from cakegate import cli


def main() -> None:
    """Run the command line."""
    cli.main()


if __name__ == "__main__":
    main()
