"""Chromium without a window, driven over its DevTools protocol: what a page does."""

import asyncio
import base64
import itertools
import json
import shutil
from contextlib import asynccontextmanager, suppress

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--no-first-run", "--remote-debugging-port=0", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_S = 60
KEYS = {"Tab": 9, "Enter": 13, " ": 32}


@asynccontextmanager
async def chromium(profile):
    """Give a browser with a fresh profile, ended when the context is left."""
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            address = await _address(process.stderr)
        rest = asyncio.create_task(process.stderr.read())
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            browser = Browser(socket)
            listening = asyncio.create_task(browser.listen())
            yield browser
            with suppress(TimeoutError):
                await browser.ask("Browser.close")
            await listening
        await rest
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        await process.wait()


async def _address(lines):
    async for line in lines:
        _, told, address = line.decode().partition("DevTools listening on ")
        if told:
            return address.strip()
    raise RuntimeError("chromium ended before it listened")


class Browser:
    """A connection to Chromium; `open` gives a page."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers = {}
        self._pages = {}

    async def listen(self):
        """Hand on what Chromium says, until it is gone."""
        async for message in self._socket:
            told = json.loads(message.data)
            answer = self._answers.pop(told.get("id"), None)
            if answer is not None and not answer.done():
                answer.set_result(told)
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].hear(told["method"], told["params"])
        for answer in self._answers.values():
            answer.cancel()

    async def ask(self, method, session=None, **params):
        """Send a command and return its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        await self._socket.send_json(command)
        if method == "Browser.close":
            return {}
        async with asyncio.timeout(PATIENCE_S):
            told = await self._answers[number]
        assert "error" not in told, (method, told)
        return told["result"]

    @asynccontextmanager
    async def open(self, url, *, width=1280, height=900, dark=False):
        """Give a page that has loaded, and all that it has said and asked for."""
        target = (await self.ask("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.ask(
            "Target.attachToTarget", targetId=target, flatten=True
        )
        page = Page(self, attached["sessionId"])
        self._pages[page.session] = page
        for domain in ("Runtime", "Log", "Network", "Page"):
            await page.ask(f"{domain}.enable")
        await page.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        await page.wear(dark=dark)
        await page.ask("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE_S):
            await page.loaded.wait()
        yield page
        await self.ask("Target.closeTarget", targetId=target)
        del self._pages[page.session]


class Page:
    """One page: `said` has its errors and warnings, `asked` the addresses it wanted."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.loaded = asyncio.Event()
        self.said, self.asked = [], []

    def hear(self, method, params):
        if method == "Page.loadEventFired":
            self.loaded.set()
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.said.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.said.append(str(params["exceptionDetails"]))

    async def ask(self, method, **params):
        return await self.browser.ask(method, self.session, **params)

    async def run(self, script):
        """Return what an expression comes to, a promise awaited."""
        told = await self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True,
            awaitPromise=True, allowUnsafeEvalBlockedByCSP=False,
        )  # fmt: skip
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def wear(self, *, dark, medium=""):
        """Let the reader prefer dark or light pages, on screen or on paper."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    async def press(self, key):
        """Press and release a key."""
        text = {"Enter": "\r", " ": " "}.get(key)
        what = {"key": key, "windowsVirtualKeyCode": KEYS[key]}
        what |= {"text": text} if text else {}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", **what)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **what)

    async def click(self, selector):
        """Click in the middle of the first element that a selector finds."""
        box = await self.run(
            f"""(() => {{
              const found = document.querySelector({json.dumps(selector)});
              found.scrollIntoView({{block: "center", inline: "center"}});
              const box = found.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask(
                "Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1],
                button="left", clickCount=1,
            )  # fmt: skip

    async def picture(self):
        """Return the whole page, from top to end, as a PNG."""
        told = await self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(told["data"])

    async def printed(self):
        """Return the page on paper, as a PDF."""
        told = await self.ask(
            "Page.printToPDF", preferCSSPageSize=True, printBackground=True
        )
        return base64.b64decode(told["data"])
