"""Classes that just hold values: ``dataclass``, ``NamedTuple``, at a tenth of their price.

``dataclasses`` loads ``inspect``, and compiles six methods for each class in every process: together that
takes as long as Python's own start. Here all classes share their methods. What comes out is a dataclass for
everybody else: ``dataclasses.replace``, ``fields`` and ``asdict``, ``copy`` and ``pickle`` work on it. Type
checkers see the originals, whose documentation holds for the part of them that is offered here.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from itertools import count
from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import asdict, dataclass, field, replace
    from typing import Any, Generic, NamedTuple

__all__ = ["Generic", "NamedTuple", "asdict", "dataclass", "field", "replace"]

_MISSING = object()
_MANY = 1_000


class _Field:
    """How one attribute is filled, and where it counts."""

    __slots__ = ("compare", "default", "default_factory", "repr")

    def __init__(
        self,
        *,
        default: object = _MISSING,
        default_factory: Callable[[], object] | None = None,
        compare: bool = True,
        repr: bool = True,  # noqa: A002 - as in dataclasses
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.compare = compare
        self.repr = repr

    def fill(self, kind: type, name: str) -> object:
        """The value where none was given."""
        if self.default_factory is not None:
            return self.default_factory()
        if self.default is _MISSING:
            msg = f"{kind.__qualname__} lacks a value for {name!r}"
            raise TypeError(msg)
        return self.default


class _DataclassFields:
    """What ``dataclasses`` knows a dataclass by, made when it looks."""

    def __get__(self, instance: object, kind: Any) -> Any:
        return _standard(kind).__dataclass_fields__


@cache
def _standard(kind: Any) -> Any:
    """A class with the same fields, made by ``dataclasses``."""
    import dataclasses

    def standard(own: _Field) -> Any:
        facts: dict[str, Any] = {"compare": own.compare, "repr": own.repr}
        if own.default_factory is not None:
            facts["default_factory"] = own.default_factory
        elif own.default is not _MISSING:
            facts["default"] = own.default
        return dataclasses.field(**facts)

    fields = [(name, kind.__annotations__[name], standard(own)) for name, own in kind.__values__.items()]
    return dataclasses.make_dataclass(kind.__name__, fields, frozen=True, kw_only=not kind.__match_args__)


def _initialize(self: Any, /, *values: Any, **named: Any) -> None:
    kind: Any = self.__kind__
    if next(kind.__made__) == _MANY:  # now a method of its own is worth its price
        kind.__init__ = _standard(kind).__init__
        kind.__init__(self, *values, **named)
        return
    places = kind.__match_args__
    if len(values) > len(places):
        msg = f"{kind.__qualname__} takes {len(places)} values by place, not {len(values)}"
        raise TypeError(msg)
    for name, value in zip(places, values, strict=False):
        if name in named:
            msg = f"{kind.__qualname__} got two values for {name!r}"
            raise TypeError(msg)
        named[name] = value
    for name, own in kind.__values__.items():
        _set(self, name, named.pop(name) if name in named else own.fill(kind, name))
    if named:
        msg = f"{kind.__qualname__} has no {next(iter(named))!r}"
        raise TypeError(msg)


def _represent(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, own in self.__values__.items() if own.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__compared__(self) == self.__compared__(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _refuse(self: object, name: str, _: object = None) -> None:
    from dataclasses import FrozenInstanceError

    msg = f"{name!r} of {type(self).__qualname__} cannot be changed"
    raise FrozenInstanceError(msg)


def _get_state(self: Any) -> list[object]:
    return [getattr(self, name) for name in self.__values__]


def _set_state(self: Any, state: list[object]) -> None:
    for name, value in zip(self.__values__, state, strict=True):
        _set(self, name, value)


def _replace(self: Any, /, **changes: Any) -> Any:
    return type(self)(**{name: getattr(self, name) for name in self.__values__} | changes)


def _asdict(value: Any) -> Any:
    if hasattr(value, "__values__"):
        return {name: _asdict(getattr(value, name)) for name in value.__values__}
    if isinstance(value, list | tuple):
        return type(value)(map(_asdict, value))
    if isinstance(value, dict):
        return {key: _asdict(each) for key, each in value.items()}
    return value


_set = object.__setattr__
_METHODS = {
    "__init__": _initialize,
    "__repr__": _represent,
    "__eq__": _equal,
    "__hash__": None,
    "__replace__": _replace,
    "__dataclass_fields__": _DataclassFields(),
}
_FROZEN = {"__hash__": _hash, "__setattr__": _refuse, "__delattr__": _refuse}
_SLOTTED = {"__getstate__": _get_state, "__setstate__": _set_state}


def _dataclass(
    kind: type | None = None, /, *, frozen: bool = False, slots: bool = False, kw_only: bool = False
) -> Any:
    def make(kind: type) -> Any:
        defaults = {name: kind.__dict__.get(name, _MISSING) for name in kind.__annotations__}
        values = {
            name: each if isinstance(each, _Field) else _Field(default=each)
            for name, each in defaults.items()
        }
        compared = [name for name, own in values.items() if own.compare]
        body: dict[str, Any] = {
            **_METHODS,
            **(_FROZEN if frozen else {}),
            **(_SLOTTED if slots else {}),
            **{name: value for name, value in kind.__dict__.items() if name not in values},
            "__qualname__": kind.__qualname__,
            "__values__": values,
            "__made__": count(1),
            "__compared__": staticmethod(attrgetter(*compared)),
            "__match_args__": () if kw_only else tuple(values),
        }
        for own in ("__dict__", "__weakref__"):
            body.pop(own, None)
        if slots:
            body["__slots__"] = tuple(values)
        made: Any = type(kind)(kind.__name__, kind.__bases__, body)
        made.__kind__ = made  # for classes that are derived from it too
        return made

    return make if kind is None else make(kind)


class _NamedTupleKind(type):
    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, body)
        fields = body.pop("__annotations__")
        defaults = [body.pop(each) for each in fields if each in body]
        made = namedtuple(name, fields, defaults=defaults)  # type: ignore[misc]  # noqa: PYI024
        for each, value in body.items():
            setattr(made, each, value)
        return made


class _NamedTuple(metaclass=_NamedTupleKind):
    """``typing.NamedTuple``, without ``typing``."""


class _Generic:
    """``typing.Generic``, without ``typing``."""

    __slots__ = ()

    def __class_getitem__(cls, _: object) -> type:
        return cls


if not TYPE_CHECKING:
    asdict, dataclass, field, replace = _asdict, _dataclass, _Field, _replace
    Generic, NamedTuple = _Generic, _NamedTuple
