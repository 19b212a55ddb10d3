"""Our dataclasses are dataclasses, for us and for everybody else."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import typing
from typing import Any

import pytest

from kimi_profiles.values import NamedTuple, asdict, dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Point:
    """With a default, a factory, and what neither is compared nor shown."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = field(default_factory=tuple)
    note: str = field(default="", compare=False, repr=False)

    @property
    def sum(self) -> int:
        """Of both."""
        return self.x + self.y


@dataclass(slots=True)
class Basket:
    """May be changed."""

    items: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Open:
    """Without slots."""

    name: str = "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """By name alone."""

    one: int
    two: int = 2


def standard(kind: Any) -> Any:
    """The same class, as ``dataclasses`` makes it."""
    fields = [(each.name, each.type, each) for each in dataclasses.fields(kind)]
    return dataclasses.make_dataclass(kind.__name__, fields, frozen=True, slots=True)


def test_values_are_taken_by_place_and_by_name() -> None:
    assert (Point(1).x, Point(1).y, Point(1).tags, Point(1).note) == (1, 2, (), "")
    assert Point(1, 3, note="n").sum == 4
    assert Point(x=5, tags=("a",)).tags == ("a",)
    assert Named(one=1).two == 2
    assert Basket().items is not Basket().items


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Point, "lacks a value for 'x'"),
        (lambda: Point(1, 2, (), "", 5), "takes 4 values by place, not 5"),
        (lambda: Point(1, x=1), "got two values for 'x'"),
        (lambda: Point(1, z=1), "has no 'z'"),
        (lambda: Named(1), "takes 0 values by place, not 1"),
        (lambda: replace(Point(1), z=1), "has no 'z'"),
    ],
    ids=["none", "too many", "twice", "unknown", "by place", "replaced"],
)
def test_wrong_arguments_are_refused(make: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        make()


def test_after_many_they_are_made_faster_and_alike() -> None:
    @dataclass(frozen=True, slots=True)
    class Many:
        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list)

    made = [Many(number, y=3) for number in range(1_500)]
    assert [(each.x, each.y, each.tags) for each in made] == [(number, 3, []) for number in range(1_500)]
    assert made[0] == Many(0, 3) == Many(x=0, y=3, tags=[])
    assert len({id(each.tags) for each in made}) == 1_500
    assert replace(made[7], y=2) == Many(7)
    for wrong in ({}, {"x": 1, "z": 1}):
        with pytest.raises(TypeError):
            Many(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Many(1, x=1)  # type: ignore[misc]


def test_equality_hash_and_text_are_those_of_dataclasses() -> None:
    other = standard(Point)
    for values in ({"x": 1}, {"x": 1, "y": 7, "tags": ("a",), "note": "n"}):
        assert repr(Point(**values)) == repr(other(**values))
    assert Point(1, note="a") == Point(1, note="b")
    assert hash(Point(1, note="a")) == hash(Point(1, note="b"))
    assert Point(1) != Point(2)
    assert Point(1) != other(1)
    assert len({Point(1), Point(1), Point(2)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Basket())


@pytest.mark.parametrize("value", [Point(1), Open(), Named(one=1)])
def test_what_is_frozen_cannot_be_changed(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(value, name)
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        value.other = 5


def test_what_is_not_frozen_can() -> None:
    basket = Basket()
    basket.items = [Point(1)]
    assert basket == Basket([Point(1)])
    with pytest.raises(AttributeError):
        basket.other = 1  # type: ignore[attr-defined]


def test_dataclasses_knows_them() -> None:
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.is_dataclass(Point(1))
    assert [each.name for each in dataclasses.fields(Point)] == ["x", "y", "tags", "note"]
    assert dataclasses.replace(Point(1, note="n"), y=5) == Point(1, 5)
    assert dataclasses.replace(Point(1, note="n"), y=5).note == "n"
    nested = Basket([Point(1, tags=("a", "b"))])
    assert dataclasses.asdict(nested) == asdict(nested)
    assert asdict(nested) == {"items": [{"x": 1, "y": 2, "tags": ("a", "b"), "note": ""}]}
    assert asdict({"k": [Point(1)]}) == {"k": [asdict(Point(1))]}
    with pytest.raises(TypeError):
        dataclasses.replace(Point(1), z=1)


def test_they_are_copied_pickled_and_matched() -> None:
    for value in (Point(1, tags=("a",), note="n"), Basket([Point(2)]), Open("b"), Named(one=3)):
        assert copy.deepcopy(value) == value
        assert asdict(pickle.loads(pickle.dumps(value))) == asdict(value)
        if sys.version_info >= (3, 13):
            assert copy.replace(value) == value
    match Point(1, 7):
        case Point(x, y):
            assert (x, y) == (1, 7)


class Place(NamedTuple):
    """A pair with a default."""

    line: int
    column: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is where everything begins."""
        return self == (1, 1)


class Pair(typing.NamedTuple):
    """The same by the original."""

    line: int
    column: int = 1


def test_a_named_tuple_is_one() -> None:
    place = Place(3)
    assert (place, place.line, place.column) == ((3, 1), 3, 1)
    assert repr(place) == "Place(line=3, column=1)"
    assert (Place._fields, Place._field_defaults) == (Pair._fields, Pair._field_defaults)
    assert (place._asdict(), place._replace(line=4)) == ({"line": 3, "column": 1}, (4, 1))
    assert Place(1).is_first
    assert Place.__doc__ == "A pair with a default."
    assert pickle.loads(pickle.dumps(place)) == place
    assert min(Place(2, 2), Place(1, 3)).column == 3
    with pytest.raises(TypeError):
        Place()  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        place.line = 4  # type: ignore[misc]


def test_making_them_loads_neither_inspect_nor_dataclasses() -> None:
    code = (
        "import sys\n"
        "from kimi_profiles.values import NamedTuple, dataclass, replace\n"
        "class B(NamedTuple):\n"
        "    x: int = 1\n"
        "@dataclass(frozen=True, slots=True)\n"
        "class A:\n"
        "    x: int = 1\n"
        "assert replace(A(), x=2) == A(2) and repr(A()) == 'A(x=1)'\n"
        "print(*sorted({'dataclasses', 'inspect', 'typing'} & set(sys.modules)))\n"
    )
    code = "from __future__ import annotations\n" + code
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"
