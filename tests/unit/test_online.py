"""One request and its answer: asked of servers on loopback, many of them broken or hostile.

No name is looked up outside this machine: ``names`` stands in for the resolver and knows what it was told.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import amount
from unit.online_server import Authority, Proxy, Server, make_authority, reply

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.online import Answer, Balance, ask, ask_balance, proxy_for
from kimi_profiles.online.exchange import exchange
from kimi_profiles.online.proxy import NoReplyError
from kimi_profiles.online.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CANARY = "sk-canary-Zq9Xw7Vb5Nm3Kj1Hg8Fd6Sa4"
# Of a key that is shown in part, neither end may be long enough to be of use.
TRACES = (CANARY[3:], CANARY[4:18], CANARY[-14:-2])
BEARER = {"authorization": f"Bearer {CANARY}"}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "h"}]}
FINE = reply(200, MESSAGE)
MOONSHOT_CN = "https://api.moonshot.cn/anthropic/v1/messages"
MOONSHOT = "https://api.moonshot.ai/anthropic/v1/messages"
NAMES = (
    "api.moonshot.cn",
    "api.moonshot.ai",
    "api.kimi.com",
    "api.kimi.ai",
    "api.deepseek.com",
    "api.siliconflow.com",
    "api.novita.ai",
    "openrouter.ai",
    "api.anthropic.com",
    "gateway.example",
    "proxy.example",
    "localhost",
)
PATIENCE_S = 5.0  # of tests in which time does not run out
SHORT_S = 0.4


def holds_canary(text: str) -> bool:
    return any(trace.lower() in text.lower() for trace in TRACES)


def test_the_search_for_the_canary_finds_it() -> None:
    assert holds_canary(f"x {CANARY} y")
    assert holds_canary(CANARY[2:20].upper())
    assert not holds_canary("sk-c…, sk-…Sa4")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, int]]]:
    """Which names there are, and at which addresses; the port that is asked for does not matter."""
    known: dict[str, list[tuple[str, int]]] = {}

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        places = [(host, port)] if host == "127.0.0.1" else known.get(host)
        if places is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    return known


@pytest.fixture(autouse=True)
def nothing_leaks(
    names: object, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """No test leaves the canary in a log or on a stream."""
    with caplog.at_level(logging.DEBUG):
        yield
    streams = capfd.readouterr()
    assert not holds_canary(caplog.text + streams.out + streams.err)


@pytest.fixture
def serve(names: object) -> Iterator[Callable[..., Server]]:
    """Start servers that are stopped at the end."""
    started: list[Server] = []

    def start(script: bytes = FINE, tls: ssl.SSLContext | None = None) -> Server:
        started.append(Server(script, tls))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve_names(
    serve: Callable[..., Server], names: dict[str, list[tuple[str, int]]], authority: Authority
) -> Callable[..., Server]:
    """Start a TLS server that is all of ``NAMES``."""

    def start(script: bytes = FINE) -> Server:
        server = serve(script, authority.server(*NAMES))
        names.update({name: [("127.0.0.1", server.port)] for name in NAMES})
        return server

    return start


@pytest.fixture
def start_proxy(names: dict[str, list[tuple[str, int]]]) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy that leads to ``behind``; it is to be found at proxy.example."""
    started: list[Proxy] = []

    def start(behind: Server | None, script: bytes = b"tunnel", tls: ssl.SSLContext | None = None) -> Proxy:
        proxy = Proxy(script, tls)
        proxy.port_behind = behind.port if behind else 9
        started.append(proxy)
        names["proxy.example"] = [("127.0.0.1", proxy.port)]
        return proxy

    yield start
    for proxy in started:
        proxy.stop()


def asked(
    url: str,
    headers: Mapping[str, str] = BEARER,
    *,
    model: str = "kimi-k2.7-code",
    env: Mapping[str, str] | None = None,
    timeout_s: float = PATIENCE_S,
) -> Answer:
    """What ``ask`` says, after a look at what every answer has to be."""
    started = time.monotonic()
    answer = ask(url, headers=headers, model=model, timeout_s=timeout_s, env=env or {})
    assert 0 <= answer.seconds <= time.monotonic() - started
    assert time.monotonic() - started < max(timeout_s, 0) + 2
    text = f"{answer!r} {answer.message} {answer.remedy}"
    assert not holds_canary(text)
    assert answer.message.isprintable()
    assert len(answer.message) < 600
    assert answer.is_reachable == (answer.status is not None)
    return answer


def trusting(authority: Authority, **env: str) -> dict[str, str]:
    return {"NODE_EXTRA_CA_CERTS": authority.file, **env}


# ---- the request


def test_the_request_is_one_small_one(serve: Callable[..., Server]) -> None:
    server = serve()

    answer = asked(f"{server.url}?beta=true")

    assert (answer.status, answer.name, answer.remedy, answer.wait_s) == (200, "fine", None, None)
    (request,) = server.asked
    assert (request.method, request.target) == ("POST", "/anthropic/v1/messages?beta=true")
    assert request.document == {
        "model": "kimi-k2.7-code",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "anthropic-version": "2023-06-01",
        "authorization": f"Bearer {CANARY}",
        "connection": "close",
        "content-length": str(len(request.body)),
        "content-type": "application/json",
        "user-agent": "kimi-profiles",
    }


def test_the_scheme_s_own_port_is_not_in_the_host_header(
    serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names()

    asked(MOONSHOT_CN, env=trusting(authority))

    assert server.asked[0].headers["host"] == "api.moonshot.cn"


GIVEN: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "a key": ({"x-api-key": CANARY}, {"x-api-key": CANARY, "authorization": None}),
    "both": (
        {"Authorization": f"Bearer {CANARY}", "X-Api-Key": "sk-test-other"},
        {"authorization": f"Bearer {CANARY}", "x-api-key": "sk-test-other"},
    ),
    "an empty bearer": ({"authorization": "Bearer "}, {"authorization": "Bearer "}),
    "custom ones": ({"X-Org": "blue", "User-Agent": "own"}, {"x-org": "blue", "user-agent": "own"}),
    "its own version": ({"anthropic-version": "2024-01-01"}, {"anthropic-version": "2024-01-01"}),
    "what frames the message is ours": (
        {"Content-Length": "7", "Transfer-Encoding": "chunked", "Connection": "keep-alive", "Expect": "x"},
        {"transfer-encoding": None, "connection": "close", "expect": None},
    ),
    "Latin-1": ({"x-name": "M\xfcller"}, {"x-name": "M\xfcller"}),
    "none": ({}, {"authorization": None, "x-api-key": None}),
}


@pytest.mark.parametrize(("given", "arrives"), GIVEN.values(), ids=GIVEN)
def test_headers(given: dict[str, str], arrives: dict[str, str | None], serve: Callable[..., Server]) -> None:
    server = serve()

    assert asked(server.url, given).name == "fine"

    (request,) = server.asked
    assert {name: request.headers.get(name) for name in arrives} == arrives
    assert request.document["max_tokens"] == 1


BAD_HEADERS = {
    "a line end": {"authorization": f"Bearer {CANARY}\r\nX-Evil: 1"},
    "a lone line feed": {"x-api-key": f"{CANARY}\nX-Evil: 1"},
    "NUL": {"x-api-key": f"{CANARY}\x00"},
    "outside Latin-1": {"x-api-key": f"{CANARY}\u2026"},
    "a lone surrogate": {"x-api-key": f"{CANARY}\udc80"},
    "a blank in a name": {f"{CANARY} x": "1"},
    "a line end in a name": {f"x\r\n{CANARY}": "1"},
    "an empty name": {"": CANARY},
}


@pytest.mark.parametrize("given", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_header_that_cannot_be_sent_is_not_sent(
    given: dict[str, str], serve: Callable[..., Server]
) -> None:
    server = serve()

    answer = asked(server.url, given)

    assert (answer.status, answer.name) == (None, "header-invalid")
    assert server.connections == 0


# ---- what an answer means


def anthropic(kind: str, words: str = "so it is") -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}


def openai(kind: str | None, words: str = "so it is", code: object = None) -> dict[str, object]:
    return {"error": {"message": words, "type": kind, "param": None, "code": code}}


def minimax(code: int) -> dict[str, object]:
    return {"base_resp": {"status_code": code, "status_msg": "so it is"}}


LOW = "Your credit balance is too low to access the Anthropic API."
NO_MODEL = "Not found the model kimi-k9 or Permission denied"
SUSPENDED = "Your account is suspended, please check your plan and billing details"
MEMBERSHIP = "unable to verify your membership benefits"
REQUESTS = "Your account reached max request: 3, please try again after 1 seconds"
ANSWERS: dict[str, tuple[int, object, str]] = {
    "Anthropic, request": (400, anthropic("invalid_request_error"), "request-refused"),
    "Anthropic, balance": (400, anthropic("invalid_request_error", LOW), "balance-used-up"),
    "Anthropic, key": (401, anthropic("authentication_error", "invalid x-api-key"), "key-rejected"),
    "Anthropic, bill": (402, anthropic("billing_error"), "balance-used-up"),
    "Anthropic, permission": (403, anthropic("permission_error"), "not-permitted"),
    "Anthropic, path": (404, anthropic("not_found_error", "Not Found"), "path-unknown"),
    "Anthropic, model": (404, anthropic("not_found_error", "model: kimi-x"), "model-unknown"),
    "Anthropic, size": (413, anthropic("request_too_large"), "request-refused"),
    "Anthropic, rate": (429, anthropic("rate_limit_error"), "rate-limited"),
    "Anthropic, fault": (500, anthropic("api_error"), "endpoint-failed"),
    "Anthropic, time": (504, anthropic("timeout_error"), "endpoint-failed"),
    "Anthropic, load": (529, anthropic("overloaded_error"), "overloaded"),
    "Moonshot, key": (401, openai("invalid_authentication_error", "Invalid Authentication"), "key-rejected"),
    "Moonshot, no key": (401, openai("incorrect_api_key_error"), "key-rejected"),
    "Moonshot, permission": (403, openai("permission_denied_error"), "not-permitted"),
    "Moonshot, model": (404, openai("resource_not_found_error", NO_MODEL), "model-unknown"),
    "Moonshot, model, by type": (404, openai("resource_not_found_error"), "model-unknown"),
    "Moonshot, balance": (429, openai("exceeded_current_quota_error", SUSPENDED), "balance-used-up"),
    "Moonshot, rate": (429, openai("rate_limit_reached_error", REQUESTS), "rate-limited"),
    "Moonshot, load": (429, openai("engine_overloaded_error"), "overloaded"),
    "Kimi Code, key": (401, anthropic("authentication_error", "unauthenticated"), "key-rejected"),
    "Kimi Code, membership": (402, openai("x", MEMBERSHIP), "balance-used-up"),
    "Kimi Code, client": (403, openai("access_terminated_error"), "not-permitted"),
    "Kimi Code, cycle": (403, openai("x", "You've reached your usage limit for this"), "usage-limit-reached"),
    "Kimi Code, month": (429, openai("x", "You've reached kimi monthly usage limit"), "usage-limit-reached"),
    "DeepSeek, key": (401, openai("authentication_error", code="invalid_request_error"), "key-rejected"),
    "DeepSeek, balance": (402, openai("unknown_error", "Insufficient Balance"), "balance-used-up"),
    "DeepSeek, request": (422, openai("invalid_request_error"), "request-refused"),
    "DeepSeek, load": (503, openai("x", "Server Overloaded"), "overloaded"),
    "GLM, key": (401, openai("1000", "Authorization Failure"), "key-rejected"),
    "GLM, key, another status": (400, openai("1002"), "key-rejected"),
    "GLM, balance": (429, anthropic("1113"), "balance-used-up"),
    "GLM, balance, by code": (429, openai(None, code="1113"), "balance-used-up"),
    "GLM, balance, in Chinese": (429, openai(None, "余额不足或无可用资源包,请充值。"), "balance-used-up"),
    "GLM, rate": (429, openai(None, code="1302"), "rate-limited"),
    "GLM, model": (400, openai(None, code="1211"), "model-unknown"),
    "MiniMax, balance": (500, anthropic("api_error", "insufficient balance (1008)"), "balance-used-up"),
    "MiniMax, balance, its own style": (200, minimax(1008), "balance-used-up"),
    "MiniMax, key, its own style": (200, minimax(1004), "key-rejected"),
    "MiniMax, rate, its own style": (200, minimax(1002), "rate-limited"),
    "OpenRouter, balance": (402, openai(None, "requires more credits", 402), "balance-used-up"),
    "OpenRouter, balance, in words": (400, openai(None, "Insufficient credits. Add"), "balance-used-up"),
    "OpenRouter, fault": (502, openai(None, "Provider returned error", 502), "endpoint-failed"),
    "DashScope, key": (400, {"code": "InvalidApiKey", "message": "so it is"}, "key-rejected"),
    "DashScope, balance": (400, {"code": "Arrearage", "message": "so it is"}, "balance-used-up"),
    "DashScope, model": (400, {"code": "ModelNotFound", "message": "so it is"}, "model-unknown"),
    "an error that is a text": (404, {"error": "model 'x' not found"}, "model-unknown"),
    "an error with 200": (200, openai("llm_call_failed"), "not-anthropic"),
    "a known error with 200": (200, anthropic("authentication_error"), "key-rejected"),
    "a chat completion": (200, {"object": "chat.completion", "choices": []}, "not-anthropic"),
    "an empty object": (200, {}, "not-anthropic"),
    "a list": (200, [1], "not-anthropic"),
    "nothing": (204, None, "not-anthropic"),
    "no words": (500, None, "endpoint-failed"),
    "odd types": (401, {"error": {"type": ["x"], "code": {}, "message": ["x"]}}, "key-rejected"),
    "odder types": (429, {"error": [], "base_resp": 3, "message": None}, "rate-limited"),
    "401, a new type": (401, openai("something_new"), "key-rejected"),
    "403, a new type": (403, openai("something_new"), "not-permitted"),
    "404, a new type": (404, openai("something_new"), "path-unknown"),
    "405": (405, {"detail": "Method Not Allowed"}, "path-unknown"),
    "418": (418, {"error": "teapot"}, "request-refused"),
    "599": (599, None, "endpoint-failed"),
}


@pytest.mark.parametrize(("status", "document", "name"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer(status: int, document: Any, name: str, serve: Callable[..., Server]) -> None:
    server = serve(reply(status, document))

    answer = asked(server.url)

    assert (answer.status, answer.name) == (status, name)
    assert answer.is_reachable
    assert f"(HTTP {status})" in answer.message
    words = re.search(r'"(?:message|status_msg|error)": "([^"]*)"', json.dumps(document, ensure_ascii=False))
    assert answer.message.endswith(f': "{words[1]}"' if words else ")")
    assert (len(server.asked), server.connections) == (1, 1)


# ---- what the catalogue adds


class About(NamedTuple):
    """An error at ``url``; what the answer says about it, and what to do."""

    url: str
    status: int
    says: str
    remedy: str
    key: str = CANARY
    document: object = None


MEMBER_KEY = "sk-kimi-" + CANARY[3:]
GATEWAY = "https://gateway.example/v1/messages"
DEEPSEEK = "https://api.deepseek.com/anthropic/v1/messages"
ABOUT: dict[str, About] = {
    "a key may be the other region's": About(
        MOONSHOT,
        401,
        "(HTTP 401); a key made for api.moonshot.cn is not accepted here, nor the other way round",
        "if this one was made for api.moonshot.cn, use the provider moonshot-cn; "  # noqa: ISC003
        + "else make a new key at platform.kimi.ai",
    ),
    "the other way round": About(
        MOONSHOT_CN,
        401,
        "a key made for api.moonshot.ai",
        "use the provider moonshot-intl; else make a new key at platform.kimi.com",
    ),
    "a key of a membership": About(
        MOONSHOT_CN,
        401,
        "it begins with sk-kimi- and is one of kimi-code-com or kimi-code-ai",
        "make a new key at platform.kimi.com",
        MEMBER_KEY,
    ),
    "a membership in the other region": About(
        "https://api.kimi.ai/coding/v1/messages",
        401,
        "a key made for api.kimi.com",
        "use the provider kimi-code-com; else make a new key",
        MEMBER_KEY,
    ),
    "one region only": About(
        DEEPSEEK, 401, "rejected the key (HTTP 401)", "a new key at platform.deepseek.com"
    ),
    "a key at a gateway": About(GATEWAY, 401, "rejected the key (HTTP 401)", "check the key", MEMBER_KEY),
    "no key": About(MOONSHOT_CN, 401, "rejected the key (HTTP 401), for none was sent", "auth.token", ""),
    "no money": About(MOONSHOT_CN, 402, "used up", "see platform.kimi.com"),
    "no money at a gateway": About(GATEWAY, 402, "used up", "pay in at the provider"),
    "another path of a known host": About(
        "https://api.moonshot.cn/v1/messages",
        404,
        "no Messages API at this path",
        "let ANTHROPIC_BASE_URL be https://api.moonshot.cn/anthropic",
    ),
    "a path below a known one": About(
        "https://api.moonshot.cn/anthropic/v1/v1/messages",
        404,
        "no Messages API at this path",
        "Claude Code adds /v1/messages",
    ),
}


@pytest.mark.parametrize("about", ABOUT.values(), ids=ABOUT)
def test_what_the_catalogue_adds(
    about: About, serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names(reply(about.status, about.document))

    headers = {"authorization": f"Bearer {about.key}"} if about.key else {}
    answer = asked(about.url, headers, env=trusting(authority))

    assert answer.status == about.status
    assert about.says in answer.message
    assert about.remedy in str(answer.remedy)
    assert len(server.asked) == 1


MODELS = {
    "retired": ("kimi-k2-0711-preview", "use kimi-k2.7-code"),
    "unknown": ("kimi-k9", "use kimi-k2.7-code"),
    "the one that the provider names": ("kimi-k2.7-code", "check the name of the model"),
}


@pytest.mark.parametrize(("model", "remedy"), MODELS.values(), ids=MODELS)
def test_what_to_do_about_a_model(
    model: str, remedy: str, serve_names: Callable[..., Server], authority: Authority
) -> None:
    serve_names(reply(404, openai("resource_not_found_error", "x")))

    answer = asked(MOONSHOT_CN, model=model, env=trusting(authority))

    assert f"the model {model} " in answer.message
    assert answer.remedy == remedy


# ---- waiting

WAITS: dict[str, tuple[dict[str, str], float | None, str]] = {
    "seconds": ({"retry_after": "20"}, 20, "try again in 20 s"),
    "a part of a second": ({"retry_after": "0.5"}, 0.5, "try again in 1 s"),
    "minutes": ({"retry_after": "300"}, 300, "try again in 5 min"),
    "hours": ({"retry_after": "18000"}, 18000, "try again in 5 h"),
    "days": ({"retry_after": "500000"}, 500000, "try again in 6 days"),
    "milliseconds": ({"retry_after_ms": "2500"}, 2.5, "try again in 3 s"),
    "milliseconds before seconds": ({"retry_after": "9", "retry_after_ms": "2000"}, 2, "try again in 2 s"),
    "blanks": ({"retry_after": "  7  "}, 7, "try again in 7 s"),
    "none": ({}, None, "try again later"),
    "empty": ({"retry_after": ""}, None, "try again later"),
    "at once": ({"retry_after": "0"}, 0, "try again in 0 s"),
    "below zero": ({"retry_after": "-5"}, 0, "try again in 0 s"),
    "a year": ({"retry_after": "31536000"}, 31 * 86400, "try again in 31 days"),
    "digits without end": ({"retry_after": "9" * 400}, None, "try again later"),
    "infinity": ({"retry_after": "inf"}, None, "try again later"),
    "not a number": ({"retry_after": "nan"}, None, "try again later"),
    "an exponent": ({"retry_after": "1e3"}, None, "try again later"),
    "words": ({"retry_after": "soon"}, None, "try again later"),
    "no digits that count": ({"retry_after": "\xb2\xb3"}, None, "try again later"),
    "a date long past": ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, "try again in 0 s"),
    "a date without end": ({"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 31 * 86400, "31 days"),
    "no date": ({"retry_after": "Wed, 99 Foo 2015 07:28:00 GMT"}, None, "try again later"),
    "a year that is none": ({"retry_after": "Wed, 21 Oct 999999 07:28:00 GMT"}, None, "try again later"),
}


@pytest.mark.parametrize(("headers", "wait_s", "remedy"), WAITS.values(), ids=WAITS)
def test_the_wait_that_is_named(
    headers: dict[str, str], wait_s: float | None, remedy: str, serve: Callable[..., Server]
) -> None:
    server = serve(reply(429, anthropic("rate_limit_error", "x"), **headers))

    answer = asked(server.url)

    assert (answer.name, answer.wait_s) == ("rate-limited", wait_s)
    assert answer.remedy is not None
    assert remedy in answer.remedy


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0200"])
def test_a_wait_until_a_date(zone: str, serve: Callable[..., Server]) -> None:
    until = datetime.now(UTC) + timedelta(seconds=90, hours=2 if zone == "+0200" else 0)
    date = format_datetime(until).replace("+0000", zone)

    answer = asked(serve(reply(503, None, retry_after=date)).url)

    assert answer.wait_s is not None
    assert 80 < answer.wait_s <= 90
    assert answer.remedy in {f"try again in {seconds} s" for seconds in range(80, 91)}


def test_a_wait_is_no_remedy_where_waiting_does_not_help(serve: Callable[..., Server]) -> None:
    answer = asked(serve(reply(401, None, retry_after="20")).url)

    assert (answer.wait_s, answer.remedy) == (20, "check the key")


# ---- redirects

REDIRECTS = {
    "to another server": "http://127.0.0.1:{port}/elsewhere",
    "to another name": "https://evil.example/{port}",
    "with a user in it": "https://user:secret@evil.example/path?{port}",
    "to a path": "/anthropic/v1/other",
    "to the same": "",
    "to no URL": "https://[::1/{port}",
    "to another protocol": "file:///etc/passwd",
    "with control characters": "https://\x1b]0;evil\x07.example/",
    "with the key": f"https://{CANARY}.example/{CANARY}",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", REDIRECTS.values(), ids=REDIRECTS)
def test_a_redirect_is_not_followed(location: str, status: int, serve: Callable[..., Server]) -> None:
    second = serve()
    first = serve(reply(status, MESSAGE, location=location.format(port=second.port)))

    answer = asked(first.url)

    assert (answer.status, answer.name) == (status, "redirected")
    assert (len(first.asked), first.connections, second.connections) == (1, 1, 0)
    assert "secret" not in answer.message
    assert "passwd" not in answer.message


def test_a_redirect_names_the_host_and_no_more(serve: Callable[..., Server]) -> None:
    server = serve(reply(302, None, location="https://user:secret@login.example:8443/path?query=1"))

    assert "redirects to login.example (HTTP 302); not followed" in asked(server.url).message


# ---- what the server says is not trusted

ECHOES: dict[str, Callable[[str], bytes]] = {
    "in the words": lambda key: reply(401, anthropic("authentication_error", f"no such key: {key}.")),
    "in the words, quoted": lambda key: reply(401, openai("x", f"no such key: '{key}' \"{key}\"")),
    "with its scheme": lambda key: reply(401, anthropic("x", f"authorization: Bearer {key}")),
    "in capitals": lambda key: reply(401, anthropic("x", f"KEY {key.upper()}")),
    "in small letters": lambda key: reply(401, anthropic("x", f"key {key.lower()}")),
    "cut short": lambda key: reply(401, anthropic("x", f"key {key[:24]}")),
    "only its end": lambda key: reply(401, anthropic("x", f"key ...{key[8:]}")),
    "with something joined to it": lambda key: reply(401, anthropic("x", f"key={key}&x=prefix{key}suffix")),
    "many times": lambda key: reply(401, anthropic("x", f"{key} " * 500)),
    "across what is quoted": lambda key: reply(401, anthropic("x", "." * 180 + key)),
    "across what is examined": lambda key: reply(401, anthropic("x", f"{key} " * 27 + "." * 30 + key)),
    "as the type": lambda key: reply(401, anthropic(key, key)),
    "as the code": lambda key: reply(401, openai(key, "x", key)),
    "as the whole error": lambda key: reply(400, {"error": key}),
    "with JSON escapes": lambda key: reply(
        401, body=b'{"error":{"message":"%s"}}' % "".join(f"\\u{ord(c):04x}" for c in key).encode()
    ),
    "in another field": lambda key: reply(401, {"error": {"message": "no"}, "key": key}),
    "in MiniMax's style": lambda key: reply(200, {"base_resp": {"status_code": 1004, "status_msg": key}}),
    "as plain text": lambda key: reply(500, body=key.encode()),
    "in a header": lambda key: reply(429, None, retry_after=key, x_echo=key, content_encoding=key),
    "in the status line": lambda key: f"HTTP/1.1 401 {key}\r\n\r\n".encode(),
    "instead of a status line": lambda key: f"{key}\r\n\r\n".encode(),
    "as a status": lambda key: f"HTTP/1.1 {key} x\r\n\r\n".encode(),
    "as a protocol": lambda key: f"HTTP/{key} 200 x\r\n\r\n".encode(),
    "as the length of a chunk": lambda key: (
        f"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n{key}\r\n".encode()
    ),
    "in a good answer": lambda key: reply(200, {**MESSAGE, "content": [{"type": "text", "text": key}]}),
}


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-custom", "cookie"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_what_was_sent_is_not_shown_when_it_comes_back(
    echo: Callable[[str], bytes], header: str, serve: Callable[..., Server]
) -> None:
    value = f"Bearer {CANARY}" if header == "authorization" else CANARY
    server = serve(echo(CANARY))

    asked(server.url, {header: value})  # looks for it

    assert server.asked[0].headers[header] == value
    assert len(server.asked) == 1


def test_a_key_that_does_not_look_like_one_is_not_shown_either(serve: Callable[..., Server]) -> None:
    server = serve(reply(401, anthropic("x", "no: horse-battery and staple77; hors")))

    message = asked(server.url, {"authorization": "Bearer horse-battery", "x-api-key": "staple77"}).message

    assert "battery" not in message
    assert "staple" not in message
    assert message.endswith('"no: … and …; hors"')


def test_a_key_of_somebody_else_s_is_not_shown_either(serve: Callable[..., Server]) -> None:
    server = serve(reply(401, anthropic("x", f"you mean {CANARY}?")))

    assert "you mean …?" in asked(server.url, {}).message


def test_the_model_is_shown_without_the_key(serve: Callable[..., Server]) -> None:
    server = serve(reply(404, anthropic("not_found_error", "model")))

    assert "the model … to" in asked(server.url, model=CANARY).message


HOSTILE = {
    "colours": "\x1b[31mred",
    "a title": "\x1b]0;owned\x07",
    "an 8-bit command": "\x9b31m",
    "lines": "one\r\ntwo\nthree\x0bfour",
    "backspaces": "abc\x08\x08\x08xyz",
    "turned": "\u202egnp.exe\u2066",
    "hidden": "a\u200bb\ufeffc\xad",
    "a lone surrogate": "\ud800",
    "separators": "\u2028\u2029",
    "private": "\ue000\U000f0000",
    "NUL": "\x00",
    "long": "x" * 50_000,
    "braces": "{model} {0} %s %(x)s",
}


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_what_is_quoted_is_harmless_and_short(words: str, serve: Callable[..., Server]) -> None:
    server = serve(reply(400, anthropic("invalid_request_error", words)))

    answer = asked(server.url)  # looks for what cannot be printed

    assert answer.name == "request-refused"
    before, _, quote = answer.message.partition(': "')
    assert before == "127.0.0.1 refused the request (HTTP 400)"
    assert 0 < len(quote) <= 201


def test_the_model_is_harmless_too(serve: Callable[..., Server]) -> None:
    server = serve(reply(404, anthropic("not_found_error", "model")))

    assert "\\x1b[31m{host}" in asked(server.url, model="\x1b[31m{host}").message


# ---- bodies


def chunked(body: bytes, size: int = 7, *, end: bytes = b"0\r\n\r\n") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


GOOD = json.dumps(MESSAGE).encode()
BODIES: dict[str, tuple[bytes, str]] = {
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, "fine"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, "fine"),
    "chunked": (chunked(GOOD), "fine"),
    "chunked, with a trailer": (chunked(GOOD, end=b"0\r\nx-trailer: 1\r\n\r\n"), "fine"),
    "after 100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + FINE, "fine"),
    "with a byte order mark": (reply(200, body=b"\xef\xbb\xbf" + GOOD), "fine"),
    "packed unasked": (reply(200, body=gzip.compress(GOOD), content_encoding="gzip"), "fine"),
    "packed and cut": (reply(200, body=gzip.compress(GOOD)[:40], content_encoding="gzip"), "not-anthropic"),
    "said to be packed": (reply(200, body=GOOD, content_encoding="gzip"), "not-anthropic"),
    "a bomb": (
        reply(200, body=gzip.compress(b" " * 5_000_000 + GOOD), content_encoding="gzip"),
        "not-anthropic",
    ),
    "packed as nobody can": (reply(200, body=b"\x01\x02", content_encoding="br"), "not-anthropic"),
    "empty": (reply(200), "not-anthropic"),
    "a page": (
        reply(200, body=b"<html><title>Log in</title></html>", content_type="text/html"),
        "not-anthropic",
    ),
    "an event stream": (
        reply(200, body=b'event: message_start\ndata: {"type":"message_start"}\n\n'),
        "not-anthropic",
    ),
    "not UTF-8": (reply(200, body=b'{"type":"\xff\xfe'), "not-anthropic"),
    "as deep as can be": (reply(200, body=b"[" * 60_000), "not-anthropic"),
    "a number without end": (reply(401, body=b'{"error":{"code":' + b"9" * 60_000 + b"}}"), "key-rejected"),
    "an exponent without end": (reply(401, body=b'{"error":{"code":1e999999999}}'), "key-rejected"),
    "shorter than it says": (b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + GOOD[:20], "cut-off"),
    "whole, but shorter than it says": (b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + GOOD, "fine"),
    "a chunk that is cut": (chunked(GOOD, end=b"ff\r\nabc"), "cut-off"),
    "no last chunk": (chunked(GOOD[:30], end=b""), "cut-off"),
    "a chunk without length": (chunked(GOOD[:30], end=b"xyz\r\n"), "cut-off"),
    "a chunk of less than nothing": (chunked(GOOD[:30], end=b"-5\r\nabc\r\n"), "cut-off"),
    "an error that is cut": (b"HTTP/1.1 401 No\r\ncontent-length: 500\r\n\r\n" + b'{"error"', "key-rejected"),
    "larger than is read": (reply(200, {**MESSAGE, "x": "y" * 150_000}), "not-anthropic"),
    "a length of less than nothing": (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n" + GOOD, "fine"),
    "a length that is none": (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n" + GOOD, "fine"),
    "both framings": (chunked(GOOD).replace(b"\r\n", b"\r\ncontent-length: 3\r\n", 1), "fine"),
}


@pytest.mark.parametrize(("raw", "name"), BODIES.values(), ids=BODIES)
def test_a_body(raw: bytes, name: str, serve: Callable[..., Server]) -> None:
    server = serve(raw)

    answer = asked(server.url)

    assert answer.name == name
    assert answer.is_reachable
    assert (len(server.asked), server.connections) == (1, 1)


# ---- servers that do not answer as servers do


def endless(first: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(10_000):
            connection.sendall(piece)

    return script


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


BROKEN: dict[str, tuple[Any, str]] = {
    "closes at once": (b"", "closed"),
    "resets": (reset, "closed"),
    "garbage": (b"\x00\xff\x13\x37 hello\r\n\r\n", "not-http"),
    "a mail server": (b"220 mail.example ESMTP\r\n", "not-http"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", "not-http"),
    "a status that is none": (b"HTTP/1.1 two hundred\r\n\r\n", "not-http"),
    "a status out of range": (b"HTTP/1.1 20000 OK\r\n\r\n", "not-http"),
    "a version that is none": (b"HTTP/9.9 200 OK\r\n\r\n", "not-http"),
    "a line without end": (b"HTTP/1.1 200 " + b"x" * 200_000, "not-http"),
    "headers without end": (endless(b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 1000 + b"\r\n"), "not-http"),
    "a header without end": (endless(b"HTTP/1.1 200 OK\r\n", b"y" * 1000), "not-http"),
    "many hints first": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "too-long"),
}


@pytest.mark.parametrize(("script", "name"), BROKEN.values(), ids=BROKEN)
def test_a_server_that_is_broken(script: Any, name: str, serve: Callable[..., Server]) -> None:
    server = serve(script)

    answer = asked(server.url)

    assert (answer.status, answer.name) == (None, name)
    assert (len(server.asked), server.connections) == (1, 1)


SLOW: dict[str, tuple[bytes, bytes, int | None]] = {
    "says nothing": (b"", b"", None),
    "a status line by bytes": (b"HTTP/1.1 2", b"0", None),
    "a header by bytes": (b"HTTP/1.1 200 OK\r\nx: ", b"y", None),
    "headers one by one": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", None),
    "hints one by one": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", None),
    "a body by bytes": (b"HTTP/1.1 200 OK\r\n\r\n", b" ", 200),
    "a body by bytes, of a length": (b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n", b" ", 200),
    "a body by chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n", 200),
    "a body that never comes": (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"", 200),
}


@pytest.mark.parametrize(("first", "again", "status"), SLOW.values(), ids=SLOW)
def test_a_server_that_takes_its_time(
    first: bytes, again: bytes, status: int | None, serve: Callable[..., Server]
) -> None:
    server = serve()
    server.drip(first, again)

    answer = asked(server.url, timeout_s=SHORT_S)

    assert (answer.status, answer.name) == (status, "timed-out")
    assert answer.seconds > SHORT_S * 0.9
    assert (len(server.asked), server.connections) == (1, 1)


@pytest.mark.parametrize("timeout_s", [0, -1])
def test_no_time_at_all(timeout_s: float, serve: Callable[..., Server]) -> None:
    server = serve()

    assert asked(server.url, timeout_s=timeout_s).name == "timed-out"
    assert server.connections == 0


def test_an_error_is_told_although_its_body_never_ends(serve: Callable[..., Server]) -> None:
    server = serve()
    server.drip(b"HTTP/1.1 401 No\r\n\r\n", b" ")

    assert asked(server.url, timeout_s=SHORT_S).name == "key-rejected"


# ---- finding the server


def test_a_port_where_nothing_listens(serve: Callable[..., Server]) -> None:
    server = serve()
    server.stop()

    answer = asked(server.url)

    assert (answer.status, answer.name) == (None, "refused")
    assert f"127.0.0.1:{server.port}" in answer.message


NO_NAMES: dict[str, tuple[Exception, str]] = {
    "no such name": (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name-unknown"),
    "no name server": (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "name-unknown"),
    "not a name": (UnicodeError("label empty or too long"), "name-unknown"),
    "no network": (OSError(101, "Network is unreachable"), "unreachable"),
}


@pytest.mark.parametrize(("failure", "name"), NO_NAMES.values(), ids=NO_NAMES)
def test_a_name_that_leads_nowhere(failure: Exception, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("socket.getaddrinfo", look_up)

    answer = asked("https://nowhere.invalid/v1/messages")

    assert (answer.status, answer.name) == (None, name)
    assert "nowhere.invalid:443" in answer.message


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: over.wait(5) and [])

    answer = asked("https://nowhere.invalid/v1/messages", timeout_s=SHORT_S)
    over.set()

    assert (answer.status, answer.name) == (None, "timed-out")


def test_the_next_address_is_tried_when_one_refuses(
    serve: Callable[..., Server], names: dict[str, list[tuple[str, int]]]
) -> None:
    gone, server = serve(), serve()
    gone.stop()
    names["localhost"] = [("127.0.0.1", gone.port), ("127.0.0.1", server.port)]

    assert asked("http://localhost:1/v1/messages").name == "fine"
    assert len(server.asked) == 1


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    serve: Callable[..., Server], names: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    names["localhost"] = [("127.0.0.1", 9), ("127.0.0.1", server.port)]
    connect = socket.socket.connect

    def hang(self: socket.socket, address: tuple[str, int]) -> None:
        if address[1] != 9:
            return connect(self, address)
        time.sleep(self.gettimeout() or 60)
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", hang)

    assert asked("http://localhost:1/v1/messages", timeout_s=3 * SHORT_S).name == "fine"


# ---- nothing is sent

NOT_ASKED: dict[str, tuple[str, str]] = {
    "empty": ("", "url-invalid"),
    "no scheme": ("127.0.0.1:{port}/v1/messages", "url-invalid"),
    "no host": ("https:///v1/messages", "url-invalid"),
    "another scheme": ("ftp://127.0.0.1:{port}/v1/messages", "url-invalid"),
    "a file": ("file:///etc/passwd", "url-invalid"),
    "a user in it": (f"http://user:{CANARY}@127.0.0.1:{{port}}/v1/messages", "url-invalid"),
    "a user alone": (f"http://{CANARY}@127.0.0.1:{{port}}/v1/messages", "url-invalid"),
    "a blank": ("http://127.0.0.1:{port}/v1/ messages", "url-invalid"),
    "a line end": (f"http://127.0.0.1:{{port}}/v1/messages\r\nx-evil: {CANARY}", "url-invalid"),
    "not ASCII": ("http://127.0.0.1:{port}/v1/m\xe9ssages", "url-invalid"),
    "a broken host": ("http://[::1/v1/messages", "url-invalid"),
    "a dot for a host": ("https://./v1/messages", "url-invalid"),
    "a host with a gap": ("https://a..b/v1/messages", "url-invalid"),
    "a label that is too long": (f"https://{'a' * 64}.b/v1/messages", "url-invalid"),
    "a broken port": (f"http://127.0.0.1:{CANARY}/v1/messages", "url-invalid"),
    "a port out of range": ("http://127.0.0.1:99999/v1/messages", "url-invalid"),
    "http to a name": ("http://api.moonshot.cn/anthropic/v1/messages", "insecure"),
    "http to an address": ("http://192.0.2.1/v1/messages", "insecure"),
    "http to what only begins like this machine": ("http://localhost.evil.example/v1/messages", "insecure"),
    "http to what only ends like this machine": ("http://evillocalhost/v1/messages", "insecure"),
}


@pytest.mark.parametrize(("url", "name"), NOT_ASKED.values(), ids=NOT_ASKED)
def test_what_is_not_asked(url: str, name: str, serve: Callable[..., Server]) -> None:
    server = serve()

    answer = asked(url.replace("{port}", str(server.port)))

    assert (answer.status, answer.name) == (None, name)
    assert answer.remedy is not None
    assert server.connections == 0


def test_a_name_like_this_machine_s_that_is_not_this_machine_is_not_asked_in_clear(
    names: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["evil.localhost"] = [("192.0.2.1", 80)]
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it was connected to"))

    assert asked("http://evil.localhost/v1/messages").name == "name-unknown"


# ---- TLS


def test_a_certificate_of_an_authority_that_node_is_told_of(
    serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names()

    assert asked(MOONSHOT_CN, env={"NODE_EXTRA_CA_CERTS": authority.file}).name == "fine"
    assert asked(MOONSHOT_CN, env={"SSL_CERT_FILE": authority.file}).name == "fine"
    assert len(server.asked) == 2


def test_a_final_dot_is_no_part_of_the_name_in_a_certificate(
    serve_names: Callable[..., Server], names: dict[str, list[tuple[str, int]]], authority: Authority
) -> None:
    names["api.moonshot.cn."] = [("127.0.0.1", serve_names().port)]

    assert asked("https://api.moonshot.cn./anthropic/v1/messages", env=trusting(authority)).name == "fine"


class Untrusted(NamedTuple):
    """How a certificate is made, and what the answer says about it."""

    says: str
    remedy: str
    names: tuple[str, ...] = NAMES
    days: int = 30
    is_signed_by_itself: bool = False
    is_told: bool = True


UNTRUSTED = {
    "an authority that nobody told of": Untrusted(
        "is not trusted here", "NODE_EXTRA_CA_CERTS", is_told=False
    ),
    "expired": Untrusted("has expired", "check the clock", days=-1),
    "signed by itself": Untrusted("is signed by itself", "NODE_EXTRA_CA_CERTS", is_signed_by_itself=True),
    "another name": Untrusted("is for another name", "check host", names=("other.example",)),
    "a name above": Untrusted("is for another name", "check host", names=("moonshot.cn",)),
}


@pytest.mark.parametrize("made", UNTRUSTED.values(), ids=UNTRUSTED)
def test_a_certificate_that_is_not_to_be_trusted(
    made: Untrusted,
    serve: Callable[..., Server],
    names: dict[str, list[tuple[str, int]]],
    authority: Authority,
) -> None:
    context = authority.server(*made.names, days=made.days, is_signed_by_itself=made.is_signed_by_itself)
    server = serve(FINE, context)
    names["api.moonshot.cn"] = [("127.0.0.1", server.port)]

    answer = asked(MOONSHOT_CN, env=trusting(authority) if made.is_told else {})

    assert (answer.status, answer.name) == (None, "tls-failed")
    assert made.says in answer.message
    assert made.remedy in str(answer.remedy)
    assert server.asked == []
    assert server.connections == 1


def test_an_authority_s_file_that_is_missing_is_named(
    serve_names: Callable[..., Server], authority: Authority
) -> None:
    serve_names()
    missing = str(authority.folder / "missing.pem")

    answer = asked(MOONSHOT_CN, env={"NODE_EXTRA_CA_CERTS": missing})

    assert answer.name == "tls-failed"
    assert "the file that NODE_EXTRA_CA_CERTS names cannot be read" in str(answer.remedy)
    both = {"NODE_EXTRA_CA_CERTS": missing, "SSL_CERT_FILE": authority.file}
    assert asked(MOONSHOT_CN, env=both).name == "fine"


@pytest.mark.parametrize("name", ["NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY"])
def test_nothing_switches_verification_off(
    name: str, serve_names: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve_names()
    monkeypatch.setenv(name, "0")

    assert asked(MOONSHOT_CN, env={name: "0"}).name == "tls-failed"
    assert server.asked == []


def test_the_keys_of_a_connection_are_not_written_down(
    serve_names: Callable[..., Server], authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    serve_names()
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    assert asked(MOONSHOT_CN, env=trusting(authority)).name == "fine"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("raw", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 20, b""])
def test_a_port_that_does_not_speak_tls(
    raw: bytes, serve: Callable[..., Server], names: dict[str, list[tuple[str, int]]]
) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(raw)

    server = serve(script)
    server._answer = script  # type: ignore[method-assign]  # it does not wait for a request
    names["api.moonshot.cn"] = [("127.0.0.1", server.port)]

    assert asked(MOONSHOT_CN).name in {"tls-failed", "closed"}


def test_a_server_that_wants_a_certificate_of_ours(
    serve: Callable[..., Server], names: dict[str, list[tuple[str, int]]], authority: Authority
) -> None:
    context = authority.server(*NAMES)
    context.verify_mode = ssl.CERT_REQUIRED
    server = serve(FINE, context)
    names["api.moonshot.cn"] = [("127.0.0.1", server.port)]

    answer = asked(MOONSHOT_CN, env=trusting(authority))

    assert (answer.status, answer.name) in {(None, "tls-failed"), (None, "closed")}
    assert server.asked == []


@pytest.mark.parametrize("is_proper", [True, False])
def test_hanging_up_ends_a_body_over_tls(
    is_proper: bool,  # noqa: FBT001
    serve_names: Callable[..., Server],
    authority: Authority,
) -> None:
    def script(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nno JSON")
        if is_proper:
            connection.unwrap()

    serve_names(script)

    assert asked(MOONSHOT_CN, env=trusting(authority)).name == "not-anthropic"  # not "cut-off"


def test_a_handshake_that_never_ends(
    serve: Callable[..., Server], names: dict[str, list[tuple[str, int]]]
) -> None:
    server = serve()
    server.keep_silent()
    names["api.moonshot.cn"] = [("127.0.0.1", server.port)]

    assert asked(MOONSHOT_CN, timeout_s=SHORT_S).name == "timed-out"


def test_a_server_that_takes_its_time_over_tls(
    serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names()
    server.drip(b"HTTP/1.1 200 OK\r\n\r\n", b" ")

    assert asked(MOONSHOT_CN, env=trusting(authority), timeout_s=3 * SHORT_S).name == "timed-out"
    assert len(server.asked) == 1


def test_much_goes_over_tls_both_ways(serve_names: Callable[..., Server], authority: Authority) -> None:
    server = serve_names(reply(200, {**MESSAGE, "x": "y" * 50_000}))
    given = {**BEARER, "x-much": "z" * 40_000}

    assert asked(MOONSHOT_CN, given, env=trusting(authority)).name == "fine"
    assert server.asked[0].headers["x-much"] == "z" * 40_000


# ---- proxies

PROXY = "http://proxy.example:3128"
HERE = "http://127.0.0.1:8181/v1/messages"
SIX = "http://[::1]:8181/v1/messages"
# Measured on Claude Code 2.1.329, nearly all of them: did it ask the proxy for a way to the host?
WAYS: dict[str, tuple[dict[str, str], str, str | None]] = {
    "none": ({}, MOONSHOT_CN, None),
    "https_proxy": ({"https_proxy": PROXY}, MOONSHOT_CN, "proxy.example:3128"),
    "HTTP_PROXY alone is for https too": ({"HTTP_PROXY": PROXY}, MOONSHOT_CN, "proxy.example:3128"),
    "https_proxy is for http too": ({"https_proxy": PROXY}, HERE, "proxy.example:3128"),
    "this machine is not exempt": ({"https_proxy": PROXY}, SIX, "proxy.example:3128"),
    "ALL_PROXY": ({"ALL_PROXY": PROXY}, MOONSHOT_CN, "proxy.example:3128"),
    "all_proxy": ({"all_proxy": PROXY, "ALL_PROXY": "x:1"}, MOONSHOT_CN, "proxy.example:3128"),
    "host and port": ({"https_proxy": "proxy.example:3128"}, MOONSHOT_CN, "proxy.example:3128"),
    "no port": ({"https_proxy": "http://proxy.example"}, MOONSHOT_CN, "proxy.example:80"),
    "https, no port": ({"https_proxy": "https://proxy.example"}, MOONSHOT_CN, "proxy.example:443"),
    "blanks around it": ({"https_proxy": f" {PROXY} "}, MOONSHOT_CN, "proxy.example:3128"),
    "a path": ({"https_proxy": f"{PROXY}/x"}, MOONSHOT_CN, "proxy.example:3128"),
    "empty, so the next": ({"https_proxy": "", "HTTP_PROXY": PROXY}, MOONSHOT_CN, "proxy.example:3128"),
    "small letters first": ({"https_proxy": PROXY, "HTTPS_PROXY": "x:1"}, MOONSHOT_CN, "proxy.example:3128"),
    "https before http": ({"HTTPS_PROXY": PROXY, "http_proxy": "x:1"}, HERE, "proxy.example:3128"),
    "http before all": ({"HTTP_PROXY": PROXY, "all_proxy": "x:1"}, MOONSHOT_CN, "proxy.example:3128"),
    "SOCKS for all is passed over": ({"ALL_PROXY": "socks5://proxy.example:1080"}, MOONSHOT_CN, None),
    "other letters are another variable": ({"Https_Proxy": PROXY}, MOONSHOT_CN, None),
    "no_proxy": ({"https_proxy": PROXY, "no_proxy": "api.moonshot.cn"}, MOONSHOT_CN, None),
    "an empty no_proxy": ({"https_proxy": PROXY, "no_proxy": "", "NO_PROXY": "*"}, MOONSHOT_CN, None),
    "no_proxy first": (
        {"https_proxy": PROXY, "no_proxy": "x", "NO_PROXY": "*"},
        MOONSHOT_CN,
        "proxy.example:3128",
    ),
}


@pytest.mark.parametrize(("env", "url", "proxy"), WAYS.values(), ids=WAYS)
def test_which_proxy(env: dict[str, str], url: str, proxy: str | None) -> None:
    assert proxy_for(url, env) == proxy


# Measured likewise, all but the last two.
EXEMPTIONS = {
    "the host": ("api.moonshot.cn", MOONSHOT_CN, True),
    "what it is below": ("moonshot.cn", MOONSHOT_CN, True),
    "a dot and what it is below": (".moonshot.cn", MOONSHOT_CN, True),
    "a dot and the host": (".api.moonshot.cn", MOONSHOT_CN, True),
    "a star": ("*.moonshot.cn", MOONSHOT_CN, True),
    "all": ("*", MOONSHOT_CN, True),
    "all, and others": ("*,x", MOONSHOT_CN, True),
    "capitals": ("API.Moonshot.CN", MOONSHOT_CN, True),
    "the port": ("api.moonshot.cn:443", MOONSHOT_CN, True),
    "a dot and the port": (".moonshot.cn:443", MOONSHOT_CN, True),
    "after a blank": ("x api.moonshot.cn", MOONSHOT_CN, True),
    "a final dot": ("api.moonshot.cn.", MOONSHOT_CN, True),
    "a range": ("127.0.0.0/8", HERE, True),
    "an address": ("127.0.0.1", HERE, True),
    "IPv6": ("[::1]", SIX, True),
    "IPv6, bare": ("::1", SIX, True),
    "another port": ("api.moonshot.cn:444", MOONSHOT_CN, False),
    "half a label": ("oonshot.cn", MOONSHOT_CN, False),
    "a star without a dot": ("*moonshot.cn", MOONSHOT_CN, False),
    "a URL": ("https://api.moonshot.cn", MOONSHOT_CN, False),
    "what is below it": ("x.api.moonshot.cn", MOONSHOT_CN, False),
    "dots and blanks": (". , ,, :443", MOONSHOT_CN, False),
}


@pytest.mark.parametrize(("listed", "url", "is_exempt"), EXEMPTIONS.values(), ids=EXEMPTIONS)
def test_what_is_exempt_from_the_proxy(listed: str, url: str, is_exempt: bool) -> None:  # noqa: FBT001
    proxy = proxy_for(url, {"https_proxy": PROXY, "NO_PROXY": listed})

    assert proxy == (None if is_exempt else "proxy.example:3128")


def test_through_a_proxy(
    serve_names: Callable[..., Server], start_proxy: Callable[..., Proxy], authority: Authority
) -> None:
    server = serve_names()
    proxy = start_proxy(server)

    answer = asked(MOONSHOT_CN, env=trusting(authority, HTTPS_PROXY=f"http://proxy.example:{proxy.port}"))

    assert answer.name == "fine"
    (connect,) = proxy.asked
    assert (connect.method, connect.target) == ("CONNECT", "api.moonshot.cn:443")
    assert connect.headers == {"host": "api.moonshot.cn:443"}
    assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert "proxy-authorization" not in server.asked[0].headers
    assert len(server.asked) == 1
    passed = b"".join(proxy.raw)
    assert len(passed) > 100
    assert CANARY.encode() not in passed


def test_a_proxy_that_is_exempt_is_not_asked(
    serve_names: Callable[..., Server], start_proxy: Callable[..., Proxy], authority: Authority
) -> None:
    server = serve_names()
    proxy = start_proxy(server)
    env = trusting(authority, HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}", NO_PROXY="moonshot.cn")

    assert asked(MOONSHOT_CN, env=env).name == "fine"
    assert proxy.connections == 0
    assert len(server.asked) == 1


def test_a_user_name_is_sent_to_the_proxy_alone(
    serve_names: Callable[..., Server], start_proxy: Callable[..., Proxy], authority: Authority
) -> None:
    server = serve_names()
    proxy = start_proxy(server)
    env = trusting(authority, HTTPS_PROXY=f"http://us%40er:p%3Aw%0A@127.0.0.1:{proxy.port}")

    assert asked(MOONSHOT_CN, env=env).name == "fine"
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXNAZXI6cDp3Cg=="
    assert "proxy-authorization" not in server.asked[0].headers


def test_through_a_proxy_that_speaks_tls_itself(
    serve_names: Callable[..., Server], start_proxy: Callable[..., Proxy], authority: Authority
) -> None:
    server = serve_names()
    proxy = start_proxy(server, tls=authority.server(*NAMES))
    env = trusting(authority, HTTPS_PROXY=f"https://proxy.example:{proxy.port}")

    assert asked(MOONSHOT_CN, env=env).name == "fine"
    assert [request.target for request in proxy.asked] == ["api.moonshot.cn:443"]
    assert CANARY.encode() not in b"".join(proxy.raw)
    assert len(server.asked) == 1


def test_a_certificate_is_verified_behind_a_proxy_too(
    serve_names: Callable[..., Server], start_proxy: Callable[..., Proxy]
) -> None:
    server = serve_names()
    proxy = start_proxy(server)

    answer = asked(MOONSHOT_CN, env={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})

    assert answer.name == "tls-failed"
    assert len(proxy.asked) == 1
    assert server.asked == []


BAD_PROXIES: dict[str, tuple[bytes, str]] = {
    "wants a login": (
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "wants a user name and password",
    ),
    "forbids it": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "opens no way to api.moonshot.cn:443 (HTTP 403)"),
    "does not find it": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "(HTTP 502)"),
    "leads elsewhere": (b"HTTP/1.1 302 Found\r\nlocation: http://evil.example/\r\n\r\n", "(HTTP 302)"),
    "is none": (b"\x05\x00", "does not answer with HTTP"),
    "closes": (b"", "closed the connection"),
    "sends headers without end": (
        b"HTTP/1.1 200 x\r\n" + b"x: y\r\n" * 50_000,
        "does not answer with HTTP",
    ),
}


@pytest.mark.parametrize(("script", "says"), BAD_PROXIES.values(), ids=BAD_PROXIES)
def test_a_proxy_that_does_not_lead_there(
    script: bytes, says: str, start_proxy: Callable[..., Proxy], serve_names: Callable[..., Server]
) -> None:
    server = serve_names()
    proxy = start_proxy(None, script)
    env = {"HTTPS_PROXY": f"http://user:{CANARY}@proxy.example:{proxy.port}"}

    answer = asked(MOONSHOT_CN, env=env)

    assert (answer.status, answer.name) == (None, "proxy-failed")
    assert says in answer.message
    assert f"proxy.example:{proxy.port}" in answer.message
    assert "user:" not in answer.message
    assert len(proxy.asked) == 1
    assert server.connections == 0


def test_a_proxy_that_is_not_there(
    names: dict[str, list[tuple[str, int]]], serve: Callable[..., Server]
) -> None:
    gone = serve()
    gone.stop()

    unknown = asked(MOONSHOT_CN, env={"HTTPS_PROXY": "http://nowhere.invalid:3128"})
    refused = asked(MOONSHOT_CN, env={"HTTPS_PROXY": f"http://127.0.0.1:{gone.port}"})

    assert (unknown.name, refused.name) == ("proxy-failed", "proxy-failed")
    assert "nowhere.invalid:3128 has no address" in unknown.message
    assert "accepts no connections" in refused.message


def test_a_proxy_that_hangs(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy(None)
    proxy.keep_silent()

    answer = asked(MOONSHOT_CN, env={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}, timeout_s=SHORT_S)

    assert answer.name == "proxy-failed"
    assert "did not answer in time" in answer.message


def test_a_proxy_with_a_certificate_that_is_not_trusted(
    start_proxy: Callable[..., Proxy], authority: Authority
) -> None:
    proxy = start_proxy(None, tls=authority.server(*NAMES))

    answer = asked(MOONSHOT_CN, env={"HTTPS_PROXY": f"https://proxy.example:{proxy.port}"})

    assert answer.name == "proxy-failed"
    assert "not trusted" in answer.message
    assert proxy.asked == []


NO_PROXIES = {
    "SOCKS": "socks5://127.0.0.1:1080",
    "no host": "http://",
    "blanks alone": "  ",
    "a broken port": f"http://user:{CANARY}@127.0.0.1:x/",
    "a broken host": f"http://user:{CANARY}@[::1/",
    "a line end": f"http://127.0.0.1\r\nx: {CANARY}",
    "not ASCII": "http://pr\xf6xy.example:3128",
}


@pytest.mark.parametrize("value", NO_PROXIES.values(), ids=NO_PROXIES)
def test_a_variable_that_names_no_proxy(value: str, serve_names: Callable[..., Server]) -> None:
    server = serve_names()

    answer = asked(MOONSHOT_CN, env={"HTTPS_PROXY": value})

    assert (answer.status, answer.name) == (None, "proxy-invalid")
    assert "HTTPS_PROXY" in answer.message
    assert server.connections == 0
    assert proxy_for(MOONSHOT_CN, {"HTTPS_PROXY": value}) is None


def test_what_is_meant_for_this_machine_is_not_sent_to_a_proxy(
    serve: Callable[..., Server], start_proxy: Callable[..., Proxy]
) -> None:
    server = serve()
    proxy = start_proxy(server)
    env = {"HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:{proxy.port}"}

    answer = asked(server.url, env=env)

    assert (answer.status, answer.name) == (None, "proxied-in-clear")
    assert f"to the proxy 127.0.0.1:{proxy.port}" in answer.message
    assert answer.remedy == "add 127.0.0.1 to NO_PROXY"
    assert (server.connections, proxy.connections) == (0, 0)
    assert asked(server.url, env=env | {"NO_PROXY": "127.0.0.1"}).name == "fine"


# ---- exceptions

FAILURES: dict[str, bytes] = {
    name: script for name, (script, _) in BROKEN.items() if isinstance(script, bytes)
}
FAILURES |= {name: echo(CANARY) for name, echo in ECHOES.items() if name.startswith(("instead", "as a "))}


@pytest.mark.parametrize("script", FAILURES.values(), ids=FAILURES)
def test_no_traceback_holds_the_key(script: bytes, serve: Callable[..., Server]) -> None:
    server = serve(script)

    with pytest.raises(NoReplyError) as caught:
        exchange("POST", server.url, BEARER, b"{}", deadline=time.monotonic() + PATIENCE_S, env={})

    assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    shown = "".join(traceback.format_exception(caught.value))
    assert "NoReplyError" in shown
    assert "The above exception" not in shown
    assert "During handling" not in shown
    assert not holds_canary(shown)


# ---- balance


class Reported(NamedTuple):
    """What a provider says when it is asked at ``target``, and the amounts in it."""

    url: str
    target: str
    document: object
    amounts: dict[str, str]


BALANCES: dict[str, Reported] = {
    "Moonshot, China": Reported(
        MOONSHOT_CN,
        "/v1/users/me/balance",
        {
            "code": 0,
            "data": {"available_balance": 49.58894, "voucher_balance": 46.58893, "cash_balance": 3.00001},
            "scode": "0x0",
            "status": True,
        },
        {"CNY": "49.58894"},
    ),
    "Moonshot, international": Reported(
        MOONSHOT,
        "/v1/users/me/balance",
        {"code": 0, "data": {"available_balance": -3, "voucher_balance": 0, "cash_balance": -3}},
        {"USD": "-3"},
    ),
    "DeepSeek": Reported(
        "https://api.deepseek.com/anthropic/v1/messages",
        "/user/balance",
        {
            "is_available": True,
            "balance_infos": [
                {"currency": "CNY", "total_balance": "110.00", "granted_balance": "10.00"},
                {"currency": "USD", "total_balance": "0.07", "granted_balance": "0.00"},
            ],
        },
        {"CNY": "110.00", "USD": "0.07"},
    ),
    "SiliconFlow": Reported(
        "https://api.siliconflow.com/v1/messages",
        "/v1/user/info",
        {"code": 20000, "data": {"balance": "0.88", "chargeBalance": "88.00", "totalBalance": "88.88"}},
        {"USD": "88.88"},
    ),
    "Novita": Reported(
        "https://api.novita.ai/anthropic/v1/messages",
        "/openapi/v1/billing/balance/detail",
        {"availableBalance": "1000005", "cashBalance": "800000"},
        {"USD": "100.0005"},
    ),
}


def asked_balance(
    url: str, authority: Authority, headers: Mapping[str, str] = BEARER, *, timeout_s: float = PATIENCE_S
) -> Balance | None:
    balance = ask_balance(url, headers=headers, timeout_s=timeout_s, env=trusting(authority))
    assert not holds_canary(repr(balance))
    if balance is not None:
        assert (balance.why_not is None) == bool(balance.amounts)
    return balance


@pytest.mark.parametrize("reported", BALANCES.values(), ids=BALANCES)
def test_a_balance(reported: Reported, serve_names: Callable[..., Server], authority: Authority) -> None:
    server = serve_names(reply(200, reported.document))

    balance = asked_balance(reported.url, authority)

    assert balance == Balance({currency: Decimal(amount) for currency, amount in reported.amounts.items()})
    (request,) = server.asked
    assert (request.method, request.target, request.body) == ("GET", reported.target, b"")
    assert request.headers["host"] == reported.url.split("/")[2]
    assert request.headers["authorization"] == f"Bearer {CANARY}"


def test_every_balance_of_the_catalogue_is_tried_here() -> None:
    urls = {entry.base_url for entry in read_catalogue().providers.values() if entry.balance}
    assert urls == {entry.url.removesuffix("/v1/messages") for entry in BALANCES.values()}


BALANCE_KEYS = {
    "bearer": {"Authorization": f"Bearer {CANARY}"},
    "key": {"X-Api-Key": CANARY},
    "both": {"authorization": f"Bearer {CANARY}", "x-api-key": "sk-test-other"},
    "an empty bearer and a key": {"authorization": "Bearer ", "x-api-key": CANARY},
    "custom ones stay here": {"authorization": f"Bearer {CANARY}", "cookie": "a=b", "x-org": "blue"},
}


@pytest.mark.parametrize("headers", BALANCE_KEYS.values(), ids=BALANCE_KEYS)
def test_the_balance_is_asked_with_the_key_and_nothing_else(
    headers: dict[str, str], serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names(reply(200, BALANCES["Moonshot, China"].document))

    asked_balance(MOONSHOT_CN, authority, headers)

    (request,) = server.asked
    assert request.headers == {
        "host": "api.moonshot.cn",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {CANARY}",
        "connection": "close",
        "user-agent": "kimi-profiles",
    }


@pytest.mark.parametrize(
    "url", ["https://openrouter.ai/api/v1/messages", "https://gateway.example/v1/messages", "x", HERE]
)
def test_where_no_balance_can_be_asked_nothing_is(
    url: str, serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names()

    assert asked_balance(url, authority) is None
    assert server.connections == 0


def test_without_a_key_no_balance_is_asked(serve_names: Callable[..., Server], authority: Authority) -> None:
    server = serve_names()

    assert asked_balance(MOONSHOT_CN, authority, {}) == Balance({}, "there is no key to ask with")
    assert server.connections == 0


NO_BALANCES: dict[str, bytes] = {
    "401": reply(401, openai("invalid_authentication_error", CANARY)),
    "403": reply(403),
    "500": reply(500, body=CANARY.encode()),
    "a redirect": reply(302, None, location=f"https://evil.example/{CANARY}"),
    "no JSON": reply(200, body=CANARY.encode()),
    "another document": reply(200, {"data": {}}),
    "a list": reply(200, []),
    "no amount": reply(200, {"data": {"available_balance": None}}),
    "a word": reply(200, {"data": {"available_balance": CANARY}}),
    "true": reply(200, {"data": {"available_balance": True}}),
    "not a number": reply(200, body=b'{"data": {"available_balance": NaN}}'),
    "infinity": reply(200, body=b'{"data": {"available_balance": -Infinity}}'),
    "digits without end": reply(200, body=b'{"data": {"available_balance": ' + b"9" * 5000 + b"}}"),
    "an exponent without end": reply(200, body=b'{"data": {"available_balance": 1e999999}}'),
    "digits of another script": reply(200, {"data": {"available_balance": "\u0661\u0662"}}),
    "cut": b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
    "garbage": b"\x00\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("raw", NO_BALANCES.values(), ids=NO_BALANCES)
def test_a_balance_that_cannot_be_had(
    raw: bytes, serve_names: Callable[..., Server], authority: Authority
) -> None:
    server = serve_names(raw)

    balance = asked_balance(MOONSHOT_CN, authority)

    assert balance is not None
    assert balance.amounts == {}
    assert "api.moonshot.cn" in str(balance.why_not)
    assert (len(server.asked), server.connections) == (1, 1)


NO_ENTRIES: dict[str, object] = {
    "empty": [],
    "not a list": {"currency": "CNY", "total_balance": "1"},
    "not objects": ["CNY"],
    "no currency": [{"total_balance": "1"}],
    "an odd currency": [{"currency": "\x1b[31m", "total_balance": "1"}],
    "one of two is odd": [
        {"currency": "CNY", "total_balance": "1"},
        {"currency": "USD", "total_balance": ""},
    ],
}


@pytest.mark.parametrize("entries", NO_ENTRIES.values(), ids=NO_ENTRIES)
def test_a_list_of_balances_that_cannot_be_read(
    entries: object, serve_names: Callable[..., Server], authority: Authority
) -> None:
    serve_names(reply(200, {"balance_infos": entries}))

    balance = asked_balance("https://api.deepseek.com/anthropic/v1/messages", authority)

    assert balance == Balance({}, "api.deepseek.com answered, but not with a balance as it is documented")


def test_a_balance_that_takes_its_time(serve_names: Callable[..., Server], authority: Authority) -> None:
    server = serve_names()
    server.keep_silent()

    balance = asked_balance(MOONSHOT_CN, authority, timeout_s=3 * SHORT_S)

    assert balance == Balance({}, "api.moonshot.cn:443 did not answer in time")


def test_a_balance_is_never_asked_in_clear(
    serve: Callable[..., Server], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = read_catalogue()
    provider = catalogue.providers["deepseek"]
    assert provider.balance is not None
    away = replace(provider, balance=replace(provider.balance, url="http://api.deepseek.com/user/balance"))
    changed = replace(catalogue, providers={"deepseek": away})
    monkeypatch.setattr("kimi_profiles.online.balance.read_catalogue", lambda: changed)

    balance = asked_balance("https://api.deepseek.com/anthropic/v1/messages", authority)

    assert balance is not None
    assert "unencrypted" in str(balance.why_not)


# ---- whatever comes


def pieces(*known: str) -> st.SearchStrategy[str]:
    """Texts made of ``known`` pieces and of anything."""
    return st.lists(st.sampled_from(known) | st.text(max_size=5), max_size=8).map("".join)


class Said(Wire):
    """A connection over which ``said`` comes, whatever is sent."""

    def __init__(self, said: bytes) -> None:
        self.sent, self.left = b"", said

    def send(self, data: bytes) -> None:
        self.sent += data

    def readinto(self, buffer: Any) -> int:
        size = min(50, len(buffer), len(self.left))
        buffer[:size], self.left = self.left[:size], self.left[size:]
        return size


HOSTS = pieces("localhost", "127.0.0.1", "api.z.ai", "[::1]", "a" * 64, ".", "-", "%", "@", " ")
URLS = st.tuples(
    st.sampled_from(["https://", "http://", "", "ftp://"]),
    HOSTS,
    st.sampled_from(["", ":80", ":", ":x", ":99999"]),
    pieces("/", "?", "#", "v1", "\r\n"),
).map("".join)
VALUES = pieces("Bearer ", CANARY, "\r\n", " ", "x")
VARIABLES = ("https_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY", "NODE_EXTRA_CA_CERTS")


@settings(max_examples=amount(200, 5000), deadline=None)
@given(
    url=URLS,
    headers=st.dictionaries(pieces("authorization", "x-api-key", "-", "x"), VALUES, max_size=3),
    model=pieces("kimi", "[1m]", CANARY),
    env=st.dictionaries(
        st.sampled_from(VARIABLES), pieces("http://", "socks5://", ":", "*", ",", "/8") | URLS
    ),
)
def test_whatever_is_given_there_is_an_answer(
    url: str, headers: dict[str, str], model: str, env: dict[str, str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kimi_profiles.online.exchange.connect", lambda *_: Said(b""))
        answer = asked(url, headers, model=model, env=env)
        ask_balance(url, headers=headers, timeout_s=PATIENCE_S, env=env)

    assert answer.status is None
    proxy_for(url, env)


SAID = st.lists(
    st.binary(max_size=5)
    | st.sampled_from(
        [
            *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"100", b"200", b"302", b"401", b"429", b" ", b"\r\n", b"\r\n\r\n"),
            *(
                b"content-length: ",
                b"7",
                b"-1",
                b"transfer-encoding: chunked\r\n",
                b"content-encoding: gzip\r\n",
            ),
            *(b"location: //", b"retry-after: ", b"Wed, 21 Oct 2015 07:28:00 GMT", b"5\r\n", b"0\r\n\r\n"),
            *(
                b'{"error":',
                b'{"message":"',
                b'"type":',
                b'"message"',
                b'"',
                b"}",
                b"]",
                b"null",
                b"\x1b",
                b"\xff",
            ),
            CANARY.encode(),
            FINE,
            reply(401, openai("x", CANARY)),
            gzip.compress(b"{}"),
        ]
    ),
    max_size=25,
)


@settings(max_examples=amount(300, 10_000), deadline=None)
@given(said=SAID, cut=st.none() | st.integers(0, 400))
def test_whatever_the_server_says_there_is_an_answer(said: list[bytes], cut: int | None) -> None:
    connection = Said(b"".join(said)[:cut])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kimi_profiles.online.exchange.connect", lambda *_: connection)
        asked(HERE)  # looks for the canary

    assert connection.sent.count(b"POST ") == 1
    assert CANARY.encode() in connection.sent


# ---- the module


def test_importing_it_loads_nothing_that_talks() -> None:
    heavy = "{'ssl', 'socket', 'http', 'email', 'decimal'}"
    code = f"import kimi_profiles.online, sys; print(*{heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
