"""Finds and loads plugins: names from metadata, imports only what is asked for, every failure with its distribution.

The entry points of group `hbkit` are the names that users write. Reading them imports nothing; a plugin is imported
when a config names it, when `plugins: {load: [...]}` lists it, or when it is a file beside the config.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from hbkit import hookspecs
from hbkit.errors import Fault, PluginError, did_you_mean
from hbkit.exchange import ExchangeSpec
from hbkit.hookspecs import hookimpl
from hbkit.matching import BUILT_IN as FILL_MODELS
from hbkit.matching import FillModel
from hbkit.trading.strategy import Strategy

GROUP = "hbkit"
BUILT_IN = "hbkit"
"""Name under which what is built in is registered."""


@dataclass(frozen=True)
class Installed:
    """A name that is installed, as its metadata says; nothing of it has been imported."""

    name: str
    target: str
    distribution: str
    version: str

    @property
    def origin(self) -> str:
        """Distribution and version: `hbkit-bitmex 0.1.0`."""
        return f"{self.distribution} {self.version}".strip()


class _BuiltIn:
    """What hbkit itself offers, through the same hooks as any guest."""

    @hookimpl
    def hbkit_fill_models(self) -> Mapping[str, Callable[[], FillModel]]:
        """The three fill models of the matching engine."""
        return FILL_MODELS


class Plugins:
    """The plugins of one run or command."""

    def __init__(self, load: Sequence[str] = (), block: Sequence[str] = ()) -> None:
        self.manager = pluggy.PluginManager("hbkit")
        self.manager.add_hookspecs(hookspecs)
        built_in = _BuiltIn()
        self.manager.register(built_in, BUILT_IN)
        self._block = frozenset(block)
        self._loaded: dict[str, str] = {}
        self._origins: dict[int, str] = {id(built_in): "hbkit"}
        for name in load:
            self.load(name)

    # -- what is there

    @cached_property
    def installed(self) -> Mapping[str, Installed]:
        """Every name of group `hbkit`, from metadata alone; one name from two distributions is an error."""
        found: dict[str, Installed] = {}
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            entry = _installed(point)
            other = found.get(entry.name)
            if other is not None and other != entry:
                raise PluginError(
                    f'"{entry.name}" is offered by {other.origin} and by {entry.origin}; uninstall one of them',
                    code="HB204",
                )
            found[entry.name] = entry
        return found

    def loaded(self) -> list[tuple[str, str]]:
        """Name and origin of each registered plugin, built-in first."""
        return [(name, self.origin(plugin)) for name, plugin in self.manager.list_name_plugin() if plugin is not None]

    def origin(self, plugin: object) -> str:
        """Where a plugin comes from: its distribution and version, or its file."""
        return self._origins.get(id(plugin), "this run")

    # -- loading

    def load(self, name: str) -> None:
        """Import and register the plugin of an installed name or of a `.py` file; once, however often it is named."""
        if name in self._loaded:
            return
        if name in self._block:
            raise PluginError(f'plugin "{name}" is in plugins.block of the config; take it out to use it', code="HB202")
        if name.endswith(".py"):
            self.load_file(Path(name))
            return
        entry = self.installed.get(name)
        if entry is None:
            mend = did_you_mean(name, self.installed, what="installed")
            raise PluginError(f'no plugin "{name}" is installed; {mend}', code="HB201")
        self._register(_import(entry), entry.target, entry.origin)
        self._loaded[name] = entry.target

    def load_file(self, path: Path) -> ModuleType:
        """Import and register a file as plugin `file:<path>`."""
        name = f"file:{path.resolve()}"
        known = self.manager.get_plugin(name)
        if known is not None:
            return known  # type: ignore[no-any-return]
        module = _import_file(path)
        self._register(module, name, str(path))
        return module

    def add(self, plugin: object, name: str) -> None:
        """Register an object of this run, such as a strategy that carries hook methods."""
        if _has_hooks(plugin):
            self.manager.register(plugin, name)

    def check(self) -> None:
        """Raise PluginError for a hook that does not exist, with the nearest name."""
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(self._pending(error), code="HB203") from None

    # -- what plugins offer

    def exchange(self, name: str) -> ExchangeSpec:
        """The spec of an exchange; loads the plugin that bears its name (`ccxt` for `ccxt:okx`)."""
        found = self._offer("exchanges").get(name)
        if found is None:
            wanted = name.partition(":")[0]
            if wanted not in self.installed:
                known = did_you_mean(name, self.installed, what="installed")
                raise PluginError(
                    f'exchange "{name}" needs a plugin that is not installed; {known}', code="HB201"
                )
            self.load(wanted)
            found = self._offer("exchanges").get(name)
        if found is None:
            offered = ", ".join(self._offer("exchanges")) or "none"
            raise PluginError(
                f'plugin "{name}" ({self.installed[name.partition(":")[0]].origin}) offers no exchange of that name; '
                f"it offers {offered}",
                code="HB201",
            )
        return found  # type: ignore[no-any-return]

    def exchanges(self) -> Mapping[str, ExchangeSpec]:
        """What the loaded plugins offer."""
        return self._offer("exchanges")

    def strategies(self) -> Mapping[str, type[Strategy]]:
        """What the loaded plugins offer."""
        return self._offer("strategies")

    def data_sources(self) -> Mapping[str, Callable[[int], Any]]:
        """What the loaded plugins offer."""
        return self._offer("data_sources")

    def fill_models(self) -> Mapping[str, Callable[[], Any]]:
        """What the loaded plugins offer."""
        return self._offer("fill_models")

    def commands(self) -> Mapping[str, Any]:
        """What the loaded plugins offer."""
        return self._offer("commands")

    def report_sections(self) -> Mapping[str, Callable[[Any], str]]:
        """What the loaded plugins offer."""
        return self._offer("report_sections")

    # -- inside

    def _offer(self, what: str) -> dict[str, Any]:
        """Merge one hook's answers; two plugins that offer one name are an error that names both."""
        offers: dict[str, Any] = {}
        owners: dict[str, str] = {}
        hook = getattr(self.manager.hook, f"hbkit_{what}")
        for implementation in hook.get_hookimpls():
            origin = self.origin(implementation.plugin)
            try:
                answer = implementation.function()
            except Exception as error:
                raise PluginError(f"hbkit_{what} of {origin} raised {type(error).__name__}: {error}") from error
            for name, offered in answer.items():
                if name in owners:
                    singular = what.removesuffix("s").replace("_", " ")
                    raise PluginError(
                        f'the {singular} "{name}" is offered by {owners[name]} and by {origin}; block one of them',
                        code="HB204",
                    )
                offers[name], owners[name] = offered, origin
        return offers

    def _register(self, module: ModuleType, name: str, origin: str) -> None:
        # Several names may point to one module, and pluggy refuses to register an object twice.
        if not self.manager.is_registered(module):
            self._origins[id(module)] = origin
            self.manager.register(module, name)
            self.check()

    def _pending(self, error: pluggy.PluginValidationError) -> str:
        known = [name for name in vars(hookspecs) if name.startswith("hbkit_")]
        origin = self.origin(error.plugin)
        unknown = [name for name in dir(error.plugin) if name.startswith("hbkit_") and name not in known]
        if not unknown:
            return f"{origin}: {error}"
        return f"{origin} has the hook {unknown[0]}, which does not exist; {did_you_mean(unknown[0], known)}"


def _installed(point: EntryPoint) -> Installed:
    distribution = point.dist
    name = distribution.name if distribution is not None else "unknown distribution"
    return Installed(point.name, point.value, name, distribution.version if distribution is not None else "")


def _import(entry: Installed) -> ModuleType:
    module, _, attribute = entry.target.partition(":")
    try:
        loaded = importlib.import_module(module)
        return getattr(loaded, attribute) if attribute else loaded
    except Exception as error:
        raise PluginError(
            f'plugin "{entry.name}" of {entry.origin} failed to import: {type(error).__name__}: {error}{_line(error)}; '
            f"mend or uninstall {entry.distribution}",
            code="HB203",
        ) from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PluginError([Fault("HB201", "no such file", str(path))])
    name = f"hbkit_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError([Fault("HB201", "is no Python file; its name must end in .py", str(path))])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise PluginError([Fault("HB301", f"{error.msg}", str(path), error.lineno, error.offset)]) from None
    except Exception as error:
        del sys.modules[name]
        line = next((frame.lineno for frame in _frames(error) if Path(frame.filename) == path.resolve()), None)
        message = f"{type(error).__name__}: {error}"
        raise PluginError([Fault("HB301", message, str(path), line)]) from error
    return module


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    return reversed(traceback.extract_tb(error.__traceback__))


def _line(error: BaseException) -> str:
    frame = next(_frames(error), None)
    return f" ({frame.filename}:{frame.lineno})" if frame is not None else ""


def _has_hooks(plugin: object) -> bool:
    return any(hasattr(getattr(plugin, name, None), "hbkit_impl") for name in dir(type(plugin)))
