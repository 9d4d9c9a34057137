"""Finds and loads plugins: names from metadata, imports only what is asked for, every failure with its distribution.

The entry points of group `hbkit` are the names that users write. Reading them imports nothing; a plugin is imported
when a config names it, when `plugins: {load: [...]}` lists it, or when it is a file beside the config.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pluggy

from hbkit import hookspecs
from hbkit.errors import ConfigError, Fault, PluginError, did_you_mean, nearest
from hbkit.exchange import Bridge, ExchangeSpec
from hbkit.hookspecs import Notifier, hookimpl
from hbkit.hooktrace import tracer
from hbkit.log import get_logger
from hbkit.matching import BUILT_IN as FILL_MODELS
from hbkit.matching import FillModel
from hbkit.model import OrderRequest
from hbkit.trading.strategy import Strategy

GROUP = "hbkit"
_EXTRAS = {"talipp": "indicators"}
"""Libraries that a strategy may import, and the extra that brings each."""
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


@dataclass(frozen=True)
class Offer:
    """One thing that a plugin offers, and whose it is."""

    name: str
    origin: str
    shelf: Mapping[str, Any]
    """What the hook answered; a thing of it is looked up when somebody wants it, for some are made only then."""

    @property
    def value(self) -> Any:
        """The thing itself. Raises PluginError with its origin where it cannot be made."""
        return _taken(self.shelf, self.name, self.origin)


class _Values(Mapping[str, Any]):
    """The things behind offers, each looked up when it is asked for."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self._offers = offers

    def __getitem__(self, name: str) -> Any:
        return self._offers[name].value

    def __contains__(self, name: object) -> bool:
        return name in self._offers

    def __iter__(self) -> Iterator[str]:
        return iter(self._offers)

    def __len__(self) -> int:
        return len(self._offers)


def _taken(shelf: Mapping[str, Any], name: str, origin: str) -> Any:
    """A thing of an answer. KeyError where there is none; what a guest's code raises otherwise has its origin."""
    try:
        return shelf[name]
    except (KeyError, ConfigError):
        raise
    except Exception as error:
        raise PluginError(f'"{name}" of {origin} cannot be made: {_cause(error)}', code="HB203") from error


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
        self._complaints: dict[str, None] = {}
        self._trace = tracer(os.environ)
        for name in load:
            self.load(name)

    # -- what is there

    @cached_property
    def installed(self) -> Mapping[str, Installed]:
        """Every name of group `hbkit`, from metadata alone."""
        return {entry.name: entry for entry in reversed(self._entries)}

    @cached_property
    def clashes(self) -> Mapping[str, str]:
        """Names that two distributions offer, with the message; such a name cannot be loaded, every other can."""
        found: dict[str, str] = {}
        for entry in self._entries:
            first = self.installed[entry.name]
            if entry != first:
                offered = f'"{entry.name}" is offered by {first.origin} and by {entry.origin}'
                found[entry.name] = f"{offered}; uninstall one of them"
        return found

    @cached_property
    def _entries(self) -> list[Installed]:
        return sorted(map(_installed, entry_points(group=GROUP)), key=lambda entry: (entry.name, entry.origin))

    def loaded(self) -> list[tuple[str, str]]:
        """Name and origin of each registered plugin, built-in first."""
        return [(name, self.origin(plugin)) for name, plugin in self.manager.list_name_plugin() if plugin is not None]

    def origin(self, plugin: object) -> str:
        """Where a plugin comes from: its distribution and version, its file, or the strategy that it is."""
        return self._origins.get(id(plugin), "this run")

    # -- loading

    def load(self, name: str) -> None:
        """Import and register the plugin of an installed name or of a `.py` file; once, however often it is named."""
        self._refuse_blocked(name)
        if name in self._loaded:
            return
        if name.endswith(".py"):
            self.load_file(Path(name))
            return
        entry = self.installed.get(name)
        if entry is None:
            mend = did_you_mean(name, self.installed, what="installed")
            raise PluginError(f'no plugin "{name}" is installed; {mend}', code="HB201")
        if name in self.clashes:
            raise PluginError(self.clashes[name], code="HB204")
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

    def load_all(self) -> list[PluginError]:
        """Load every installed plugin that is not blocked; what cannot be loaded is handed back, once a module."""
        broken: dict[str, PluginError] = {}
        for name, entry in self.installed.items():
            if name in self._block or entry.target in broken:
                continue
            try:
                self.load(name)
            except PluginError as error:
                broken[entry.target] = error
        return list(broken.values())

    def add(self, plugin: object, name: str) -> None:
        """Register an object of this run, such as a strategy that carries hook methods."""
        methods = _hook_methods(plugin)
        if methods:
            # Not the object itself: pluggy reads every attribute, and a property of a strategy may refuse to be read.
            self._register(SimpleNamespace(**methods), name, name)

    def check(self) -> None:
        """Raise PluginError for a hook that does not exist, with the nearest name."""
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise self._invalid(error) from None

    # -- what plugins offer

    def exchange(self, name: str) -> ExchangeSpec:
        """The spec of an exchange; loads the plugin that bears its name (`ccxt` for `ccxt:okx`), and makes no other."""
        wanted = name.partition(":")[0]
        self._refuse_blocked(wanted)
        found = self._exchange(name)
        if found is None:
            if wanted not in self.installed:
                if ":" in name:
                    known = did_you_mean(wanted, self.installed, what="installed")
                    message = f'exchange "{name}" needs the plugin "{wanted}", which is not installed; {known}'
                    raise PluginError(message, code="HB201")
                known = did_you_mean(name, self.installed, what="installed")
                if nearest(name, self.installed) is None:
                    known += f"; hbkit exchanges {name} looks for it behind all of them"
                raise PluginError(f'exchange "{name}" needs a plugin that is not installed; {known}', code="HB201")
            self.load(wanted)
            found = self._exchange(name)
        if found is None:
            raise PluginError(self._unknown_exchange(name, wanted), code="HB201")
        for other in found.beside:
            if other in self.installed and other not in self._block:
                self.load(other)
        return found

    def _exchange(self, name: str) -> ExchangeSpec | None:
        """The spec of that name; an answer is also asked for a name that it does not list, for it may know better."""
        offers = self.offers("exchanges")
        if name in offers:
            spec: ExchangeSpec = offers[name].value
            return spec
        for origin, shelf in self._shelves("exchanges"):
            try:
                unlisted: ExchangeSpec = _taken(shelf, name, origin)
            except KeyError:
                continue
            return unlisted
        return None

    def _unknown_exchange(self, name: str, plugin: str) -> str:
        """The nearest name of the same plugin where there is one, else what the plugin offers."""
        told = f'plugin "{plugin}" ({self.installed[plugin].origin}) offers no exchange of the name "{name}"'
        prefix, colon, ending = name.partition(":")
        offered = list(self.exchanges())
        endings = [one.removeprefix(f"{prefix}:") for one in offered if one.startswith(f"{prefix}:")]
        if colon and endings:
            # The part that they all share would make any two of them look alike.
            close = nearest(ending, endings)
            mend = f'did you mean "{prefix}:{close}"?' if close else f"it has {len(endings)} others"
            return f"{told}; {mend} (hbkit exchanges {prefix} lists them){self._why('exchanges')}"
        return f"{told}; it offers {', '.join(offered) or 'none'}{self._why('exchanges')}"

    def single_exchanges(self) -> list[ExchangeSpec]:
        """The specs of the loaded plugins without what stands behind a bridge: making all of that takes seconds."""
        offered, bridges = self.exchanges(), self.bridges()
        return [offered[name] for name in offered if name.partition(":")[0] not in bridges]

    def bridges(self) -> Mapping[str, Bridge]:
        """What of the loaded plugins leads to very many exchanges, by the word before the colon of their names."""
        found = [shelf for _, shelf in self._shelves("exchanges") if isinstance(shelf, Bridge)]
        return {next(iter(one)).partition(":")[0]: one for one in found if len(one)}

    def strategy(self, name: str) -> type[Strategy] | None:
        """The strategy of an installed name or of a loaded plugin; None when there is none."""
        self._refuse_blocked(name)
        if name not in self.strategies() and name in self.installed:
            self.load(name)
        return self.strategies().get(name)

    def notifier(self, name: str) -> Callable[..., Notifier] | None:
        """The factory of an installed name or of a loaded plugin; None when there is none."""
        self._refuse_blocked(name)
        if name not in self.notifiers() and name in self.installed:
            self.load(name)
        return self.notifiers().get(name)

    def exchanges(self) -> Mapping[str, ExchangeSpec]:
        """What the loaded plugins offer; a spec may be made only when it is looked up."""
        return self._values("exchanges")

    def strategies(self) -> Mapping[str, type[Strategy]]:
        """What the loaded plugins offer."""
        return self._values("strategies")

    def data_sources(self) -> Mapping[str, Callable[[int], Any]]:
        """What the loaded plugins offer."""
        return self._values("data_sources")

    def fill_models(self) -> Mapping[str, Callable[[], Any]]:
        """What the loaded plugins offer."""
        return self._values("fill_models")

    def notifiers(self) -> Mapping[str, Callable[..., Notifier]]:
        """What the loaded plugins offer."""
        return self._values("notifiers")

    def commands(self) -> Mapping[str, Any]:
        """What the loaded plugins offer."""
        return self._values("commands")

    def offers(self, what: str) -> dict[str, Offer]:
        """The answers to one offering hook, with their origins; two that offer one name are an error that names both.

        A hook that raises is logged with its distribution and offers nothing: what others offer is not lost.
        """
        found: dict[str, Offer] = {}
        for origin, shelf in self._shelves(what):
            for name in shelf:
                if name in found:
                    singular = "strategy" if what == "strategies" else what.removesuffix("s").replace("_", " ")
                    both = f"{found[name].origin} and by {origin}"
                    message = f'the {singular} "{name}" is offered by {both}; block one of them'
                    raise PluginError(message, code="HB204")
                found[name] = Offer(name, origin, shelf)
        return found

    # -- what plugins are told and asked

    def tell(self, hook: str, **values: Any) -> None:
        """Tell every plugin; one that raises is logged with its distribution and stops nobody."""
        for implementation in self._implementations(hook):
            try:
                self._call(hook, implementation, values)
            except Exception as error:  # noqa: BLE001 - a guest's code: its failure must not end the run
                self.complain(f"hbkit_{hook} of {self.origin(implementation.plugin)}", error)

    def veto(self, request: OrderRequest, strategy: str) -> str | None:
        """The first reason against an order. A hook that raises refuses the order."""
        for implementation in self._implementations("check_order"):
            try:
                answer = self._call("check_order", implementation, {"request": request, "strategy": strategy})
            except Exception as error:  # noqa: BLE001 - a guest's code: its failure refuses the order, and says so
                origin = self.origin(implementation.plugin)
                return f"hbkit_check_order of {origin} raised {_cause(error)}"
            if answer is not None:
                return str(answer) or f"refused by {self.origin(implementation.plugin)}"
        return None

    def complain(self, what: str, error: Exception) -> None:
        """Log that a guest's code raised, once for each message."""
        message = f"{what} raised {_cause(error)}"
        if message not in self._complaints:
            self._complaints[message] = None
            get_logger("hbkit").error(message)

    # -- inside

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """In pluggy's order of calling: the latest registered first, except for offers, where it does not matter."""
        caller: pluggy.HookCaller = getattr(self.manager.hook, f"hbkit_{hook}")
        return caller.get_hookimpls()[::-1]

    def _call(self, hook: str, implementation: pluggy.HookImpl, values: Mapping[str, Any]) -> Any:
        arguments = {name: values[name] for name in implementation.argnames}
        origin = self.origin(implementation.plugin)
        return self._trace(hook, origin, arguments, lambda: implementation.function(*arguments.values()))

    def _answer(self, implementation: pluggy.HookImpl, what: str) -> Mapping[str, Any]:
        try:
            answer = self._call(what, implementation, {})
            if not isinstance(answer, Mapping):
                raise TypeError(f"it returned {answer!r}, not a mapping of names")
            list(answer)  # names that are told only now are a part of the answer
        except Exception as error:  # noqa: BLE001 - a guest's code: logged, and the others' offers stand
            self.complain(f"hbkit_{what} of {self.origin(implementation.plugin)}", error)
            return {}
        return answer

    def _shelves(self, what: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What each implementation of an offering hook answers, with its origin."""
        for implementation in self._implementations(what):
            yield self.origin(implementation.plugin), self._answer(implementation, what)

    def _values(self, what: str) -> Mapping[str, Any]:
        return _Values(self.offers(what))

    def _why(self, what: str) -> str:
        """What a missing offer may be due to: the hooks that raised."""
        return "".join(f"; {text}" for text in self._complaints if text.startswith(f"hbkit_{what} of "))

    def _refuse_blocked(self, name: str) -> None:
        if name in self._block:
            raise PluginError(f'plugin "{name}" is in plugins.block of the config; take it out to use it', code="HB202")

    def _register(self, plugin: Any, name: str, origin: str) -> None:
        # Several names may point to one module, and pluggy refuses to register an object twice.
        if self.manager.is_registered(plugin):
            return
        self._origins[id(plugin)] = origin
        try:
            self.manager.register(plugin, name)
            self.check()
            self._refuse_wrappers(plugin, origin)
        except pluggy.PluginValidationError as error:
            self._take_out(plugin)
            raise self._invalid(error) from None
        except PluginError:
            self._take_out(plugin)
            raise

    def _take_out(self, plugin: Any) -> None:
        """What is broken must not stop those that come after it; newer pluggy has taken some of it out already."""
        if self.manager.is_registered(plugin):
            self.manager.unregister(plugin)

    def _refuse_wrappers(self, plugin: object, origin: str) -> None:
        """Hooks are called one by one, so that each failure has a name; there is nothing for a wrapper to wrap."""
        for caller in self.manager.get_hookcallers(plugin) or ():
            for one in caller.get_hookimpls():
                if one.plugin is plugin and (one.wrapper or one.hookwrapper):
                    raise PluginError(f"{origin}: {caller.name} is a hook wrapper; write a plain hook", code="HB203")

    def _invalid(self, error: pluggy.PluginValidationError) -> PluginError:
        origin = self.origin(error.plugin)
        fault = next(misspelt_hooks(error.plugin), None)
        if fault is None:
            return PluginError(f"{origin}: {' '.join(str(error).split())}", code="HB203")
        return PluginError([replace(fault, message=f"{origin} {fault.message}")])


def misspelt_hooks(plugin: object) -> Iterator[Fault]:
    """A fault for each hook of a module, class or object that does not exist, with the nearest name."""
    known = [name for name in vars(hookspecs) if name.startswith("hbkit_")]
    for name, member in _members(plugin):
        options = getattr(member, "hbkit_impl", None)
        hook = (options.get("specname") or name) if isinstance(options, dict) else None
        if hook is not None and hook not in known:
            code = getattr(inspect.unwrap(member), "__code__", None)
            place = (code.co_filename, code.co_firstlineno) if code is not None else (None, None)
            yield Fault("HB203", f"has the hook {hook}, which does not exist; {did_you_mean(hook, known)}", *place)


def _members(plugin: object) -> Iterator[tuple[str, Any]]:
    """What a module or object holds, and what its class defines, without reading a property."""
    yield from vars(plugin).items()
    classes = plugin.__mro__ if isinstance(plugin, type) else type(plugin).__mro__
    for owner in classes:
        yield from vars(owner).items()


def _hook_methods(plugin: object) -> dict[str, Any]:
    names = {name for name, member in _members(plugin) if hasattr(member, "hbkit_impl")}
    return {name: getattr(plugin, name) for name in sorted(names)}


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}{_line(error)}"


def _installed(point: EntryPoint) -> Installed:
    distribution = point.dist
    name = distribution.name if distribution is not None else "unknown distribution"
    return Installed(point.name, point.value, name, distribution.version if distribution is not None else "")


def _import(entry: Installed) -> ModuleType:
    module, _, attribute = entry.target.partition(":")
    try:
        loaded = importlib.import_module(module)
        return getattr(loaded, attribute) if attribute else loaded
    except (Exception, SystemExit) as error:
        raise PluginError(
            f'plugin "{entry.name}" of {entry.origin} failed to import: {_cause(error)}; '
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
        # The file at fault may be one that this one imports.
        file = str(path) if error.filename in (None, str(path), str(path.resolve())) else error.filename
        raise PluginError([Fault("HB301", f"{error.msg}", file, error.lineno, error.offset)]) from None
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        own = path.resolve()
        line = next((frame.lineno for frame in _frames(error) if Path(frame.filename).resolve() == own), None)
        message = f"{type(error).__name__}: {error}{_extra(error)}"
        raise PluginError([Fault("HB301", message, str(path), line)]) from error
    return module


def _extra(error: BaseException) -> str:
    """The mend for a library that comes with one of hbkit's extras."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f'; pip install "hbkit-core[{_EXTRAS[missing]}]"' if missing in _EXTRAS else ""


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    return reversed(traceback.extract_tb(error.__traceback__))


def _line(error: BaseException) -> str:
    frame = next(_frames(error), None)
    return f" ({frame.filename}:{frame.lineno})" if frame is not None else ""
