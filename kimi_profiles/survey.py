"""Read everything from which Claude Code takes endpoint, credential and model. Nothing is written."""

from __future__ import annotations

import json

from kimi_profiles.client import rules_for
from kimi_profiles.errors import ProfilesError
from kimi_profiles.files import read_file
from kimi_profiles.layers import Effective, Ignored, Layer, read_environment, read_layer
from kimi_profiles.request import Login, Request, predict_request, tier_models
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import NoReturn

    from kimi_profiles.client import Client, Rules
    from kimi_profiles.known import KnownFiles
    from kimi_profiles.layers import LayerName
    from kimi_profiles.ledger import Application
    from kimi_profiles.paths import Places
    from kimi_profiles.request import Model

__all__ = ["Survey", "find_hidden", "how_to_undo", "take_survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found at one moment.

    Attributes:
        client: The installed Claude Code, if one was found.
        rules: The measured rules that were followed.
        effective: All layers.
        login: A stored claude.ai login, if there is one that may be used for requests.
        request: What a plain ``claude -p`` would send.
    """

    client: Client | None
    rules: Rules
    effective: Effective
    login: Login | None
    request: Request

    @property
    def tiers(self) -> Mapping[str, Model]:
        """The model of each tier."""
        return tier_models(self.effective, self.rules)

    def __reduce__(self) -> NoReturn:
        msg = "a survey holds secrets and is not pickled"
        raise TypeError(msg)


def take_survey(
    places: Places,
    *,
    project: Path,
    flag_settings: Path | None = None,
    env: Mapping[str, str],
    client: Client | None,
    known: KnownFiles | None = None,
) -> Survey:
    """Read all layers as the client would, started in ``project``.

    Args:
        places: From :func:`~kimi_profiles.paths.find_places`.
        project: The folder in which it would be started. Folders above it are not looked at.
        flag_settings: What ``claude --settings FILE`` would name.
        env: The environment it would be started with.
        client: From :func:`~kimi_profiles.client.find_client`; decides which rules count.
        known: What need not be read again. The layer of such a file says nothing, and has no text.
    """
    rules = rules_for(client.version if client else None)
    files = _files(places, project, flag_settings, rules)
    layers = [_read(name, path, rules, known) for name, path in files]
    effective = Effective((*layers, read_environment(env)))
    login = _read_login(places.claude / ".credentials.json")
    return Survey(client, rules, effective, login, predict_request(effective, login, rules))


def how_to_undo(name: str, winner: Layer, elsewhere: Iterable[Application]) -> str:
    """What to do about a stronger layer that hides what a profile says of ``name``."""
    if winner.name == "managed":
        return "who administers this machine has set it"
    if winner.name == "flag":
        return "start Claude Code without --settings"
    for other in elsewhere:
        if str(winner.path) in other.targets:
            return f"kimi-profiles unapply --scope {other.scope}, there"
    return f"remove {name} from that file, or apply the profile with --scope {winner.name}"


def find_hidden(places: Places, *, project: Path, settings: Path) -> list[tuple[str, Layer]]:
    """What the file ``settings`` says in vain, each name with the stronger layer that says otherwise.

    Nothing that is weaker is read. Of a file that is no layer by itself nothing is known.
    """
    rules = rules_for(None)
    files = _files(places, project, None, rules)
    here = next((number for number, (_, path) in enumerate(files) if path == settings), -1)
    layers = [_read(name, path, rules) for name, path in files[: here + 1]]
    return list(Effective(tuple(layers)).hidden(settings))


def _files(
    places: Places, project: Path, flag_settings: Path | None, rules: Rules
) -> list[tuple[LayerName, Path]]:
    """From strong to weak."""
    files: list[tuple[LayerName, Path]] = [("managed", path) for path in _managed_files(places, rules)]
    if flag_settings is not None:
        files.append(("flag", flag_settings))
    shared, user = project / ".claude" / "settings.json", places.claude / "settings.json"
    files.append(("local", project / ".claude" / "settings.local.json"))
    if not _is_same(shared, user):  # as in the home, where people know it as the user's
        files.append(("project", shared))
    return [*files, ("user", user), ("claude.json", places.claude_json)]


def _managed_files(places: Places, rules: Rules) -> Iterator[Path]:
    """From strong to weak."""
    if rules.is_newer:
        try:
            names = [
                path for path in (places.managed / "managed-settings.d").iterdir() if _is_drop_in(path.name)
            ]
        except OSError:
            names = []
        yield from sorted(names, reverse=True)
    yield places.managed / "managed-settings.json"


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _is_drop_in(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _read(name: LayerName, path: Path, rules: Rules, known: KnownFiles | None = None) -> Layer:
    try:
        if known is None:
            return read_layer(name, path, read_file(path), rules)
        look = known.look(path, f"supplies nothing as {name} by the rules of {rules.version}")
    except ProfilesError as error:
        return Layer(name, path, ignored=Ignored(error.message))
    if look.is_known:
        return Layer(name, path)
    layer = read_layer(name, path, look.data, rules)
    if not layer.values and layer.ignored is None:
        look.keep()
    return layer


def _read_login(path: Path) -> Login | None:
    """The login of Linux and Windows; that of macOS is in the keychain, which is not asked."""
    try:
        login = json.loads(read_file(path) or b"null")["claudeAiOauth"]
        is_usable = "user:inference" in login["scopes"]
        token = login["accessToken"]
        told = (login.get(name) for name in ("subscriptionType", "rateLimitTier"))
        plan, limits = (value if isinstance(value, str) else None for value in told)
    except (ProfilesError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return Login(path, token, plan, limits) if is_usable and isinstance(token, str) and token else None
