"""What is shipped for Prometheus and Grafana, with a real Prometheus that watches a filter break."""
import contextlib
import http.client
import json
import re
import shutil
import subprocess
import urllib.parse

import pytest

from harness.milter import ROOT
from harness.scene import FilterScene
from harness.wait import wait_until
from harness.web import Web

SHIPPED = ROOT / "config" / "prometheus"
BOARD = ROOT / "config" / "grafana" / "failfast.json"


def promtool(*args):
    """Run it on what is shipped."""
    done = subprocess.run(["promtool", *args], cwd=SHIPPED, check=False, capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A Prometheus with the shipped files, in a hurry."""

    def __init__(self, directory, port, target):
        directory.mkdir()
        self._dir, self._port = directory, port
        self._process = None
        text = (SHIPPED / "prometheus.yml").read_text(encoding="utf-8")
        assert text.count("127.0.0.1:9895\n") == 1
        text = text.replace("127.0.0.1:9895\n", f"{target}\n").replace(": 15s", ": 250ms")
        (directory / "prometheus.yml").write_text(text, encoding="utf-8")
        rules = (SHIPPED / "failfast.rules.yml").read_text(encoding="utf-8")
        (directory / "failfast.rules.yml").write_text(re.sub(r"for: \d+[mh]", "for: 500ms", rules),
                                                      encoding="utf-8")

    def start(self):
        """Start, and wait until it answers."""
        with open(self._dir / "log", "wb") as log:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                ["prometheus", f"--config.file={self._dir}/prometheus.yml",
                 f"--storage.tsdb.path={self._dir}/data",
                 f"--web.listen-address=127.0.0.1:{self._port}"], stdout=log, stderr=log)
        wait_until(self._is_ready, 30, "Prometheus is ready", 0.1)
        return self

    def _is_ready(self):
        with contextlib.suppress(OSError):
            return self._request("/-/ready")[0] == 200
        return False

    def stop(self):
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self._dir / "data", ignore_errors=True)

    def tail(self):
        """What it said last."""
        return (self._dir / "log").read_text(encoding="utf-8")[-4000:]

    def _request(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8")
        finally:
            connection.close()

    def get(self, path):
        """The data of an answer of its API."""
        answer = json.loads(self._request(path)[1])
        assert answer["status"] == "success", (path, answer)
        return answer["data"]

    def query(self, expression):
        """What an expression comes to now."""
        return self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["result"]

    def alert(self, name):
        """The labels of an alert that fires, None: it does not."""
        for alert in self.get("/api/v1/alerts")["alerts"]:
            if alert["labels"]["alertname"] == name and alert["state"] == "firing":
                return alert["labels"]
        return None


def board_expressions():
    """Every query of the board, with its variables filled in."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$instance", ".*").replace("$hop", ".*").replace(
                "$__rate_interval", "1m")


def test_rules_example_and_board_are_sound():
    promtool("check", "rules", "failfast.rules.yml")
    promtool("test", "rules", "failfast.rules.test.yml")
    promtool("check", "config", "prometheus.yml")
    rules = (SHIPPED / "failfast.rules.yml").read_text(encoding="utf-8")
    tests = (SHIPPED / "failfast.rules.test.yml").read_text(encoding="utf-8")
    for name in re.findall(r"alert: (\w+)", rules):
        assert f"alertname: {name}\n" in tests, f"{name} is not tested"


@pytest.mark.seconds(12)
def test_an_alert_fires_for_a_broken_filter_and_ends_when_it_works_again(site):
    scene = FilterScene(site)
    web = Web(scene.milter, site.world.free_port())
    scene.start()
    scene.wait_up()
    prometheus = Prometheus(site.dir / "prometheus", site.world.free_port(), f"127.0.0.1:{web.port}")
    site.at_end(prometheus.stop)
    site.show("Prometheus", prometheus.tail)
    prometheus.start()
    state = f'failfast_hop_state{{hop="{scene.hop}",state="up"}}'
    wait_until(lambda: [s for s in prometheus.query(state) if s["value"][1] == "1"], 10, "a scrape")
    assert prometheus.alert("FailfastHopDown") is None
    scene.filter.stop()
    wait_until(lambda: not scene.send().accepted, 5, "a refusal")
    labels = wait_until(lambda: prometheus.alert("FailfastHopDown"), 10, "the alert fires")
    assert labels["hop"] == scene.hop and labels["severity"] == "critical"
    metrics = set(prometheus.get("/api/v1/label/__name__/values"))
    for expression in board_expressions():
        prometheus.query(expression)
        for name in re.findall(r"failfast_\w+", expression):
            # A certificate is seen where TLS is.
            assert name in metrics or name.startswith("failfast_tls_"), name
    scene.filter.start()
    scene.must_recover(2)
    wait_until(lambda: prometheus.alert("FailfastHopDown") is None, 10, "the alert ends")
