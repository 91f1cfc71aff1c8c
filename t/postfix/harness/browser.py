"""browser - a headless Chromium, driven over WebDriver with nothing but Python's library"""
import http.client
import json
import subprocess
import tempfile

from .wait import wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update",
             "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


class Browser:
    """One window.  Everything it starts ends with stop()."""

    def __init__(self, port):
        self._port = port
        self._session = None
        self._profile = tempfile.TemporaryDirectory(  # pylint: disable=consider-using-with
            prefix="failfast-browser-", ignore_cleanup_errors=True)
        self._driver = None

    def start(self):
        """Start the driver and a browser."""
        self._driver = subprocess.Popen(  # pylint: disable=consider-using-with
            ["chromedriver", f"--port={self._port}"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=self._profile.name)
        wait_until(self._is_ready, 20, "chromedriver is ready")
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self._profile.name}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"
        return self

    def stop(self):
        """End the browser, then the driver."""
        try:
            if self._session is not None:
                self._call("DELETE", self._session)
        finally:
            if self._driver is not None:
                self._driver.terminate()
                self._driver.wait(10)
            self._profile.cleanup()

    def _is_ready(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            data = json.dumps(body if body is not None else {}) if method == "POST" else None
            connection.request(method, path, data, {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        assert not (isinstance(value, dict) and "error" in value), (method, path, body, value)
        return value

    def open(self, url):
        """Load a page, and wait until it is there."""
        self._call("POST", f"{self._session}/url", {"url": url})

    def run(self, script, *args):
        """The value of a function body run in the page."""
        return self._call("POST", f"{self._session}/execute/sync",
                          {"script": script, "args": list(args)})

    def cdp(self, command, **params):
        """A command of Chromium's own protocol."""
        return self._call("POST", f"{self._session}/goog/cdp/execute",
                          {"cmd": command, "params": params})

    def size(self, width, height):
        """Of the page, as a telephone would have it."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 600)

    def scheme(self, name):
        """Light or dark."""
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": name}])

    def find(self, selector):
        """The handle of an element."""
        return self._call("POST", f"{self._session}/element",
                          {"using": "css selector", "value": selector})[ELEMENT]

    def type(self, selector, text):
        """Keys, as a person presses them."""
        self._call("POST", f"{self._session}/element/{self.find(selector)}/value", {"text": text})

    def click(self, selector):
        """A click."""
        self._call("POST", f"{self._session}/element/{self.find(selector)}/click")

    def text(self, selector):
        """What a person reads there; "" when it is not there now."""
        return self.run("const found = document.querySelector(arguments[0]);"
                        "return found ? found.innerText.trim() : ''", selector)

    def title(self):
        """Of the page."""
        return self._call("GET", f"{self._session}/title")

    def log(self):
        """What the page, or its policy, complained of since this was asked last."""
        return self._call("POST", f"{self._session}/se/log", {"type": "browser"})
