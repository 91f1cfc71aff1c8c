"""The page for people, in a real Chromium."""
import time

import pytest

from harness.browser import Browser
from harness.wait import wait_until
from harness.web import Greeter, Web

MARKUP = "<img/src=x/onerror=alert(1)>"

# Every text must stand out from what is behind it (WCAG 2.1, 1.4.3: 4.5 to 1).
TOO_FAINT = """
function parts(colour) { return colour.match(/[\\d.]+/g).map(Number); }
function light(colour) {
    const [r, g, b] = parts(colour).map(v => v / 255).map(
        v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
    for (; element; element = element.parentElement) {
        const colour = getComputedStyle(element).backgroundColor, alpha = parts(colour)[3];
        if (alpha === undefined || alpha === 1)
            return colour;
    }
    return "rgb(255, 255, 255)";
}
const found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.getClientRects().length)
        continue;
    const a = light(getComputedStyle(element).color), b = light(behind(element));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
        found.push([walk.currentNode.data.trim(), contrast]);
}
return found;
"""
ROWS = """
return Object.fromEntries(Array.from(document.querySelectorAll("#rows tr"),
    row => [row.cells[1].firstElementChild.textContent, row.cells[0].innerText.trim()]));
"""


# What a window does that is looked at again: it asks at once, not at its next turn.
LOOK_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def browser(site):
    """A browser that ends before the site does."""
    made = Browser(site.world.free_port())
    site.at_end(made.stop)
    return made.start()


def make(site, names, **kwargs):
    """A milter with these hops."""
    milter = site.milter(hostname="mx.example.com", **kwargs)
    milter.extra = "".join(f'hop "{name}" {{ }}\n' for name in names)
    return Web(milter, site.world.free_port())


def url(web, path="/"):
    """Where a browser finds it."""
    return f"http://{web.host}:{web.port}{path}"


def must_fit_and_be_legible(browser):  # pylint: disable=redefined-outer-name
    """On a telephone nothing is cut off; light or dark, everything can be read."""
    for width in (320, 390, 1280):
        browser.size(width, 800)
        wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1] == width, wide
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            assert browser.run(TOO_FAINT) == [], (width, scheme)


@pytest.mark.seconds(10)
def test_five_hops_are_live_and_markup_is_text(site, browser):  # pylint: disable=redefined-outer-name
    peer = site.peer()
    banner = Greeter(site.world.free_port(), f"554 {MARKUP}").start()
    site.at_end(banner.stop)
    name = f"smtp:[127.0.0.1]:{peer.bind_to[1]}"
    sick = f"smtp:[127.0.0.1]:{banner.port}"
    names = [name, sick, f"relay:{MARKUP}", "smtp:[127.0.0.1]:1",
             f"smtp:[{'long-' * 11}.example.com]:587"]
    web = make(site, names)
    web.milter.start()
    web.milter.wait_state(name, "up")
    web.milter.wait_state(sick, "down")
    web.milter.wait_state(names[4], "down")
    browser.open(url(web))
    rows = browser.run(ROWS)
    assert rows == {**{other: "down" for other in names}, name: "up"}
    assert browser.text("h1") == "4 of 5 hops are down"
    assert browser.title() == "4 of 5 hops are down – mx.example.com"
    assert browser.run("return document.images.length + document.scripts.length") == 1
    assert MARKUP in browser.text("#rows") and browser.log() == []
    must_fit_and_be_legible(browser)

    # Typing narrows it, in the page that is there, and what changes meanwhile is seen.
    browser.run("window.isSame = true")
    browser.type("#q", str(peer.bind_to[1]))
    wait_until(lambda: list(browser.run(ROWS)) == [name], 5, "one row is left")
    assert browser.run("return location.search") == f"?q={peer.bind_to[1]}"
    peer.stop()
    web.milter.wait_state(name, "down", "connection-refused")
    wait_until(lambda: browser.run(ROWS) == {name: "down"}, 8, "the page shows it")
    assert browser.title().startswith("All 5") is False and browser.text("h1") == "5 of 5 hops are down"
    assert name in browser.text("#changes li:first-child")
    assert browser.run("return window.isSame && document.activeElement.id") == "q"
    assert browser.log() == []


@pytest.mark.seconds(10)
def test_no_hops_then_one_and_then_nobody_answers(site, browser):  # pylint: disable=redefined-outer-name
    web = make(site, [])
    web.milter.start()
    browser.open(url(web))
    assert browser.text("h1") == "No hops are known yet"
    must_fit_and_be_legible(browser)
    web.milter.extra = 'hop "smtp:[127.0.0.1]:1" { }\n'
    web.milter.write()
    web.milter.hup()
    web.milter.wait_state("smtp:[127.0.0.1]:1", "down")
    browser.run(LOOK_AGAIN)
    wait_until(lambda: browser.text("h1") == "1 of 1 hop is down", 8, "the page shows the first hop")
    web.milter.stop()
    browser.run(LOOK_AGAIN)
    wait_until(lambda: "No answer" in browser.text("#live-text"), 8, "the page says that it is late")
    assert browser.run("return document.body.className") == "is-late"
    web.milter.start()
    browser.run(LOOK_AGAIN)
    wait_until(lambda: browser.text("#live-text").startswith("Live"), 8, "it is live again")
    assert browser.run("return document.body.className") == ""


@pytest.mark.seconds(16)
def test_two_thousand_hops_without_and_with_javascript(site, browser):  # pylint: disable=redefined-outer-name
    names = [f"smtp-{number}:[127.0.0.1]:1" for number in range(2000)]
    web = make(site, names, probe={"interval": "60s", "down_interval": "60s"})
    web.milter.start()
    wait_until(lambda: web.milter.status()["counts"]["down"] == 2000, 20, "all are down")
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(url(web))
    assert browser.text("h1") == "2000 of 2000 hops are down"
    assert browser.text("#count").startswith("The worst 500 of 2000 are shown.")
    browser.type("#q", "smtp-77:")
    browser.click("#filter button")
    wait_until(lambda: browser.text("#count").startswith("1 of 2000 hops."), 5, "the form is sent")
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)
    browser.open(url(web))
    assert len(browser.run(ROWS)) == 500
    began = time.monotonic()
    browser.click("#count a")
    wait_until(lambda: len(browser.run(ROWS)) == 2000, 10, "all are shown")
    print(f"2,000 rows after {time.monotonic() - began:.2f} s")
    assert sorted(browser.run(ROWS)) == sorted(names)
    browser.type("#q", "smtp-1234:")
    wait_until(lambda: list(browser.run(ROWS)) == ["smtp-1234:[127.0.0.1]:1"], 10, "one is left")
    browser.type("#q", "\ue003" * 10)
    wait_until(lambda: len(browser.run(ROWS)) == 500, 10, "the others are back")
    assert browser.log() == []
