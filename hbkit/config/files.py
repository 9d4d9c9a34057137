"""Reads a whole small file, and only that: no folders, pipes or devices, and never more than the limit."""

from __future__ import annotations

from pathlib import Path


class Unreadable(ValueError):
    """The file cannot be used; the message is the cause, without the file's name."""


def read_small(path: Path, limit: int, size_words: str) -> bytes:
    """The bytes of a plain file of at most `limit` bytes. Raises Unreadable, FileNotFoundError, IsADirectoryError."""
    try:
        if path.is_dir():
            raise IsADirectoryError(str(path))
        # A pipe would wait for a writer that may never come.
        if path.exists() and not path.is_file():
            raise Unreadable("it is not a plain file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (FileNotFoundError, IsADirectoryError, Unreadable):
        raise
    except OSError as error:
        raise Unreadable((error.strerror or "it cannot be read").lower()) from None
    except ValueError:
        raise Unreadable("its name holds a character that no file name can") from None
    if len(content) > limit:
        raise Unreadable(f"it is larger than {size_words}")
    return content
