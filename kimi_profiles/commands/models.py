"""The models that are known: context window, price, whether they are still offered, and by whom."""

from __future__ import annotations

from kimi_profiles._version import SCHEMA
from kimi_profiles.catalogue import nearest, read_catalogue
from kimi_profiles.errors import NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call
    from kimi_profiles.catalogue import Model
    from kimi_profiles.screen import Segment


_WIDE = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--provider", metavar="NAME", help="only those of this provider")


def run(call: Call) -> int:
    """Print the models."""
    catalogue = read_catalogue()
    wanted = call.args.provider
    if wanted is not None and wanted not in catalogue.providers:
        near = nearest(wanted, catalogue.providers)
        hint = f"did you mean {near}?" if near else "see: kimi-profiles providers"
        raise NotFoundError(f"there is no provider {wanted!a:.80}", hint=hint)
    models = [model for model in catalogue.models.values() if wanted is None or wanted in model.providers]
    call.answer(
        {
            "schema": SCHEMA,
            "ok": True,
            "command": "models",
            "as_of": catalogue.as_of.isoformat(),
            "models": [_json(model) for model in models],
        }
    )
    if call.is_json or call.is_quiet:
        return 0
    header = ["MODEL", "CONTEXT", "$/M IN/OUT", "STATUS", "PROVIDERS"]
    # Where they would only stand below, they are left out.
    columns = len(header) - (call.out.width is not None and call.out.width < _WIDE)
    call.out.table(header[:columns], [_cells(model)[:columns] for model in models])
    note = "" if columns == len(header) else "; a wider terminal, or --json, also shows the providers"
    call.say((f"as of {catalogue.as_of}{note}", "dim"))
    return 0


def _json(model: Model) -> dict[str, object]:
    return {
        "name": model.id,
        "providers": list(model.providers),
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "status": model.status,
        "retired_on": model.retired_on.isoformat() if model.retired_on else None,
        "successor": model.successor,
        "price_usd_per_mtok": dict(model.price_usd_per_mtok) if model.price_usd_per_mtok else None,
        "sources": list(model.sources),
    }


def _short(tokens: int) -> str:
    """A window as people name it: 262,144 tokens are 256K."""
    for size, unit in ((1 << 20, "M"), (1 << 10, "K")):
        if tokens >= size and tokens % size == 0:
            return f"{tokens // size}{unit}"
    return f"{tokens:,}"


def _cells(model: Model) -> list[Segment | str]:
    price = model.price_usd_per_mtok or {}
    status: Segment = (model.status, {"current": "good", "retired": "bad"}.get(model.status, "change"))  # type: ignore[assignment]
    if model.successor:
        status = (f"{model.status} → {model.successor}", status[1])
    return [
        (model.id, "strong"),
        _short(model.context_tokens) if model.context_tokens else "-",
        f"{price['input']:g}/{price['output']:g}" if {"input", "output"} <= price.keys() else "-",
        status,
        ", ".join(model.providers),
    ]
