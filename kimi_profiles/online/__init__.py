"""One small request to an endpoint that speaks Anthropic's Messages API, and its answer explained.

Promised: at most one request asks a model for anything, and it is never repeated. The credential goes to the
host of the URL alone: redirects are not followed, certificates are verified, http is for this machine only.
Neither an answer nor an exception holds a credential, not even if the server sends it back. All is over at
the deadline, whatever the server does.

Not promised: that an endpoint which answers this answers Claude Code, whose requests are larger; client
certificates (``CLAUDE_CODE_CLIENT_CERT``); a server that sends a credential back in disguise.

``proxy`` says where to and which way, ``wire`` connects, ``exchange`` sends one request over that and reads
the reply, ``answer`` explains it, ``balance`` asks for an account. Importing this loads nothing that talks.
"""

from __future__ import annotations

import json
import time

from kimi_profiles.online.answer import Answer, explain
from kimi_profiles.online.balance import Balance, ask_balance
from kimi_profiles.online.proxy import NoReplyError, proxy_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Balance", "ask", "ask_balance", "proxy_for"]


def ask(
    url: str, *, headers: Mapping[str, str], model: str, timeout_s: float, env: Mapping[str, str]
) -> Answer:
    """Ask ``model`` for one token, once.

    Args:
        url: Of the Messages API, with its ``/v1/messages``.
        headers: What Claude Code would send of its own: ``authorization``, ``x-api-key``, custom headers.
        model: As the body is to name it.
        timeout_s: Seconds for everything: name, proxy, TLS, request and answer.
        env: The environment that Claude Code would see: proxies, ``NODE_EXTRA_CA_CERTS``, ``SSL_CERT_FILE``.

    Returns:
        What came back; every failure is an answer too.
    """
    from kimi_profiles.online.exchange import exchange

    started = time.monotonic()
    given = {name.lower(): value for name, value in headers.items()}
    sent = {"anthropic-version": "2023-06-01", "content-type": "application/json"} | given
    body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    try:
        reply = exchange("POST", url, sent, json.dumps(body).encode(), deadline=started + timeout_s, env=env)
    except NoReplyError as why:
        return Answer(None, why.name, str(why), why.remedy, time.monotonic() - started)
    return explain(reply, url, given, model, seconds=time.monotonic() - started)
