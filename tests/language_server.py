"""Talk to a language server over its standard streams, as an editor does (LSP 3.17, JSON-RPC 2.0)."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sysconfig
import threading
from typing import TYPE_CHECKING, Any

from support import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_TIMEOUT_S = 60


def server_path(name: str) -> str:
    """The language server from our own environment, else from PATH."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or require_tool(name)


def without_network() -> list[str]:
    """What to put before a command so that it can reach nothing; empty where the system cannot do that."""
    prefix = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return []
    return [] if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode else prefix


class LanguageServer:
    """One conversation. The server asks for its settings and gets ``settings`` for whatever it names."""

    def __init__(self, process: subprocess.Popen[bytes], settings: object) -> None:
        self._process = process
        self._settings = settings
        self._number = 0
        self._received: queue.Queue[dict[str, Any]] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ask(self, method: str, parameters: object) -> Any:
        """The server's answer to one request."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": parameters})
        answer = self._wait(lambda message: message.get("id") == number and "method" not in message)
        assert "error" not in answer, answer
        return answer["result"]

    def tell(self, method: str, parameters: object) -> None:
        """Send what needs no answer."""
        self._send({"method": method, "params": parameters})

    def open(self, path: Path) -> list[str]:
        """Open a document; the messages of the diagnostics that come for it."""
        item = {"uri": path.as_uri(), "languageId": "toml", "version": 1, "text": path.read_text("utf-8")}
        self.tell("textDocument/didOpen", {"textDocument": item})
        if "diagnosticProvider" in self.capabilities:
            found = self.ask("textDocument/diagnostic", {"textDocument": {"uri": path.as_uri()}})["items"]
        else:
            found = self._wait(
                lambda message: (
                    message.get("method") == "textDocument/publishDiagnostics"
                    and message["params"]["uri"] == path.as_uri()
                )
            )["params"]["diagnostics"]
        return [entry["message"] for entry in found]

    def at(self, path: Path, text: str) -> dict[str, Any]:
        """The place right behind the first ``text`` of the document, as parameters of a request."""
        before = path.read_text("utf-8").partition(text)[0] + text
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return {"textDocument": {"uri": path.as_uri()}, "position": place}

    def start(self, root: Path) -> None:
        """Say who we are."""
        answer = self.ask(
            "initialize",
            {
                "processId": os.getpid(),  # taplo leaves without one
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": "root"}],
                "capabilities": {
                    "workspace": {"configuration": True, "workspaceFolders": True},
                    "textDocument": {"diagnostic": {}},
                },
            },
        )
        self.capabilities = answer["capabilities"]
        self.tell("initialized", {})

    def end(self) -> None:
        """End the server, whatever it or our answers to it are about; only then are the streams closed."""
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        self._listener.join(_TIMEOUT_S)
        with contextlib.suppress(OSError):  # what it did not read any more
            self._process.stdin.close()

    def _wait(self, is_it: Any) -> dict[str, Any]:
        while True:
            message = self._received.get(timeout=_TIMEOUT_S)
            if is_it(message):
                return message

    def _send(self, message: Mapping[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
            elif header == b"\r\n":
                body = stream.read(length)
                if len(body) < length:  # it was ended in the middle of a message
                    return
                message = json.loads(body)
                if "method" in message and "id" in message:
                    with contextlib.suppress(OSError):  # it may be about to end
                        self._send({"id": message["id"], "result": self._reply(message)})
                self._received.put(message)

    def _reply(self, message: Mapping[str, Any]) -> object:
        if message["method"] == "workspace/configuration":
            return [self._settings for _ in message["params"]["items"]]
        return None


@contextlib.contextmanager
def language_server(
    command: Sequence[str], *, root: Path, environment: Mapping[str, str], settings: object = None
) -> Iterator[LanguageServer]:
    """Run a language server for the documents below ``root`` as long as the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=root, env=dict(environment), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    ) as process:
        server = LanguageServer(process, settings)
        try:
            server.start(root)
            yield server
        finally:
            server.end()
