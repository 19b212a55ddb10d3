"""What a doctor looks at: everything was read before, and no check reads anything more."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.claude import is_first_party
from kimi_profiles.doctor.finding import command, file_place, value_place
from kimi_profiles.secrets import holds_token, is_secret_name
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from kimi_profiles.api import ClaudeCode
    from kimi_profiles.catalogue import Provider
    from kimi_profiles.errors import ProfilesError
    from kimi_profiles.layers import Effective, Layer
    from kimi_profiles.ledger import Application, Ledger
    from kimi_profiles.profile import Profile
    from kimi_profiles.request import Credential, Request
    from kimi_profiles.secrets import Secret
    from kimi_profiles.shellrc import Setting
    from kimi_profiles.status import Status
    from kimi_profiles.survey import Survey

__all__ = ["ClientState", "Helper", "LockFolder", "Patient", "Session", "holds_secret", "host_of"]

_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class ClientState:
    """What Claude Code's state file says of a first start and of keys. Lines are those of the lists.

    Attributes:
        is_onboarded: Whether the first-start questions count as answered.
        approved: Ends of keys that the user approved.
        rejected: Ends of keys that the user rejected.
    """

    is_onboarded: bool = False
    approved: tuple[str, ...] = field(default=(), repr=False)
    rejected: tuple[str, ...] = field(default=(), repr=False)
    rejected_line: int | None = None


@dataclass(frozen=True, slots=True)
class LockFolder:
    """The lock that Claude Code takes for its state file."""

    path: Path
    age_s: float
    is_folder: bool
    is_empty: bool
    is_foreign: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A running Claude Code; ``started`` in seconds since 1970."""

    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class Helper:
    """The program that ``apiKeyHelper`` starts with; ``None`` where none was found under that name."""

    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Everything that was read.

    Attributes:
        claude: The scope that is looked at: the one that was asked for, or where nothing is applied there,
            the strongest one with a profile.
        survey: What Claude Code takes from where, and what it would send.
        effective: Its layers as far as the client obeys them: where a host program decides, no settings file
            has a say.
        platform: As ``sys.platform``.
        state: What the state file says; ``None`` where it cannot be read.
        ledger: What is on record; ``None`` where that cannot be read, and ``ledger_error`` says why.
        status: Of that scope; ``None`` where it cannot be told.
        profile: The applied profile as it is declared now; ``profile_error`` says why there is none.
        store_error: Why the profiles file cannot be read.
        store: The profiles file.
        stats: Of the files that matter; those that are not there are missing.
        missing: Settings files that are on record as holding a profile, and are gone.
        lost_backups: Copies that unapply needs to give the very bytes back, and that are gone.
        token_files: The file in which the profile's token is, if it is in one.
        tracked: Files with a token that git tracks, and the real file of each.
        exports: Lines of start-up files that set a variable.
        lock: Claude Code's lock, if it is there.
        leftovers: Temporary files of ours.
        sessions: Running sessions of Claude Code.
        helper: The helper's program; ``None`` without a helper, or where its command line is no simple one.
        helper_token: What our own helper would answer, as far as that can be told without running anything.
    """

    claude: ClaudeCode
    survey: Survey
    effective: Effective
    platform: str
    state: ClientState | None = None
    ledger: Ledger | None = None
    ledger_error: ProfilesError | None = None
    status: Status | None = None
    profile: Profile | None = None
    profile_error: ProfilesError | None = None
    store: Path | None = None
    store_error: ProfilesError | None = None
    stats: Mapping[Path, os.stat_result] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    lost_backups: tuple[Path, ...] = ()
    token_files: tuple[Path, ...] = ()
    tracked: Mapping[Path, Path] = field(default_factory=dict)
    exports: tuple[Setting, ...] = ()
    lock: LockFolder | None = None
    leftovers: tuple[Path, ...] = ()
    sessions: tuple[Session, ...] = ()
    helper: Helper | None = None
    helper_token: Secret | ProfilesError | None = None

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of the process."""
        return self.claude.env

    @property
    def request(self) -> Request:
        """What would be sent."""
        return self.survey.request

    @property
    def base_url(self) -> str:
        """Where requests go, as it was written; empty for Anthropic's own endpoint by default."""
        return self.text("ANTHROPIC_BASE_URL")

    @property
    def host(self) -> str:
        """Host, and port if one is named, of the endpoint: all of its URL that is ever printed."""
        return host_of(self.base_url) or "api.anthropic.com"

    @property
    def goes_elsewhere(self) -> bool:
        """Whether requests go to somebody else than Anthropic."""
        return bool(self.base_url) and (host_of(self.base_url) is None or not is_first_party(self.base_url))

    @property
    def wanted_host(self) -> str | None:
        """The host that the settings or a profile want requests to go to, be they obeyed or not."""
        url = (self.survey.effective.value("ANTHROPIC_BASE_URL") or "").strip()
        return self.host if url == self.base_url and (url or self.applied) else host_of(url)

    @property
    def provider(self) -> Provider | None:
        """The endpoint, if it is a known one."""
        return read_catalogue().provider_at(self.base_url) if self.base_url else None

    @property
    def applied(self) -> Application | None:
        """What is applied in the scope that is looked at."""
        return self.ledger.applications.get(self.holder) if self.ledger else None

    @property
    def holder(self) -> str:
        """The key of that scope in the ledger: its settings file."""
        return str(self.claude.scope.settings)

    @property
    def layer(self) -> Layer | None:
        """The layer that is the settings file of that scope."""
        return next((each for each in self.effective.layers if str(each.path) == self.holder), None)

    @property
    def apply_again(self) -> str | None:
        """The command that applies the profile once more; ``None`` where none is applied."""
        return self.own("apply", self.applied) if self.applied else None

    def text(self, name: str) -> str:
        """What the client takes ``name`` to be, without blanks around it."""
        return (self.effective.value(name) or "").strip()

    def winner(self, name: str) -> Layer | None:
        """The layer that decides ``name``."""
        return next(iter(self.effective.suppliers(name)), None)

    def place(self, name: str) -> str | None:
        """Where the value of ``name`` that counts is said: a settings file, or what exports it."""
        layer = self.winner(name)
        if layer is None:
            return None
        return value_place(layer, name) if layer.path is not None else self.export_place(name)

    def export_place(self, name: str) -> str:
        """The line that exports ``name``, or the variable where no start-up file is known to do it."""
        lines = [found for found in self.exports if found.name == name and found.is_exported]
        return file_place(lines[0].path, lines[0].line) if lines else f"${name}"

    def credential_place(self, credential: Credential) -> str | None:
        """Where a credential that is sent comes from."""
        if self.effective.suppliers(credential.source):
            return self.place(credential.source)
        return None if credential.path is None else file_place(credential.path)

    def undo(self, name: str) -> str | None:
        """The command after which ``name`` no longer says what it does."""
        layer = self.winner(name)
        if layer is None:
            return self.apply_again
        if layer.path is None:
            return self.unset(name)
        return "claude /logout" if name == "primaryApiKey" else self.overrule(layer)

    def overrule(self, layer: Layer) -> str | None:
        """The command after which the applied profile decides what ``layer`` decides now."""
        other = self.ledger.applications.get(str(layer.path)) if self.ledger else None
        if other is not None and str(layer.path) != self.holder:
            return self.own("unapply", other, holder=str(layer.path))
        if layer.name in {"managed", "flag"} or self.applied is None or layer.path is None:
            return None
        if layer.name in {"local", "project"} and str(layer.path) != self.holder:
            root = layer.path.parent.parent
            local = root / ".claude" / "settings.local.json"
            return self.own("apply", replace(self.applied, scope="local"), holder=str(local))
        return self.apply_again

    def unset(self, name: str) -> str:
        """What takes a variable out of the shell at hand."""
        return f"Remove-Item Env:{name}" if self.platform == "win32" else f"unset {name}"

    def own(self, verb: str, application: Application, *, holder: str | None = None) -> str | None:
        """A command of ours about ``application``, with the options that lead to the same files."""
        words = ["kimi-profiles", verb, *([application.profile] if verb == "apply" else [])]
        words += self.scope_options(application.scope, Path(holder or self.holder))
        return command(*words, *self.home_options(with_store=verb == "apply"))

    def scope_options(self, scope: str, settings: Path) -> list[str]:
        """The options that name a scope."""
        if scope == "user":
            return []
        if scope in {"project", "local"}:
            return ["--scope", scope, "--project", str(settings.parent.parent)]
        return ["--settings", str(settings)]

    def home_options(self, *, with_store: bool = False) -> list[str]:
        """The options that name a home and a profiles file, where they are not the user's own."""
        places = self.claude.places
        words = [] if self.claude.is_own_home else ["--home", str(places.home)]
        if with_store and self.store is not None and self.store != places.store:
            words += ["--store", str(self.store)]
        return words

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that may be a secret, longest first, so that none is ever printed."""
        # PWD and SSH_AUTH_SOCK have the name of a secret, and are paths.
        named = {value for name, value in self.env.items() if is_secret_name(name)}
        found = {value for value in named if not Path(value).is_absolute()}
        for layer in self.survey.effective.layers:
            for name, value in layer.values.items():
                if is_secret_name(name) or name == "primaryApiKey":
                    found |= {value.strip(), *(line.partition(":")[2].strip() for line in value.splitlines())}
        if self.survey.login is not None:
            found.add(self.survey.login.token)
        return tuple(sorted(filter(_is_long, found), key=lambda text: (-len(text), text)))


def host_of(url: str) -> str | None:
    """Host and port of a URL; ``None`` if it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if not parts.hostname else parts.hostname if port is None else f"{parts.hostname}:{port}"


def holds_secret(layer: Layer) -> bool:
    """Whether the file of ``layer`` holds something that nobody else should read."""
    if layer.ignored is not None:
        return holds_token(layer.text)
    return any(
        holds_token(value)
        or ((is_secret_name(name) or name == "primaryApiKey") and _is_long(value) and not value.isdigit())
        for name, value in layer.values.items()
    )


def _is_long(text: str) -> bool:
    fixed = {provider.fixed_token for provider in read_catalogue().providers.values()}
    return len(text) >= _SHORTEST_SECRET and text not in fixed
