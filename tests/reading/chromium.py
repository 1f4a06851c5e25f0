"""Debian's Chromium, driven through its own debugging pipe; no driver and no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self, cast

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--mute-audio",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--remote-debugging-pipe",
]


class Chromium:
    """A browser with one page."""

    def __init__(self, program: str, width: int = 1000, height: int = 760) -> None:
        self.profile = tempfile.mkdtemp(prefix="penstock-chromium-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "sh", program, *FLAGS, f"--user-data-dir={self.profile}",
             f"--window-size={width},{height}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self.out = os.fdopen(ours_out, "wb", buffering=0)
        self.answers = os.fdopen(ours_in, "rb", buffering=0)
        self.waiting = b""
        self.number = 0
        self.session = ""
        self.events: list[str] = []
        targets = cast("list[dict[str, str]]", self.call("Target.getTargets")["targetInfos"])
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = str(
            self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        )
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.session = ""
        self.call("Browser.close")
        self.process.wait(timeout=30)
        self.out.close()
        self.answers.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self) -> dict[str, object]:
        while b"\0" not in self.waiting:
            piece = os.read(self.answers.fileno(), 1 << 20)
            assert piece, "chromium ended"
            self.waiting += piece
        one, _, self.waiting = self.waiting.partition(b"\0")
        return cast("dict[str, object]", json.loads(one))

    def call(self, method: str, **params: object) -> dict[str, object]:
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        self.out.write(json.dumps(request).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                assert "error" not in message, message
                return cast("dict[str, object]", message["result"])
            self.events.append(str(message.get("method")))

    def open(self, page: Path | str) -> None:
        self.events.clear()
        url = page if isinstance(page, str) else page.resolve().as_uri()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self.events:
            self.events.append(str(self.message().get("method")))

    def tab(self, url: str) -> str:
        """Open another page beside this one; return its name."""
        mine, self.session = self.session, ""
        made = self.call("Target.createTarget", url=url, background=True)
        self.session = mine
        return str(made["targetId"])

    def close_tab(self, name: str) -> None:
        mine, self.session = self.session, ""
        self.call("Target.closeTarget", targetId=name)
        self.session = mine

    def run(self, script: str) -> object:
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return cast("dict[str, object]", answer["result"]).get("value")

    def press(self, key: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else ""
            )

    def picture(self, path: Path) -> None:
        answer = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(str(answer["data"])))
