"""The command `hbkit`, also as `python -m hbkit`: answers `--version` before anything heavy is loaded."""

import sys

from hbkit.version import VERSION


def main() -> None:
    """Run the command line; `--version` costs no more than the interpreter (hotpath: click alone adds 100 ms)."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"hbkit {VERSION}\n")
        return
    from hbkit.cli import run_cli

    run_cli()


if __name__ == "__main__":
    main()
