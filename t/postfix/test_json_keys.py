"""Every key that failfastctl prints as JSON is in its manual page."""
import json
import re
import subprocess

import pytest

from harness.milter import QUIET, ROOT, program
from harness.scene import RouteScene
from harness.wait import wait_until


def documented():
    """{command: words} of the section JSON, a paragraph for each command."""
    text = (ROOT / "config/failfastctl.8").read_text(encoding="utf-8")
    section = re.search(r"^\.Sh JSON\n(.*?)^\.Sh ", text, re.MULTILINE | re.DOTALL).group(1)
    found, command = {}, None
    for line in section.splitlines():
        begins = re.match(r"\.Cm (\w+) Fl -json", line)
        if begins:
            command = begins.group(1)
            found[command] = set()
        elif line.startswith((".Cm ", ".It Cm ")):
            found[command].update(re.findall(r"[\w-]+", line.partition("Cm ")[2]))
    return found


def keys(value):
    """All keys in a document."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return set()


def commands():
    """Commands that have --json, as failfastctl itself says."""
    done = subprocess.run([program("failfastctl"), "help"], check=True, capture_output=True, text=True)
    return re.findall(r"^    (\w+) .*--json", done.stdout.split("\n\n")[0], re.MULTILINE)


def watched(milter):
    """What watch prints of hops and of a daemon that stops."""
    watch = subprocess.Popen([program("failfastctl"), "-s", milter.control, "watch", "--json"],
                             stdout=subprocess.PIPE)
    events = [json.loads(watch.stdout.readline())]
    milter.stop()
    while events[-1]["event"] != "gone":
        events.append(json.loads(watch.stdout.readline()))
    watch.kill()
    watch.wait()
    watch.stdout.close()
    assert events[0]["event"] == "present"
    return events


@pytest.mark.seconds(5)
def test_each_key_of_real_output_is_documented(site):
    scene = RouteScene(site, probe={**QUIET, "down_interval": "200ms"})
    scene.postfix.params["mailbox_transport"] = "gone:"
    scene.start()
    scene.milter.wait_state(scene.good_hop, "up")
    scene.milter.wait_state(scene.bad_hop, "up")
    scene.bad.stop()
    scene.postfix.sendmail("s@from.test", ["a@bad.test"], "Subject: x\n\nx\n")
    scene.milter.ctl("probe", scene.bad_hop)
    wait_until(scene.postfix.queue, 5, "a message waits")
    arguments = {"status": [], "explain": ["s@from.test", "a@bad.test"], "probe": [scene.bad_hop], "check": [],
                 "queue": [], "force": [scene.good_hop, "down", "--comment", "x"], "reload": []}
    manual = documented()
    for command in commands():
        if command == "watch":
            continue
        done = subprocess.run([program("failfastctl"), "-c", scene.milter.conf, command, "--json",
                               *arguments[command]], check=False, capture_output=True, timeout=30)
        missing = keys(json.loads(done.stdout)) - manual[command] - manual["status"]
        assert not missing, f"failfastctl {command} --json prints {missing}"
    missing = keys(watched(scene.milter)) - manual["watch"]
    assert not missing, f"failfastctl watch --json prints {missing}"
