"""failfastctl probe: the dialogue step by step, what was found, and that it is no port scanner."""
import concurrent.futures
import json
import subprocess
import time

import pytest

from harness.milter import BRISK, program
from harness.net import REMOTE_ADDRESS
from harness.scene import FilterScene, RelayScene
from harness.wait import wait_until

# So seldom that a probe in a test is the one that was asked for.
SELDOM = {**BRISK, "interval": "1h", "fast_interval": "1h", "down_interval": "1h"}


def texts(found, kind=None, direction=None):
    """The texts of the steps of a kind, in order."""
    return [step["text"] for step in found["steps"]
            if kind in (None, step["kind"]) and direction in (None, step["direction"])]


def test_probe_prints_the_dialogue_and_the_result(site):
    scene = RelayScene(site, probe=SELDOM).start()
    scene.milter.wait_state(scene.hop, "up")
    before = scene.relay.connections
    code, found = scene.milter.ctl("probe", "--json", scene.hop)
    assert code == 0, found
    assert sorted(found) == ["hop", "result", "status", "steps"] and found["hop"] == scene.hop
    assert texts(found, "service", "sent") == ["connect to private/smtp"]
    assert texts(found, "service", "received") == ["the greeting of a delivery agent"]
    assert texts(found, "connect", "sent") == [f"connect to {REMOTE_ADDRESS}:{scene.relay.bind_to[1]}"]
    assert texts(found, "dialogue", "sent") == ["EHLO mx.example.test", "QUIT"]
    heard = texts(found, "dialogue", "received")
    assert heard[0].startswith("220 ") and heard[-1].startswith("221 "), heard
    times = [step["ms"] for step in found["steps"]]
    assert times == sorted(times) and times[0] >= 0
    assert found["result"]["state"] == "up" and found["result"]["reason"] is None
    assert {check["check"] for check in found["result"]["checks"]} >= {"service", "server"}
    assert found["status"]["hop"] == scene.hop and found["status"]["state"] == "up"
    assert scene.relay.connections == before + 1

    done = subprocess.run([program("failfastctl"), "-s", scene.milter.control, "probe", scene.hop],
                          check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "dialogue > EHLO mx.example.test" in done.stdout, done.stdout
    assert "This probe: up" in done.stdout


def test_a_probe_tells_what_it_found_and_counts_in_the_table(site):
    """One failure does not bring a remote hop down, but the one who asks hears of it; three do."""
    scene = RelayScene(site, probe=SELDOM).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.relay.stop()
    states = []
    for _ in range(3):
        code, found = scene.milter.ctl("probe", "--json", scene.hop)
        assert code == 2 and found["result"]["reason"] == "connection-refused", found
        assert any("Connection refused" in text for text in texts(found, "connect"))
        states.append(found["status"]["state"])
    assert states == ["up", "up", "down"]
    scene.relay.start()
    assert [scene.milter.ctl("probe", "--json", scene.hop)[1]["status"]["state"]
            for _ in range(2)] == ["down", "up"]


def test_only_hops_that_are_known_are_probed_and_near_names_are_told(site):
    scene = RelayScene(site, probe=SELDOM).start()
    scene.milter.wait_state(scene.hop, "up")
    before = scene.relay.connections

    def complaint(name):
        done = subprocess.run([program("failfastctl"), "-s", scene.milter.control, "probe", name],
                              check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 3 and done.stdout == "", done
        return done.stderr

    assert f'did you mean "{scene.hop}"?' in complaint(scene.hop.replace("[", "").replace("]", ""))
    assert f'"{scene.hop}"' in complaint(str(scene.relay.bind_to[1]))
    assert "failfastctl status" in complaint("smtp:[192.0.2.77]:22")
    assert scene.relay.connections == before
    assert scene.milter.ctl("probe")[0] == 3


@pytest.mark.seconds(6)
def test_clients_at_once_share_a_probe_and_one_that_leaves_disturbs_nobody(site):
    scene = RelayScene(site, probe={**SELDOM, "reply_timeout": "3s"}).start()
    scene.milter.wait_state(scene.hop, "up")
    before = scene.relay.connections
    scene.relay.set("slow", delay=1.0)
    leaves = subprocess.Popen(
        [program("failfastctl"), "-s", scene.milter.control, "probe", scene.hop],
        stdout=subprocess.PIPE, text=True)
    line = leaves.stdout.readline()
    assert line, "no step"
    wait_until(lambda: scene.relay.connections == before + 1, 3, "the probe has begun")
    leaves.kill()
    leaves.wait()
    leaves.stdout.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(
            lambda _: scene.milter.ctl("probe", "--json", scene.hop), range(8)))
    assert [code for code, _ in results] == [0] * 8, results
    assert all("221" in texts(found, "dialogue", "received")[-1] for _, found in results)
    # The one that was under way, and one for all who came while it was.
    assert scene.relay.connections == before + 2
    assert scene.milter.engine_pid()


def test_a_silent_peer_is_shown_while_it_is_silent(site):
    scene = FilterScene(site, SELDOM).start()
    scene.wait_up()
    scene.filter.set("hang")
    began = time.monotonic()
    code, found = scene.milter.ctl("probe", "--json", scene.hop)
    assert code == 2 and found["result"]["reason"] == "greeting-timeout", json.dumps(found)
    assert 0.9 < time.monotonic() - began < 5
    assert "timed out while receiving the initial server greeting" in texts(found, "dialogue")[-1]
    scene.filter.release()


def test_a_transport_has_steps_of_its_own(site):
    scene = FilterScene(site, SELDOM)
    scene.postfix.add_service("odd unix - n n - - pipe user=nobody argv=/no/such/program\n")
    scene.postfix.route("odd.test", "odd:")
    scene.start()
    scene.milter.wait_state("odd:", "down")
    code, found = scene.milter.ctl("probe", "--json", "odd:")
    assert code == 2 and found["result"]["reason"] == "command-missing", found
    assert "/no/such/program" in " ".join(texts(found, "command")), found
    assert texts(found, "service", "received") == ["the greeting of a delivery agent"]
