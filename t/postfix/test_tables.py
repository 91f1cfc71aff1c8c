"""Hops that only look-up tables name are known before the first message."""
import subprocess

from harness.scene import RouteScene
from harness.wait import wait_until


def write_table(scene, kind, name, lines):
    """A table as postmap(1) makes it; what main.cf calls it."""
    path = scene.postfix.config / name
    path.write_text("".join(f"{key}\t{value}\n" for key, value in lines), encoding="utf-8")
    if kind != "texthash":
        subprocess.run(["postmap", "-c", scene.postfix.config, f"{kind}:{path}"], check=True)
    return f"{kind}:{path}"


def known(scene):
    """Every hop with its state and reason."""
    return {hop["hop"]: (hop["state"], hop["reason"]) for hop in scene.milter.status()["hops"]}


def test_every_hop_that_a_table_names_is_known_from_the_start(site):
    scene = RouteScene(site)
    params = scene.postfix.params
    scene.postfix.prepare()
    params["transport_maps"] = params["transport_maps"] + ", " + write_table(
        scene, "hash", "transport", [("a.test", "smtp:[127.0.0.1]:9"), ("b.test", "relay:"),
                                     ("c.test", "no-such-transport:"), ("d.test", "error:no"),
                                     ("e.test", ":[127.0.0.1]:10")])
    params["sender_dependent_default_transport_maps"] = write_table(
        scene, "texthash", "sdd", [("@plesk.test", "plesk-192.0.2.10-:"),
                                   ("@virtualmin.test", "smtp-17")])
    params["sender_dependent_relayhost_maps"] = write_table(
        scene, "lmdb", "relay", [("@relay.test", "[127.0.0.1]:11")])
    params["default_transport"] = "smtp"
    scene.start()
    expected = {
        "smtp:[127.0.0.1]:9": ("down", "connection-refused"),
        "relay:": ("up", None),
        "no-such-transport:": ("down", "transport-undefined"),
        "smtp:[127.0.0.1]:10": ("down", "connection-refused"),
        "plesk-192.0.2.10-:": ("down", "transport-undefined"),
        "smtp-17:": ("down", "transport-undefined"),
        "smtp:[127.0.0.1]:11": ("down", "connection-refused"),
    }
    wait_until(lambda: expected.items() <= known(scene).items(), 10,
               lambda: f"{expected} in {known(scene)}")
    assert not any(hop.startswith("error:") for hop in known(scene))


def test_a_rebuilt_table_is_noticed_within_three_seconds(site):
    scene = RouteScene(site)
    scene.postfix.prepare()
    table = write_table(scene, "hash", "transport", [("a.test", "old-transport:")])
    scene.postfix.params["transport_maps"] += ", " + table
    scene.start()
    wait_until(lambda: "old-transport:" in known(scene), 10, "the table is read")
    write_table(scene, "hash", "transport", [("a.test", "new-transport:")])
    wait_until(lambda: "new-transport:" in known(scene), 3.5, "the new table is read")
    assert "old-transport:" not in known(scene)


def test_a_table_that_cannot_be_read_is_logged_and_does_no_harm(site):
    scene = RouteScene(site)
    scene.postfix.prepare()
    missing = scene.postfix.config / "missing"
    scene.postfix.params["sender_dependent_relayhost_maps"] = f"hash:{missing}"
    scene.postfix.prepare()
    scene.milter.start()
    scene.milter.wait_sockets()
    scene.milter.log.wait_for(r"warning: postmap .*missing")
