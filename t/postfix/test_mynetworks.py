"""mynetworks with files and tables: we and Postfix say the same of each client."""
import os
import time

import pytest

from harness.scene import RouteScene, brief
from harness.smtp import send
from harness.wait import wait_until

REFUSED = brief("4.4.1", "transport", "connection refused")

CIDR = "# a comment\n127.0.2.0/25 OK\n127.0.2.128/26\n   OK on a second line\n127.0.2.250 yes\n"
LIST = ("# a comment\n127.0.3.1, 127.0.3.2 !127.0.3.64/26\n127.0.3.0/24\n!{nested}\n"
        "inline:{{ {{127.0.6.1 = x}} }}\n")
NESTED = "127.0.4.1\n!127.0.4.2\n"
CLIENTS = ["127.0.0.1", "127.0.0.2", "127.0.1.1", "127.0.1.2", "127.0.2.1", "127.0.2.127", "127.0.2.130",
           "127.0.2.200", "127.0.2.250", "127.0.2.251", "127.0.3.1", "127.0.3.3", "127.0.3.65",
           "127.0.4.1", "127.0.4.2", "127.0.5.1", "127.0.5.2", "127.0.5.3", "127.0.6.1", "127.0.6.2",
           "127.0.7.1", "127.0.7.2"]


class NetworksScene(RouteScene):
    """bad.test's hop is down from the start: the reply tells how we see a client."""

    def __init__(self, site, networks, files):
        super().__init__(site)
        self.files = site.dir
        for name, text in files.items():
            self.write(name, text)
        self.postfix.params.update(mynetworks=networks, default_transport=self.good_hop)
        self.bad.stop()

    def write(self, name, text):
        """A file that looks as if it had been there for a while."""
        path = self.files / name
        path.write_text(text, encoding="utf-8")
        os.utime(path, (time.time() - 10,) * 2)

    def ours(self, client):
        """Do we take a client for one of mynetworks?"""
        sent = send(self.port, "a@bad.test", source=client)
        assert sent.refusal.code == 451, sent
        return sent.refusal != REFUSED

    def postfixs(self, client):
        """Does Postfix?"""
        sent = send(self.port, "a@elsewhere.example", source=client)
        assert sent.accepted or "Relay access denied" in sent.refusal, sent
        return sent.accepted


def test_files_and_tables_count_as_they_do_for_postfix(site):
    scene = NetworksScene(
        site, f"127.0.0.1, !127.0.7.2 cidr:{site.dir}/cidr, {site.dir}/list "
        f"texthash:{site.dir}/text lmdb:{site.dir}/map proxy:texthash:{site.dir}/text2", {
            "cidr": CIDR, "list": LIST.format(nested=site.dir / "nested"), "nested": NESTED,
            "text": "127.0.1.1 x\n127.0.1.0/24 x\n", "map": "127.0.5.1 x\n127.0.5.2 x\n",
            "text2": "127.0.7.1 x\n127.0.7.2 x\n"})
    scene.postfix.prepare()
    assert scene.postfix.command("postmap", f"lmdb:{site.dir}/map").returncode == 0
    scene.start()
    seen = {client: (scene.ours(client), scene.postfixs(client)) for client in CLIENTS}
    assert {client: both for client, both in seen.items() if both[0] != both[1]} == {}, seen
    inside = [client for client, both in seen.items() if both[0]]
    assert len(inside) >= 8 and len(inside) < len(CLIENTS), inside


@pytest.mark.parametrize("kind", ["cidr:", "texthash:", ""])
def test_a_file_that_changes_is_read_again(site, kind):
    scene = NetworksScene(site, f"127.0.0.1 {kind}{site.dir}/list", {"list": "127.0.1.1 x\n" if kind
                                                                    else "127.0.1.1\n"})
    scene.start()
    assert scene.ours("127.0.1.1") and not scene.ours("127.0.1.2")
    (site.dir / "list").write_text("127.0.1.2 x\n" if kind else "127.0.1.2\n", encoding="utf-8")
    wait_until(lambda: scene.ours("127.0.1.2"), 10, "the new address", interval=0.3)
    assert not scene.ours("127.0.1.1")


def test_a_table_that_cannot_be_listed_is_named_in_the_log_and_costs_nothing(site):
    scene = NetworksScene(site, f"127.0.0.1 regexp:{site.dir}/re {site.dir}/missing", {
        "re": "/^127\\.0\\.1\\./ OK\n"})
    scene.start()
    assert scene.ours("127.0.0.1") and not scene.ours("127.0.1.1")
    assert scene.milter.log.wait_for(rf"mynetworks: regexp:{site.dir}/re cannot be listed")
    assert scene.milter.log.wait_for(rf"mynetworks: {site.dir}/missing: No such file")
