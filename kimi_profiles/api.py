"""The library's front door: one scope of one Claude Code installation."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kimi_profiles.errors import LedgerInvalidError, NotFoundError, Notice
from kimi_profiles.ledger import Application, ledger_file, needed_backups, read_ledger
from kimi_profiles.paths import find_places, find_scope
from kimi_profiles.route import real_folder
from kimi_profiles.status import Status, read_status
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kimi_profiles.backups import Backup
    from kimi_profiles.change import Change
    from kimi_profiles.known import KnownFiles
    from kimi_profiles.ledger import Record
    from kimi_profiles.paths import Places, Scope
    from kimi_profiles.profile import Profile
    from kimi_profiles.survey import Survey
    from kimi_profiles.targets import Intent, TargetPlan
    from kimi_profiles.transaction import Outcome, TargetResult

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
        from kimi_profiles.intents import apply_intent

        intent, warnings = apply_intent(
            self, profile, token=token, allow_tracked=allow_tracked, keep_login=keep_login
        )
        targets = self._planned(intent)
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
        from kimi_profiles.intents import apply_intent, hidden_notices

        intent, warnings = apply_intent(
            self, profile, token=token, allow_tracked=allow_tracked, keep_login=keep_login
        )
        outcome = self._carried_out(intent)
        if not self._holds(outcome, lambda plan: plan.record):
            warnings.append(_not_ours("so unapply will leave it there"))
        warnings += hidden_notices(self)
        result = Result("apply", profile.name, self.scope.name, outcome.targets, tuple(warnings))
        return _with_restart_notice(result)

    def plan_unapply(self) -> Plan:
        """What :meth:`unapply` would do. Nothing is written."""
        from kimi_profiles.intents import unapply_intent

        applied = self.applied()
        targets = self._planned(unapply_intent(self))
        return Plan("unapply", applied.profile if applied else None, self.scope.name, targets, ())

    def unapply(self) -> Result:
        """Take the profile out again; what was there before comes back, what others wrote since stays.

        Raises:
            ProfilesError: See :mod:`kimi_profiles.errors`.
        """
        if not self.places.state.is_dir():
            return Result("unapply", None, self.scope.name, (), ())
        from kimi_profiles.intents import unapply_intent

        outcome = self._carried_out(unapply_intent(self))
        name = outcome.earlier.profile if outcome.earlier else None
        is_left = name is not None and not self._holds(outcome, lambda plan: plan.earlier)
        warnings = (_not_ours("and say it still, as far as nobody changed it"),) if is_left else ()
        return _with_restart_notice(Result("unapply", name, self.scope.name, outcome.targets, warnings))

    def backups(self) -> list[Backup]:
        """All copies of files that are kept: files by path, of each file the first, pristine one first.

        A ledger that cannot be read is no reason to hide them; which of them unapply needs is not known then.
        """
        from kimi_profiles.backups import list_backups

        needed: set[str] = set()
        with contextlib.suppress(LedgerInvalidError):
            needed = needed_backups(read_ledger(self._ledger))
        return list_backups(self.places.state / "backups", needed=needed)

    def plan_restore(self, backup: str) -> Plan:
        """What :meth:`restore` would do. Nothing is written. Argument and errors as there."""
        from kimi_profiles.intents import restore_intent

        intent = restore_intent(self, backup)
        targets = self._planned(intent)
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
        from kimi_profiles.intents import restore_intent

        intent = restore_intent(self, backup)
        outcome = self._carried_out(intent)
        name = outcome.earlier.profile if outcome.earlier else None
        return _with_restart_notice(Result("restore", name, self.scope.name, outcome.targets, ()))

    def prune_backups(self, *, kept: int | None = None) -> list[Backup]:
        """Forget old copies; of each file the first, the newest ``kept`` and what unapply needs stay.

        Args:
            kept: How many; as many as ``apply`` leaves, 10, if left out.

        Returns:
            What was forgotten.
        """
        from kimi_profiles.restore import forget_backups

        return forget_backups(self.places.state, kept=kept, timeout_s=self.timeout_s)

    def applied(self) -> Application | None:
        """What is on record as applied; the files are not looked at."""
        return read_ledger(self._ledger).applications.get(str(self.scope.settings))

    def status(self, *, profile: Profile | Callable[[str], Profile | None] | None = None) -> Status:
        """What is applied. Nothing is written but to the cache.

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
            if not is_meant or profile is None:
                return ()
            from kimi_profiles.intents import wanted_changes

            return wanted_changes(self, profile, path)

        return read_status(self.scope, ledger, wanted=wanted, warnings=warnings, known=self._known)

    def survey(self, *, flag_settings: Path | None = None, with_texts: bool = False) -> Survey:
        """What a plain ``claude -p`` in the project, with this environment, would send, and why.

        Nothing is written but to the cache, and nothing is run but ``claude --version``, where the version of
        the installed Claude Code cannot be told otherwise.

        Args:
            flag_settings: What if it were given ``--settings`` with this file.
            with_texts: Whether to read large files although it is known that nothing of them counts: their
                layers then have a text.

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
            known=None if with_texts else self._known,
        )

    def helper_command(self, profile: Profile) -> str | None:
        """The command line by which Claude Code gets the token of ``profile``; ``None`` without a helper.

        It is handed to a shell, in whatever folder it runs in.

        ``-P`` keeps Python from importing a ``kimi_profiles`` that a project put into that folder.

        Raises:
            UsageError: A path in it is not UTF-8.
        """
        from kimi_profiles.intents import helper_command

        return helper_command(self, profile)

    def state_text(self) -> str:
        """What ``.claude.json`` holds now; empty where it is not there, or not to be read."""
        from kimi_profiles.intents import data_or_empty

        return data_or_empty(self.places.claude_json).decode("utf-8", "replace")

    def _planned(self, intent: Intent) -> tuple[TargetPlan, ...]:
        from kimi_profiles.targets import plan_targets

        return tuple(plan_targets(intent, state=self.places.state))

    def _carried_out(self, intent: Intent) -> Outcome:
        from kimi_profiles.transaction import run_transaction

        return run_transaction(intent, state=self.places.state, timeout_s=self.timeout_s)

    def _holds(self, outcome: Outcome, record: Callable[[TargetPlan], Record]) -> bool:
        """Whether anything in the settings was put there by this scope, by one of the records of a plan."""
        settings = self.scope.settings
        plans = (target.plan for target in outcome.targets if target.plan.path == settings)
        return any(record(plan).is_held_by(str(settings)) for plan in plans)

    @property
    def _project(self) -> Path:
        return real_folder(self.root or Path())

    @property
    def _known(self) -> KnownFiles:
        from kimi_profiles.known import KnownFiles

        return KnownFiles(self.places.cache)

    @property
    def _ledger(self) -> Path:
        return ledger_file(self.places.state)


def _not_ours(consequence: str) -> Notice:
    return Notice(
        "not-ours",
        f"the settings said all of this before, {consequence}",
        "take it out by hand or from a backup, if it comes from an earlier installation, or the folder was "
        "moved",
    )


def _with_restart_notice(result: Result) -> Result:
    if not result.changed:
        return result
    notice = Notice(
        "session-restart",
        "sessions of Claude Code that are running keep some of the old values",
        "restart them",
    )
    return Result(result.command, result.profile, result.scope, result.targets, (*result.warnings, notice))
