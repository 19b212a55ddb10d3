"""The library's front door: one scope of one Claude Code installation."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from kimi_profiles.backups import KEPT, Backup, list_backups
from kimi_profiles.claude import (
    MASKABLE,
    Surroundings,
    claude_json_changes,
    environment_notices,
    has_login,
    helper_line,
    settings_changes,
    supplied_by_env,
    supplied_by_settings,
)
from kimi_profiles.credentials import read_token, token_notices
from kimi_profiles.endpoint import check_token, profile_notices
from kimi_profiles.errors import (
    LedgerInvalidError,
    NotFoundError,
    Notice,
    NotPermittedError,
    ProfilesError,
    TokenUnavailableError,
    UsageError,
)
from kimi_profiles.files import read_file
from kimi_profiles.ledger import Application, Record, needed_backups, read_ledger
from kimi_profiles.paths import find_places, find_scope
from kimi_profiles.restore import find_backups, forget_backups, restore_intent
from kimi_profiles.route import real_folder
from kimi_profiles.secrets import Secret
from kimi_profiles.status import Status, how_to_undo, read_status
from kimi_profiles.targets import Intent, TargetIntent, TargetPlan, plan_targets
from kimi_profiles.transaction import TargetResult, run_transaction
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kimi_profiles.change import Change
    from kimi_profiles.paths import Places, Scope
    from kimi_profiles.profile import Profile
    from kimi_profiles.survey import Survey

__all__ = ["ClaudeCode", "Plan", "Result", "Status"]

DEFAULT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done; a value. ``str()`` of it is the diff, without secrets.

    Attributes:
        command: ``apply``, ``unapply`` or ``restore``.
        profile: Name of the profile; for ``unapply`` of the one that is taken out, if any is.
        scope: ``user``, ``project``, ``local`` or ``path``.
        targets: One for each file.
        warnings: What is odd about it.
    """

    command: str
    profile: str | None
    scope: str
    targets: tuple[TargetPlan, ...]
    warnings: tuple[Notice, ...]

    @property
    def changed(self) -> bool:
        """Whether any file would change."""
        return any(target.is_changed for target in self.targets)

    def __str__(self) -> str:
        from kimi_profiles.report import diff_lines

        return "\n".join(diff_lines(self.targets))


@dataclass(frozen=True, slots=True)
class Result:
    """What was done. Attributes as for :class:`Plan`."""

    command: str
    profile: str | None
    scope: str
    targets: tuple[TargetResult, ...]
    warnings: tuple[Notice, ...]

    @property
    def changed(self) -> bool:
        """Whether any file changed."""
        return any(target.plan.is_changed for target in self.targets)


@dataclass(frozen=True, slots=True)
class ClaudeCode:
    """One scope of one Claude Code installation. Make it with one of the class methods.

    Attributes:
        places: The folders of the user.
        scope: The files that are edited.
        root: The project in which Claude Code would be started; the working directory if ``None``.
    """

    places: Places
    scope: Scope
    timeout_s: float = DEFAULT_TIMEOUT_S
    env: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    is_own_home: bool = True
    root: Path | None = None

    @classmethod
    def user(cls, *, home: Path | None = None, timeout_s: float = DEFAULT_TIMEOUT_S) -> ClaudeCode:
        """The user's settings, for all projects.

        Args:
            home: Another home than that of the user who runs this; then ``CLAUDE_CONFIG_DIR`` and ``XDG_…``,
                which speak of the latter, count for nothing.
            timeout_s: How long to wait for a lock, in seconds.
        """
        return cls.of("user", home=home, timeout_s=timeout_s)

    @classmethod
    def project(
        cls, root: Path | None = None, *, home: Path | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ClaudeCode:
        """The shared settings of the project in ``root`` (the working directory if left out)."""
        return cls.of("project", project=root, home=home, timeout_s=timeout_s)

    @classmethod
    def local(
        cls, root: Path | None = None, *, home: Path | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ClaudeCode:
        """The user's own settings for the project in ``root`` (the working directory if left out)."""
        return cls.of("local", project=root, home=home, timeout_s=timeout_s)

    @classmethod
    def at(
        cls, settings: Path, *, home: Path | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ClaudeCode:
        """Any settings file as the only target; ``.claude.json`` is left alone."""
        return cls.of("path", settings=settings, home=home, timeout_s=timeout_s)

    @classmethod
    def of(
        cls,
        scope: str,
        *,
        project: Path | None = None,
        settings: Path | None = None,
        home: Path | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> ClaudeCode:
        """Like the others, with the scope as a word."""
        places = find_places(home=home)
        where = find_scope(scope, places, project=project, settings=settings)
        return cls(places, where, timeout_s, is_own_home=home is None, root=project)

    def plan(
        self,
        profile: Profile,
        *,
        token: str | None = None,
        allow_tracked: bool = False,
        keep_login: bool = False,
    ) -> Plan:
        """What :meth:`apply` would do. Nothing is written. Arguments and errors as there."""
        intent, warnings = self._apply_intent(
            profile, token=token, allow_tracked=allow_tracked, keep_login=keep_login
        )
        targets = tuple(plan_targets(intent, state=self.places.state))
        return Plan("apply", profile.name, self.scope.name, targets, tuple(warnings))

    def apply(
        self,
        profile: Profile,
        *,
        token: str | None = None,
        allow_tracked: bool = False,
        keep_login: bool = False,
    ) -> Result:
        """Merge ``profile`` in, and take out what another profile had put there.

        Args:
            profile: From :class:`~kimi_profiles.store.ProfileStore`.
            token: The token itself, instead of what the profile refers to.
            allow_tracked: Write a token even into a file that git tracks or that is meant to be committed.
            keep_login: Leave a stored Console login where it is, although its key is then sent too.

        Raises:
            ProfilesError: See :mod:`kimi_profiles.errors`; each says whether anything was written.
        """
        intent, warnings = self._apply_intent(
            profile, token=token, allow_tracked=allow_tracked, keep_login=keep_login
        )
        outcome = run_transaction(intent, state=self.places.state, timeout_s=self.timeout_s)
        if not any(target.plan.record.is_held_by(str(self.scope.settings)) for target in outcome.targets):
            warnings.append(
                Notice(
                    "not-ours",
                    "the files said all of this before, so unapply will leave it there",
                    "take it out by hand, or from a backup, if it comes from an earlier installation",
                )
            )
        warnings += self._hidden_notices()
        result = Result("apply", profile.name, self.scope.name, outcome.targets, tuple(warnings))
        return _with_restart_notice(result)

    def plan_unapply(self) -> Plan:
        """What :meth:`unapply` would do. Nothing is written."""
        applied = self.applied()
        targets = tuple(plan_targets(self._unapply_intent(), state=self.places.state))
        return Plan("unapply", applied.profile if applied else None, self.scope.name, targets, ())

    def unapply(self) -> Result:
        """Take the profile out again; what was there before comes back, what others wrote since stays.

        Raises:
            ProfilesError: See :mod:`kimi_profiles.errors`.
        """
        if not self.places.state.is_dir():
            return Result("unapply", None, self.scope.name, (), ())
        outcome = run_transaction(self._unapply_intent(), state=self.places.state, timeout_s=self.timeout_s)
        name = outcome.earlier.profile if outcome.earlier else None
        return _with_restart_notice(Result("unapply", name, self.scope.name, outcome.targets, ()))

    def backups(self) -> list[Backup]:
        """All copies of files that are kept: files by path, of each file the first, pristine one first.

        A ledger that cannot be read is no reason to hide them; which of them unapply needs is not known then.
        """
        needed: set[str] = set()
        with contextlib.suppress(LedgerInvalidError):
            needed = needed_backups(read_ledger(self._ledger))
        return list_backups(self.places.state / "backups", needed=needed)

    def plan_restore(self, backup: str) -> Plan:
        """What :meth:`restore` would do. Nothing is written. Argument and errors as there."""
        intent = self._restore_intent(backup)
        targets = tuple(plan_targets(intent, state=self.places.state))
        known = read_ledger(self._ledger).applications.get(str(intent.holder))
        return Plan("restore", known.profile if known else None, self.scope.name, targets, ())

    def restore(self, backup: str) -> Result:
        """Put a copy back in the place of its file, to the byte, after the profile was taken out.

        What the file held, without our part, is backed up before.

        Args:
            backup: ``pristine`` for the first copies of this scope's files, the ones from before the first
                ``apply``; or the :attr:`~kimi_profiles.backups.Backup.id` of one copy, or its path.

        Raises:
            NotFoundError: There is no such backup.
            UsageError: It means several.
            ProfilesError: See :mod:`kimi_profiles.errors`.
        """
        intent = self._restore_intent(backup)
        outcome = run_transaction(intent, state=self.places.state, timeout_s=self.timeout_s)
        name = outcome.earlier.profile if outcome.earlier else None
        return _with_restart_notice(Result("restore", name, self.scope.name, outcome.targets, ()))

    def prune_backups(self, *, kept: int = KEPT) -> list[Backup]:
        """Forget old copies; of each file the first, the newest ``kept`` and what unapply needs stay.

        Returns:
            What was forgotten.
        """
        return forget_backups(self.places.state, kept=kept, timeout_s=self.timeout_s)

    def applied(self) -> Application | None:
        """What is on record as applied; the files are not looked at."""
        return read_ledger(self._ledger).applications.get(str(self.scope.settings))

    def status(self, *, profile: Profile | Callable[[str], Profile | None] | None = None) -> Status:
        """What is applied. Nothing is written.

        Args:
            profile: The applied profile as it is declared now, to see whether that changed since; or how to
                find it by its name.
        """
        ledger = read_ledger(self._ledger)
        applied = ledger.applications.get(str(self.scope.settings))
        if callable(profile):
            profile = profile(applied.profile) if applied else None
        is_meant = applied is not None and profile is not None and applied.profile == profile.name
        warnings = []
        if applied is not None and profile is not None and applied.declared != profile.digest:
            warnings.append(
                Notice(
                    "profile-changed",
                    f"profile {profile.name} is declared differently than when it was applied",
                    f"kimi-profiles apply {profile.name}",
                )
            )

        def wanted(path: Path) -> Sequence[Change]:
            return self._wanted(profile, path) if is_meant and profile is not None else ()

        return read_status(self.scope, ledger, wanted=wanted, warnings=warnings)

    def survey(self, *, flag_settings: Path | None = None) -> Survey:
        """What a plain ``claude -p`` in the project, with this environment, would send, and why.

        Nothing is written and nothing is run, but for ``claude --version`` where the version of the installed
        Claude Code cannot be told otherwise.

        Args:
            flag_settings: What if it were given ``--settings`` with this file.

        Raises:
            NotFoundError: There is no such file.
        """
        from kimi_profiles.client import find_client
        from kimi_profiles.survey import take_survey

        if flag_settings is not None and not flag_settings.exists():
            raise NotFoundError("there is no such file", path=flag_settings)
        return take_survey(
            self.places,
            project=self._project,
            flag_settings=flag_settings,
            env=self.env,
            client=find_client(self.env),
        )

    def helper_command(self, profile: Profile) -> str | None:
        """The command line by which Claude Code gets the token of ``profile``; ``None`` without a helper.

        It is handed to a shell, in whatever folder it runs in.

        ``-P`` keeps Python from importing a ``kimi_profiles`` that a project put into that folder.

        Raises:
            UsageError: A path in it is not UTF-8.
        """
        if profile.delivery != "helper":
            return None
        command = [
            sys.executable,
            "-P",
            "-m",
            "kimi_profiles",
            "token",
            profile.name,
            "--for",
            profile.base_url,
        ]
        if profile.source is not None and Path(profile.source) != self.places.store:
            command += ["--store", profile.source]
        if not self.is_own_home:
            command += ["--home", str(self.places.home)]
        return helper_line(profile, command)

    def state_text(self) -> str:
        """What ``.claude.json`` holds now; empty where it is not there, or not to be read."""
        return _data_or_empty(self.places.claude_json).decode("utf-8", "replace")

    @property
    def _project(self) -> Path:
        return real_folder(self.root or Path())

    @property
    def _ledger(self) -> Path:
        return self.places.state / "ledger.json"

    def _wanted(self, profile: Profile, path: Path) -> Sequence[Change]:
        """What ``profile`` wants in a file, as far as that can be told without its token."""
        stand_in = Secret("no-token-is-needed-for-this")
        if path == self.scope.settings:
            surroundings = Surroundings(self._supplied(), self.helper_command(profile))
            text = _data_or_empty(path)
            return settings_changes(profile, stand_in, record=Record(), text=text, surroundings=surroundings)
        return claude_json_changes(profile, stand_in)

    def _apply_intent(
        self,
        profile: Profile,
        *,
        token: str | None,
        allow_tracked: bool,
        keep_login: bool,
    ) -> tuple[Intent, list[Notice]]:
        secret = self._token(profile, token)
        if secret is not None:
            check_token(profile.base_url, secret)
        warnings = [
            *profile_notices(profile),
            *token_notices(profile, home=self.places.home),
            *self._helper_notices(profile),
            *self._login_notices(profile, keep_login=keep_login),
            *(environment_notices(self.env) if self.is_own_home else ()),
        ]
        surroundings = Surroundings(self._supplied(), self.helper_command(profile))

        def settings(record: Record, text: bytes | None) -> Sequence[Change]:
            return settings_changes(profile, secret, record=record, text=text, surroundings=surroundings)

        def claude_json(_: Record, __: bytes | None) -> Sequence[Change]:
            changes = claude_json_changes(profile, secret)
            return [change for change in changes if not (keep_login and change.pointer == "/primaryApiKey")]

        targets = [TargetIntent(self.scope.settings, settings, is_shared=self.scope.name == "project")]
        if self.scope.claude_json is not None:
            # Before the settings: a login has to be gone when the base URL changes, not a moment later.
            targets.insert(0, TargetIntent(self.scope.claude_json, claude_json, has_client_lock=True))
        application = Application(
            profile=profile.name,
            scope=self.scope.name,
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            declared=profile.digest,
            targets=tuple(str(target.path) for target in targets),
        )
        return Intent(self.scope.settings, application, tuple(targets), _taken_out, allow_tracked), warnings

    def _restore_intent(self, backup: str) -> Intent:
        found = find_backups(self.places.state, backup, self.scope)
        return restore_intent(found, self.scope, taken_out=_taken_out)

    def _unapply_intent(self) -> Intent:
        return Intent(self.scope.settings, None, (_taken_out(self.scope.settings),), _taken_out)

    def _token(self, profile: Profile, token: str | None) -> Secret | None:
        if profile.delivery == "helper":
            if token is not None:
                raise UsageError(
                    f"profile {profile.name} delivers its token by a helper, which cannot be handed one",
                    hint="leave the token out, or apply a profile with inline delivery",
                )
            if profile.token is None:
                raise TokenUnavailableError(
                    f"profile {profile.name} does not say where its token is",
                    hint='set auth.token, for example to { env = "MY_API_KEY" }',
                )
            return None
        if token is not None:
            return Secret(token.strip())
        return read_token(profile, env=self.env, home=self.places.home)

    def _helper_notices(self, profile: Profile) -> list[Notice]:
        """With a helper the token is only needed later; still, say it now if it is not there or cannot fit.

        Commands and keyrings are left alone: they may ask the user for something.
        """
        if profile.delivery != "helper" or profile.token is None or profile.token.kind not in {"env", "file"}:
            return []
        try:
            token = read_token(profile, env=self.env, home=self.places.home)
        except TokenUnavailableError as error:
            return [Notice("token-unavailable", f"the helper has no token to give yet: {error}", error.hint)]
        check_token(profile.base_url, token)
        return []

    def _supplied(self) -> frozenset[str]:
        names = supplied_by_env(self.env) if self.is_own_home else frozenset()
        if self.scope.name != "user":
            # Weaker settings may change at any time, by another apply among others.
            names |= MASKABLE
        for path in (*self.scope.lower, self.places.claude_json):
            names |= supplied_by_settings(_data_or_empty(path))
        return names

    def _login_notices(self, profile: Profile, *, keep_login: bool) -> list[Notice]:
        is_kept = keep_login or not profile.detach_login or self.scope.claude_json is None
        if not is_kept or not has_login(_data_or_empty(self.places.claude_json)):
            return []
        message = f"{self.places.claude_json} holds a Console login, whose key goes to {profile.base_url} too"
        return [
            Notice("login-key-sent", message, "log out with /logout, or let the profile detach the login")
        ]

    def _hidden_notices(self) -> list[Notice]:
        """What was applied, and has no effect in this project because a stronger layer says otherwise."""
        from kimi_profiles.survey import find_hidden

        with contextlib.suppress(ProfilesError, OSError):  # all is written; this is only told if it can be
            hidden = find_hidden(self.places, project=self._project, settings=self.scope.settings)
            elsewhere = read_ledger(self._ledger).applications.values() if hidden else ()
            return [
                Notice(
                    "hidden",
                    f"{name} has no effect here: {winner.name} settings say otherwise, "
                    f"in {winner.path}:{winner.line(name) or 1}",
                    how_to_undo(name, winner, elsewhere),
                )
                for name, winner in hidden
            ]
        return []


# Claude Code takes a lock for these, and for none of its other files.
_CLIENT_LOCKED = {".claude.json", ".config.json"}


def _taken_out(path: Path) -> TargetIntent:
    """Nothing more is wanted of this file."""
    return TargetIntent(path, lambda _, __: (), has_client_lock=path.name in _CLIENT_LOCKED)


def _with_restart_notice(result: Result) -> Result:
    if not result.changed:
        return result
    notice = Notice(
        "session-restart",
        "sessions of Claude Code that are running keep some of the old values",
        "restart them",
    )
    return Result(result.command, result.profile, result.scope, result.targets, (*result.warnings, notice))


def _data_or_empty(path: Path) -> bytes:
    """For files that are only looked at: one that cannot be read supplies nothing."""
    try:
        return read_file(path) or b""
    except NotPermittedError:
        return b""
