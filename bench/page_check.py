"""Look at the page of a plan in a real browser: screenshots, keyboard, and that nothing is loaded from elsewhere.

Example: ``python bench/page_check.py samples/bert_layer.fir -o out``. Plans the model, opens its page in a headless
Chromium, goes through it by keyboard and search, and leaves pictures of it in ``out``: light and dark, wide and narrow,
a box open or none. Ends with 1 when a check fails, with 2 when no Chromium is found. Speaks the DevTools protocol
through a pipe.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
WIDE, NARROW = (1280, 900), (400, 800)


class Browser:
    """A page in a Chromium of its own, with a new profile."""

    def __init__(self, program: str) -> None:
        self.profile = tempfile.TemporaryDirectory(prefix="fstc-page-", ignore_cleanup_errors=True)
        ours_out, theirs_in = os.pipe()
        theirs_out, ours_in = os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        start = f'exec 3<&{theirs_out} 4>&{theirs_in}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", start, "bash", program, *FLAGS, f"--user-data-dir={self.profile.name}"],
            pass_fds=(theirs_out, theirs_in),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader = os.fdopen(ours_out, "rb", buffering=0)
        self.writer = os.fdopen(ours_in, "wb", buffering=0)
        self.events: list[dict[str, Any]] = []
        self.rest = b""
        self.number = 0
        self.session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session = ""
        self.call("Browser.close")
        self.process.wait(timeout=20)
        self.reader.close()
        self.writer.close()
        self.profile.cleanup()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            data = self.reader.read(1 << 16)
            if not data:
                sys.exit("the browser ended")
            self.rest += data
        text, _, self.rest = self.rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, url: str, size: tuple[int, int], dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
        )
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        while self.value("document.readyState") != "complete" or self.value("location.href") == "about:blank":
            pass

    def value(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """As a person would: a key with its code, so that focus moves and buttons react."""
        codes = {
            "Enter": 13,
            "Escape": 27,
            "Tab": 9,
            " ": 32,
            "ArrowDown": 40,
            "ArrowRight": 39,
            "ArrowUp": 38,
            "End": 35,
        }
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            code = codes.get(key, ord(key[0].upper()))
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def heard(self, *methods: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("method") in methods]

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


class Checks:
    """What must hold; each is printed."""

    def __init__(self) -> None:
        self.failed = 0

    def that(self, what: str, holds: object) -> None:
        self.failed += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)


def by_keyboard(browser: Browser, url: str, checks: Checks) -> None:
    """Tab to the graph, walk, open, close, search."""
    focus = "document.activeElement.id"
    on_box = "document.activeElement.classList.contains('box')"
    shut = "document.getElementById('panel').hidden"
    browser.open(url, WIDE)
    for _ in range(30):
        browser.press("Tab")
        if browser.value(on_box):
            break
    checks.that("Tab reaches the first box", browser.value(focus) == "s0")
    stroke = "getComputedStyle(document.querySelector('#s0 > rect')).strokeWidth"
    checks.that("the focus is visible", browser.value(stroke) == "4px")
    browser.press("ArrowDown")
    below = browser.value(focus)
    count = browser.value("document.querySelectorAll('.box').length")
    checks.that("ArrowDown goes to another box", below != "s0" or count == 1)
    stops = browser.value("document.querySelectorAll('.box[tabindex=\"0\"]').length")
    checks.that("one box is in the tab order", stops == 1)
    browser.press("Enter")
    checks.that("Enter opens the panel", not browser.value(shut))
    checks.that("the focus is in the panel", browser.value(focus) == "panel-title")
    expanded = browser.value(f"document.getElementById('{below}').ariaExpanded")
    checks.that("the box says that it is open", expanded == "true")
    checks.that("the address names it", browser.value("location.hash") == f"#{below}")
    browser.press("Escape")
    checks.that("Escape closes it", browser.value(shut))
    checks.that("the focus is back", browser.value(focus) == below)
    browser.press(" ")
    checks.that("Space opens it", not browser.value(shut))
    browser.press("Escape")
    browser.press("/")
    checks.that("/ goes to the search", browser.value(focus) == "query")
    name = browser.value("JSON.parse(document.getElementById('data').textContent).tensors.at(-1)[0]")
    browser.write(f"%{name}")
    told = browser.value("document.getElementById('found').textContent")
    checks.that(f"the search finds a tensor: {told}", told[:1] in tuple("123456789"))
    browser.press("Enter")
    checks.that("Enter goes to it", browser.value(on_box))
    browser.open(f"{url}#s0", NARROW)
    browser.value("document.getElementById('close').focus()")
    for _ in range(3):
        browser.press("Tab")
    outside = browser.value("!!document.activeElement.closest('header, .bar, .graph')")
    checks.that("a panel that covers all keeps the focus from what it covers", not outside)
    browser.press("Escape")
    checks.that("and gives it back", browser.value(focus) == "s0")
    kernel = browser.value("[...document.querySelectorAll('.box')].findIndex((b) => !b.classList.contains('library'))")
    if kernel >= 0:
        browser.open(f"{url}#s{kernel}", WIDE)
        browser.value("document.querySelector('.ops button').focus()")
        browser.press("Enter")
        checks.that("an op marks itself", browser.value("document.querySelectorAll('.ops .lit').length") > 0)


def pictures(browser: Browser, url: str, stem: str, box: str, folder: Path, checks: Checks) -> None:
    for size, width in ((WIDE, "wide"), (NARROW, "narrow")):
        for dark in (False, True):
            for state, hash in (("", ""), ("-open", f"#{box}")):
                browser.open(url + hash, size, dark)
                browser.picture(folder / f"{stem}-{width}{'-dark' if dark else ''}{state}.png")
                over = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                checks.that(f"{width}{state}: the page does not scroll sideways", over <= 0)
            foot = browser.value(
                "(() => { const panel = document.getElementById('panel'); panel.scrollTop = 1e9;"
                " return panel.lastElementChild.getBoundingClientRect().bottom - window.innerHeight })()"
            )
            checks.that(f"{width}: the end of the panel can be seen", foot <= 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a .fir, an artefact of it, or a page")
    parser.add_argument("-o", "--output", default=".", help="folder for the pictures")
    parser.add_argument("--box", default="s0", help="the box that pictures show open")
    given = parser.parse_args()
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        print(f"nothing was checked: none of {', '.join(BROWSERS)} is installed", file=sys.stderr)
        sys.exit(2)
    folder = Path(given.output)
    folder.mkdir(parents=True, exist_ok=True)
    page = Path(given.model).resolve()
    if page.suffix != ".html":
        command = [sys.executable, "-m", "fstc", "plan", str(page), "--emit", "html"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        page = (folder / f"{page.name.removesuffix('.fir')}.plan.html").resolve()
    checks = Checks()
    url = page.as_uri()
    with Browser(program) as browser:
        by_keyboard(browser, url, checks)
        pictures(browser, url, page.name.removesuffix(".plan.html"), given.box, folder, checks)
        asked = [e["params"]["request"]["url"] for e in browser.heard("Network.requestWillBeSent")]
        foreign = sorted({a for a in asked if a.partition("#")[0] not in (url, "about:blank")})
        checks.that(f"nothing else is loaded {foreign or ''}", not foreign)
        errors = [e["params"] for e in browser.heard("Runtime.exceptionThrown", "Log.entryAdded")]
        checks.that(f"no error in the console {errors or ''}", not errors)
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
