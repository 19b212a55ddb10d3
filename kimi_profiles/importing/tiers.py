"""Which model each tier of a configuration has, and what of that is worth writing down. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from kimi_profiles.claude import TIER_VARIABLES
from kimi_profiles.importing.credential import named_variable
from kimi_profiles.importing.found import LeftOut
from kimi_profiles.profile import TIERS
from kimi_profiles.request import without_long_context
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kimi_profiles.importing.found import Value

__all__ = ["MODEL_NAMES", "Mapped", "Tiers", "read_tiers"]

_SMALL_FAST = "ANTHROPIC_SMALL_FAST_MODEL"
_DEFAULTS = ("ANTHROPIC_MODEL", "model", "ANTHROPIC_DEFAULT_MODEL")  # from strong to weak
MODEL_NAMES = (*_DEFAULTS, *TIER_VARIABLES.values(), _SMALL_FAST)
"""Variables that name a model, and ``model`` of the settings."""

_ALIASES = {
    "opus": "opus",
    "best": "opus",
    "sonnet": "sonnet",
    "opusplan": "sonnet",
    "haiku": "haiku",
    "fable": "fable",
}


class Mapped(NamedTuple):
    """The model of a tier.

    Attributes:
        model: Its id.
        variable: What names it.
        source: Where that stands.
    """

    model: str
    variable: str
    source: str


@dataclass(slots=True)
class Tiers:
    """All tiers.

    Attributes:
        mapped: ``default`` or a tier → its model.
        left_out: What names a model in vain.
        is_pinned: Whether something names the default model; else it is inferred from the tiers.
    """

    mapped: dict[str, Mapped] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    is_pinned: bool = False

    def worth_saying(self) -> dict[str, Mapped]:
        """The tiers that do not follow from ``default``, and ``default`` itself."""
        default = self.mapped.get("default")
        return {
            tier: self.mapped[tier]
            for tier in ("default", *TIERS)
            if tier in self.mapped
            and (tier == "default" or default is None or self.mapped[tier].model != default.model)
        }

    def follows_from(self, models: Mapping[str, str]) -> bool:
        """Whether ``models`` say all of it already."""
        return all(models.get(tier) == mapped.model for tier, mapped in self.mapped.items())


def read_tiers(values: Mapping[str, Value], refusal: Callable[[str], str | None]) -> Tiers:
    """The models that ``values`` name.

    Args:
        values: Variables that are not empty.
        refusal: Why a model id cannot be used; ``None`` if it can.
    """
    tiers = Tiers()
    for tier, name in TIER_VARIABLES.items():
        _note(tiers, tier, name, values, refusal)
    small, haiku = values.get(_SMALL_FAST), tiers.mapped.get("haiku")
    if haiku is None:
        _note(tiers, "haiku", _SMALL_FAST, values, refusal)
    elif small is not None and small.text.strip() != haiku.model:
        tiers.left_out.append(LeftOut(_SMALL_FAST, f"{haiku.variable} maps that tier"))
    for name in _DEFAULTS:
        chosen = tiers.mapped.get("default")
        if chosen is None:
            _note(tiers, "default", name, values, refusal)
        elif name in values and values[name].text.strip() != chosen.model:
            tiers.left_out.append(LeftOut(name, f"{chosen.variable} counts more"))
    tiers.is_pinned = "default" in tiers.mapped
    if not tiers.is_pinned:
        _infer_default(tiers)
    return tiers


def _note(
    tiers: Tiers, tier: str, name: str, values: Mapping[str, Value], refusal: Callable[[str], str | None]
) -> None:
    if name not in values:
        return
    model = values[name].text.strip()
    alias = without_long_context(model).casefold()
    why: str | None = None
    if alias in _ALIASES:
        known = tiers.mapped.get(_ALIASES[alias])
        why = None if known else f"{alias} is a name of Claude Code's own, and nothing maps it"
        model = known.model if known else model
    elif alias == "default" or named_variable(model):
        why = "it names no model"
    why = why or refusal(model)
    if why is None:
        tiers.mapped[tier] = Mapped(model, name, values[name].source)
    else:
        tiers.left_out.append(LeftOut(name, why))


def _infer_default(tiers: Tiers) -> None:
    """The model of most tiers but haiku, which no conversation runs on; of several the strongest tier's."""
    others = [tiers.mapped[tier] for tier in TIERS if tier in tiers.mapped and tier != "haiku"]
    if others:
        counted = Counter(mapped.model for mapped in others)
        tiers.mapped["default"] = max(others, key=lambda mapped: counted[mapped.model])
