"""Which base URLs can work, and which token belongs where."""

from __future__ import annotations

import ipaddress

import pytest

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.endpoint import check_base_url, check_token, profile_notices
from kimi_profiles.errors import EndpointError
from kimi_profiles.loopback import is_loopback
from kimi_profiles.profile import Profile
from kimi_profiles.secrets import Secret

INTL, CN = "https://api.moonshot.ai/anthropic", "https://api.moonshot.cn/anthropic"
CODE = "https://api.kimi.com/coding/"
PLATFORM_KEY, MEMBER_KEY = "sk-" + "Zq9" * 16, "sk-kimi-" + "Zq9" * 16
CLAUDE_KEY, ROUTER_KEY = "sk-ant-api03-" + "Zq9" * 16, "sk-or-v1-" + "Zq9" * 16

# ---- base URLs

GOOD = {
    "Moonshot": CN,
    "with a slash": f"{CN}/",
    "with slashes": f"{CN}///",
    "upper-case host": "https://API.MOONSHOT.CN/anthropic",
    "upper-case scheme": "HTTPS://api.moonshot.cn/anthropic",
    "the scheme's own port": "https://api.moonshot.cn:443/anthropic",
    "a final dot": "https://api.moonshot.cn./anthropic",
    "below a known path": f"{CN}/beta",
    "an unknown host": "https://gateway.example",
    "an unknown host with a path": "https://gateway.example/a/b",
    "punycode": "https://xn--mller-kva.example/anthropic",
    "IPv4": "https://192.0.2.1:8443/anthropic",
    "IPv6": "https://[2001:db8::1]:8443/anthropic",
    "v1 inside the path": "https://gateway.example/v1/anthropic",
    "v1 is the end of a word": "https://gateway.example/kimi-v1",
    "http to localhost": "http://localhost:4000",
    "http to LOCALHOST": "http://LOCALHOST:4000",
    "http below localhost": "http://litellm.localhost:4000",
    "http to 127.0.0.1": "http://127.0.0.1:4000",
    "http to 127.9.9.9": "http://127.9.9.9",
    "http to ::1": "http://[::1]:4000",
    "Ollama": "http://localhost:11434",
}


@pytest.mark.parametrize("url", GOOD.values(), ids=GOOD)
def test_a_base_url_that_works(url: str) -> None:
    check_base_url(url)


@pytest.mark.parametrize("provider", read_catalogue().providers.values(), ids=lambda one: one.id)
def test_every_provider_of_the_catalogue_works(provider: object) -> None:
    check_base_url(provider.base_url)  # type: ignore[attr-defined]


BAD = {
    "/v1": (f"{CN}/v1", "adds /v1/messages", f"use {CN}"),
    "/v1/": (f"{CN}/v1/", "adds /v1/messages", f"use {CN}"),
    "/v1/messages": (f"{CN}/v1/messages", "'/v1/messages' at its end", f"use {CN}"),
    "OpenAI's path": ("https://api.moonshot.cn/v1", "adds /v1/messages", f"use {CN}"),
    "OpenAI's whole path": (
        "https://gateway.example/v1/chat/completions",
        "adds /v1/messages",
        "use https://gateway.example",
    ),
    "/v1 at an unknown host": (
        "https://gateway.example/a/v1//",
        "adds /v1/messages",
        "use https://gateway.example/a",
    ),
    "/v4": ("https://api.z.ai/api/paas/v4", "adds /v1/messages", "use https://api.z.ai/api/anthropic"),
    "a known host without its path": ("https://api.moonshot.ai", "at this path", f"use {INTL}"),
    "another path on a known host": ("https://api.moonshot.ai/openai", "at this path", f"use {INTL}"),
    "a longer word on a known host": (f"{INTL}x", "at this path", f"use {INTL}"),
    "letter case on a known host": (INTL.replace("anthropic", "Anthropic"), "at this path", f"use {INTL}"),
    "upper-case host, wrong path": ("https://API.MOONSHOT.AI/x", "at this path", f"use {INTL}"),
    "final dot, wrong path": ("https://api.moonshot.ai./x", "at this path", f"use {INTL}"),
    "http": ("http://api.moonshot.cn/anthropic", "unencrypted", "use https"),
    "http to a private address": ("http://192.168.1.2/anthropic", "unencrypted", "use https"),
    "http to every address": ("http://0.0.0.0:4000", "unencrypted", "use https"),
    "localhost.evil.com": ("http://localhost.evil.com", "unencrypted", "use https"),
    "evil-localhost": ("http://evil-localhost", "unencrypted", "use https"),
    "127.0.0.1.evil.com": ("http://127.0.0.1.evil.com", "unencrypted", "use https"),
    "127.1": ("http://127.1", "unencrypted", "use https"),
    "a number for an address": ("http://2130706433", "unencrypted", "use https"),
    "IPv6, not loopback": ("http://[2001:db8::1]", "unencrypted", "use https"),
    "user": ("https://Zq9@gateway.example", "user name or password", "auth.token"),
    "user and password": ("https://u:Zq9Zq9@gateway.example", "user name or password", "auth.token"),
    "loopback as user": ("http://localhost:Zq9@evil.com", "user name or password", "auth.token"),
    "query": ("https://gateway.example/?key=Zq9", "a query or a fragment", ""),
    "empty query": ("https://gateway.example/?", "a query or a fragment", ""),
    "fragment": ("https://gateway.example/#Zq9", "a query or a fragment", ""),
    "a backslash": ("http://localhost\\@evil.com", "user name or password", ""),
    "a backslash in the host": ("http://localhost\\.evil.com", "https://host/path", ""),
    "a percent sign in the host": ("http://localhost%2eevil.com", "https://host/path", ""),
    "text after IPv6": ("http://[::1].evil.com", "", ""),
    "brackets around a name": ("http://[localhost]", "", ""),
    "an open bracket": ("http://[::1", "not a URL", ""),
    "a scope id": ("http://[fe80::1%25eth0]", "", ""),
    "a port that is none": ("https://gateway.example:99999", "not a URL", ""),
    "a word for a port": ("https://gateway.example:https", "not a URL", ""),
    "no scheme": ("api.moonshot.cn/anthropic", "https://host/path", ""),
    "no scheme, with slashes": ("//api.moonshot.cn/anthropic", "https://host/path", ""),
    "no host": ("https:///anthropic", "https://host/path", ""),
    "one slash": ("https:/api.moonshot.cn/anthropic", "https://host/path", ""),
    "another scheme": ("ftp://gateway.example", "https://host/path", ""),
    "a file": ("file:///etc/passwd", "https://host/path", ""),
    "a script": ("javascript:alert(1)", "https://host/path", ""),
    "empty": ("", "holds a blank", ""),
    "a blank": ("https://gateway.example/a b", "holds a blank", ""),
    "a blank before": (f" {CN}", "holds a blank", ""),
    "a line end": (f"{CN}\n", "holds a blank", ""),
    "a line end inside": ("https://gateway\n.example", "holds a blank", ""),
    "a tab inside": ("ht\ttps://gateway.example", "holds a blank", ""),
    "an escape": (f"{CN}\x1b[2J", "holds a blank", ""),
    "Cyrillic": ("https://api.moonsh\u043et.cn/anthropic", "outside ASCII", ""),
    "full-width dot": ("https://api.moonshot\uff0ecn/anthropic", "outside ASCII", ""),
    "an expanded reference": ("https://${HOST}/anthropic", "https://host/path", ""),
}


@pytest.mark.parametrize(("url", "reason", "hint"), BAD.values(), ids=BAD)
def test_a_base_url_that_does_not_work(url: str, reason: str, hint: str) -> None:
    with pytest.raises(EndpointError) as caught:
        check_base_url(url)
    assert reason in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "Zq9" not in str(caught.value) + (caught.value.hint or "")
    assert (str(caught.value) + (caught.value.hint or "")).isprintable()


# ---- tokens

BELONGS = {
    "platform key, China": (CN, PLATFORM_KEY),
    "platform key, international": (INTL, PLATFORM_KEY),
    "platform key, below the known path": (f"{CN}/beta/", PLATFORM_KEY),
    "membership key": (CODE, MEMBER_KEY),
    "membership key, no slash": (CODE.rstrip("/"), MEMBER_KEY),
    "membership key, other region": ("https://api.kimi.ai/coding", MEMBER_KEY),
    "router key": ("https://openrouter.ai/api", ROUTER_KEY),
    "nobody knows the provider's prefix": ("https://api.deepseek.com/anthropic", PLATFORM_KEY),
    "no prefix at all": ("https://api.deepseek.com/anthropic", "Zq9" * 10),
    "any key at an unknown host": ("https://gateway.example", MEMBER_KEY),
    "Anthropic's key at Anthropic": ("https://api.anthropic.com", CLAUDE_KEY),
    "Anthropic's key at a proxy here": ("http://localhost:4000", CLAUDE_KEY),
    "any key here": ("http://127.0.0.1:11434", MEMBER_KEY),
    "any key here, IPv6": ("http://[::1]:11434", CLAUDE_KEY),
}


@pytest.mark.parametrize(("url", "token"), BELONGS.values(), ids=BELONGS)
def test_a_token_that_may_belong_there(url: str, token: str) -> None:
    check_token(url, Secret(token))


STRAYS = {
    "membership key at the platform, China": (CN, MEMBER_KEY, "https://api.kimi.com/coding/"),
    "membership key at the platform": (INTL, MEMBER_KEY, "https://api.kimi.ai/coding/"),
    "with a slash": (f"{INTL}/", MEMBER_KEY, "https://api.kimi.com/coding/"),
    "upper-case host": ("https://API.MOONSHOT.AI/anthropic", MEMBER_KEY, "https://api.kimi.com/coding/"),
    "final dot": ("https://api.moonshot.ai./anthropic", MEMBER_KEY, "https://api.kimi.com/coding/"),
    "platform key at the membership": (CODE, PLATFORM_KEY, "begin with 'sk-kimi-'"),
    "router key at the platform": (CN, ROUTER_KEY, "openrouter.ai"),
    "router key at the membership": (CODE, ROUTER_KEY, "openrouter.ai"),
    "membership key at the router": ("https://openrouter.ai/api", MEMBER_KEY, "api.kimi.com"),
    "membership key where no prefix is known": (
        "https://api.deepseek.com/anthropic",
        MEMBER_KEY,
        "https://api.kimi.com/coding/",
    ),
    "no prefix at the platform": (CN, "Zq9" * 12, "begin with 'sk-'"),
    "Anthropic's key at Moonshot": (CN, CLAUDE_KEY, "Anthropic's"),
    "Anthropic's key at the membership": (CODE, CLAUDE_KEY, "Anthropic's"),
    "Anthropic's key at an unknown host": ("https://gateway.example", CLAUDE_KEY, "Anthropic's"),
    "Anthropic's key at a host that only ends alike": (
        "https://evilanthropic.com",
        CLAUDE_KEY,
        "Anthropic's",
    ),
    "Anthropic's key at a host that only begins alike": (
        "https://api.anthropic.com.evil.com",
        CLAUDE_KEY,
        "Anthropic's",
    ),
    "Anthropic's key at a false localhost": ("https://localhost.evil.com", CLAUDE_KEY, "Anthropic's"),
}


@pytest.mark.parametrize(("url", "token", "reason"), STRAYS.values(), ids=STRAYS)
def test_a_token_that_belongs_to_somebody_else(url: str, token: str, reason: str) -> None:
    with pytest.raises(EndpointError) as caught:
        check_token(url, Secret(token))
    assert reason in caught.value.message
    assert "Zq9" not in str(caught.value) + (caught.value.hint or "")


# ---- notices

ONE_MODEL = {"default": "kimi-k2.7-code"}
NOTICES: dict[str, tuple[Profile, list[str]]] = {
    "nothing odd": (Profile("p", CN, models=ONE_MODEL, provider="moonshot-cn"), []),
    "one region named, the other addressed": (
        Profile("p", INTL, models=ONE_MODEL, provider="moonshot-cn"),
        ["endpoint-of-other-provider"],
    ),
    "the other way round": (
        Profile("p", f"{CN}/", models=ONE_MODEL, provider="moonshot-intl"),
        ["endpoint-of-other-provider"],
    ),
    "platform named, membership addressed": (
        Profile("p", CODE, models={"default": "kimi-for-coding"}, provider="moonshot-cn"),
        ["endpoint-of-other-provider"],
    ),
    "a proxy of the user's own": (
        Profile("p", "https://gateway.example", models=ONE_MODEL, provider="moonshot-cn"),
        [],
    ),
    "no models": (Profile("p", "https://gateway.example"), ["models-unmapped"]),
    "a retired model": (Profile("p", CN, models={"default": "kimi-k2-0711-preview"}), ["model-retired"]),
    "a legacy model": (Profile("p", CN, models={"default": "moonshot-v1-8k"}), ["model-legacy"]),
    "another provider's model": (Profile("p", CN, models={"default": "glm-5.3"}), ["model-elsewhere"]),
    "an unknown model": (Profile("p", CN, models={"default": "kimi-k9"}), []),
    "each model once": (
        Profile("p", CN, models={"default": "glm-5.3", "opus": "glm-5.3", "haiku": "kimi-k2.7-code"}),
        ["model-elsewhere"],
    ),
}


@pytest.mark.parametrize(("profile", "names"), NOTICES.values(), ids=NOTICES)
def test_notices(profile: Profile, names: list[str]) -> None:
    assert [notice.name for notice in profile_notices(profile)] == names


def test_the_notice_about_the_other_region_names_both() -> None:
    (notice,) = profile_notices(Profile("work", INTL, models=ONE_MODEL, provider="moonshot-cn"))
    assert "moonshot-cn" in notice.message
    assert "moonshot-intl" in notice.message
    assert notice.hint == 'set provider = "moonshot-intl", and give it a key of its own'


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.255.255.254", "128.0.0.1", "127.0.0.1%lo", "127.1", "127.0.0.01", "127.0.0.1."),
        *("::1", "::1%lo", "0:0:0:0:0:0:0:1", "::", "::ffff:127.0.0.1", "fe80::1%eth0", ":", "1::z"),
        *("", "%", "1", "\u0661", "localhost1", "a.localhost", "localhost", "x", "0x7f000001", "2130706433"),
    ],
)
def test_an_address_is_this_machine_where_the_standard_library_says_so(host: str) -> None:
    try:
        expected = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        expected = host in {"localhost", "a.localhost"}
    assert is_loopback(host) is expected
