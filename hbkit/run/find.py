"""From the text behind `use:` to a strategy class: an installed name, a file, or a class in a file."""

from __future__ import annotations

import re
import sys
from hashlib import sha256
from pathlib import Path

from hbkit.config import Config
from hbkit.config.load import resolved
from hbkit.errors import PluginError, did_you_mean
from hbkit.plugins import Plugins
from hbkit.trading.strategy import Strategy

FOLDER = "strategies"


def find_strategy(use: str, config: Config, plugins: Plugins) -> type[Strategy]:
    """The class that `use` means. Raises PluginError with the nearest name."""
    return find_class(use, config.path, plugins)


def find_class(use: str, config: Path, plugins: Plugins) -> type[Strategy]:
    """The class that `use` would mean in the config of that path, which need not exist."""
    text, _, class_name = use.partition(":")
    if text.endswith(".py"):
        return _from_file(resolved(config, text), class_name or Path(text).stem, plugins)
    found = plugins.strategy(text)
    if found is not None:
        return _checked(found, text)
    for folder in strategy_folders(config):
        if (folder / f"{text}.py").is_file():
            return _from_file(folder / f"{text}.py", class_name or text, plugins)
    names = [*plugins.strategies(), *(path.stem for path in strategy_files(config))]
    mend = did_you_mean(text, names, what="strategies")
    raise PluginError(f'no strategy "{text}"; {mend} `hbkit strategies` lists them', code="HB301")


def strategy_folders(config: Path) -> list[Path]:
    """Where `use: NAME` looks for NAME.py: beside the config, in its parent, in the current folder."""
    folder = config.parent
    places = [folder / FOLDER, folder.resolve().parent / FOLDER, Path(FOLDER)]
    return list({place.resolve(): place for place in places}.values())


def strategy_files(config: Path) -> list[Path]:
    """The strategy files that `use: NAME` would find; the first one of a name counts."""
    found: dict[str, Path] = {}
    for folder in strategy_folders(config):
        for path in sorted(folder.glob("*.py")):
            if not path.stem.startswith(("_", "test_")) and path.stem != "conftest":
                found.setdefault(path.stem, path)
    return list(found.values())


def code_hash(cls: type[Strategy]) -> str:
    """The first 12 digits of the sha256 of the file that a strategy stands in; empty where it stands in none.

    Two runs of one name may have had different code: this tells.
    """
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        return sha256(Path(file).read_bytes()).hexdigest()[:12] if file else ""
    except OSError:
        return ""


def strategies_of(module: object) -> dict[str, type[Strategy]]:
    """What a file offers: the answer of its hook, else each strategy defined in it."""
    offered = getattr(module, "hbkit_strategies", None)
    if offered is None:
        return classes_in(module)
    try:
        return dict(offered())
    except Exception as error:
        file = getattr(module, "__file__", "")
        raise PluginError(f"hbkit_strategies of {file} raised {type(error).__name__}: {error}", code="HB301") from error


def classes_in(module: object) -> dict[str, type[Strategy]]:
    """The strategies defined in a module, by their snake_case names."""
    name = getattr(module, "__name__", "")
    return {
        snake_case(member.__name__): member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Strategy) and member.__module__ == name
    }


def snake_case(name: str) -> str:
    """`SmaCross` as `sma_cross`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _from_file(path: Path, wanted: str, plugins: Plugins) -> type[Strategy]:
    module = plugins.load_file(path)
    found = strategies_of(module)
    chosen = found.get(wanted) or found.get(snake_case(wanted)) or _by_class_name(found, wanted)
    if chosen is None and len(found) == 1 and wanted == path.stem:
        chosen = next(iter(found.values()))
    if chosen is None:
        known = ", ".join(cls.__name__ for cls in found.values()) or "none"
        mend = f"write use: {path.name}:CLASS" if found else "define a subclass of hbkit.Strategy in it"
        raise PluginError(f"{path} has no strategy {wanted}; it has {known}; {mend}", code="HB301")
    return _checked(chosen, str(path))


def _by_class_name(found: dict[str, type[Strategy]], name: str) -> type[Strategy] | None:
    return next((cls for cls in found.values() if cls.__name__ == name), None)


def _checked(cls: type, origin: str) -> type[Strategy]:
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise PluginError(f"{origin} offers {cls!r}, which is no subclass of hbkit.Strategy", code="HB301")
    return cls
