"""Every key that failfastctl prints as JSON is in its manual page."""
import json
import re
import subprocess

from harness.milter import QUIET, ROOT, program
from harness.scene import RouteScene


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


def test_each_key_of_real_output_is_documented(site):
    scene = RouteScene(site, probe={**QUIET, "down_interval": "200ms"})
    scene.postfix.params["mailbox_transport"] = "gone:"
    scene.start()
    scene.milter.wait_state(scene.good_hop, "up")
    scene.milter.wait_state(scene.bad_hop, "up")
    scene.bad.stop()
    scene.milter.ctl("probe", scene.bad_hop)
    outputs = {
        "status": scene.milter.ctl("status", "--json")[1],
        "explain": scene.milter.ctl("explain", "--json", "s@from.test", "a@bad.test")[1],
        "probe": scene.milter.ctl("probe", "--json", scene.bad_hop)[1],
    }
    check = subprocess.run([program("failfastctl"), "-c", scene.milter.conf, "check", "--json"],
                           check=False, capture_output=True, timeout=30)
    outputs["check"] = json.loads(check.stdout)
    watch = subprocess.Popen([program("failfastctl"), "-s", scene.milter.control, "watch", "--json"],
                             stdout=subprocess.PIPE)
    outputs["watch"] = [json.loads(watch.stdout.readline())]
    scene.milter.stop()
    while outputs["watch"][-1]["event"] != "gone":
        outputs["watch"].append(json.loads(watch.stdout.readline()))
    watch.kill()
    watch.wait()
    watch.stdout.close()
    assert {event["event"] for event in outputs["watch"]} == {"present", "gone"}
    assert outputs["check"]["findings"] and outputs["explain"]["verdicts"]
    manual = documented()
    assert set(outputs) <= set(manual)
    for command, output in outputs.items():
        missing = keys(output) - manual[command] - manual["status"]
        assert not missing, f"failfastctl {command} --json prints {missing}"
