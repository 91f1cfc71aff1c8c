"""Filters that follow each other (Zimbra), and two Postfix instances behind one milter."""
import smtplib
import time

from harness.milter import BRISK, QUIET
from harness.postfix import REENTRY_OPTIONS
from harness.scene import MAX_AGE, Scene
from harness.smtp import message, send
from harness.transports import TEXT, service
from harness.wait import wait_until
from sick_peer import SickPeer

REFUSED = ("connection-refused", "4.4.1", "content-filter", "connection refused")


class Reinject(SickPeer):
    """A filter that hands every message on to a port before it takes it."""

    def __init__(self, site, port):
        super().__init__(f"inet:127.0.0.1:{site.world.free_port()}")
        self._port = port
        site.at_end(self.close)
        site.show("filter", lambda: "\n".join(list(self.log)[-60:]))
        self.start()

    def accepted(self, message):  # pylint: disable=redefined-outer-name
        with smtplib.SMTP("127.0.0.1", self._port, timeout=10) as session:
            session.sendmail(message.sender, message.recipients, message.data)
        super().accepted(message)


class ChainScene(Scene):
    """The public listener's filter is the middle listener, whose filter hands mail back to the re-entry listener.

    In a site's life the second filter is an amavisd; here it is one that passes everything on.
    """

    def __init__(self, site, probe=QUIET):
        super().__init__(site, probe)
        self.sink = site.peer()
        self.filter = Reinject(site, self.postfix.reentry)
        self.second = f"smtp-amavis:[127.0.0.1]:{self.filter.bind_to[1]}"
        self.middle = self.postfix.add_listener(**{**REENTRY_OPTIONS, "content_filter": self.second})
        self.first = f"smtp:[127.0.0.1]:{self.middle}"
        self.postfix.params["content_filter"] = self.first
        self.postfix.route("to.test", f"smtp:[127.0.0.1]:{self.sink.bind_to[1]}")

    def start(self):
        super().start()
        for hop in (self.first, self.second):
            self.milter.wait_state(hop, "up")
        return self


def test_the_second_filter_of_a_chain_refuses_at_the_first_listener_and_the_next_message_passes(site):
    scene = ChainScene(site).start()
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    # It went the whole way.
    assert len(scene.filter.messages) == 1
    _, found = scene.milter.ctl("explain", "--json", "s@from.test", "a@to.test")
    assert [(hop["role"], hop["hop"]) for hop in found["hops"]][:2] == \
        [("content-filter", scene.first), ("content-filter", scene.second)], found

    scene.filter.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(scene.second, *REFUSED)
    scene.must_have_nothing(scene.sink, counts=[1])
    code, found = scene.milter.ctl("explain", "--json", "s@from.test", "a@to.test")
    assert code == 2 and [hop["state"] for hop in found["hops"]][:2] == ["up", "down"], found

    scene.filter.start()
    time.sleep(MAX_AGE)
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()


def test_mail_that_was_accepted_is_not_refused_in_the_middle_of_the_chain(site):
    """Its sender has his 250 already: it waits in the queue before the second filter, as without us."""
    scene = ChainScene(site).start()
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    mark = scene.milter.log.mark()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    sent = send(scene.middle, scene.recipient, source="127.0.0.1")
    assert sent.accepted, sent
    scene.milter.log.wait_for(r": accept: .*hop=smtp-amavis:.*reason=connection-refused", 5, mark)
    wait_until(lambda: [message for message in scene.postfix.queue()
                        if message["queue_id"] == sent.queue_id], 5, "it is queued")
    scene.filter.start()
    # A message that qmgr takes up while the agent that deferred it has it still would wait for the next start of qmgr.
    scene.postfix.reload()
    wait_until(lambda: scene.sink.find(sent.ident), 10, "it is delivered in the end")
    scene.postfix.wait_empty()


def test_a_header_that_was_added_at_the_first_listener_comes_out_of_the_chain(site):
    scene = ChainScene(site, BRISK)
    scene.milter.options["tag"] = "always"
    scene.start()
    found = scene.must_deliver(scene.sink)
    tags = [value for name, value in found.header() if name == "Failfast-Status"]
    assert [hop for hop in (scene.first, scene.second)
            if any(f'hop="{hop}"' in tag for tag in tags)] == [scene.first, scene.second], tags


class TwoInstances(Scene):
    """postfix takes mail in and hands it to postfix-out; both have transports of the same names."""

    def __init__(self, site, probe=QUIET):
        super().__init__(site, probe)
        self.sink = site.peer()
        self.own_hop = f"svc:[127.0.0.1]:{self.sink.bind_to[1]}"
        self.out_hop = f"postfix-out/{self.own_hop}"
        self.out = site.postfix()
        site.sasl(self.out)
        self.out.params.update(myhostname="out.example.test", multi_instance_name="postfix-out")
        self.out.use_milter(self.milter, non_smtpd=True)
        self.out.route("to.test", self.own_hop)
        self.out.add_service(service("svc"))
        self.milter.postfix.append(self.out)
        self.postfix.route("to.test", f"smtp:[127.0.0.1]:{self.out.port}")
        self.postfix.route("own.test", self.own_hop)
        self.postfix.add_service(service("svc"))

    def start(self):
        self.out.prepare()
        self.out.start()
        return super().start()


def test_a_transport_that_one_instance_loses_is_down_for_its_mail_only(site):
    scene = TwoInstances(site).start()
    for port, recipient in ((scene.postfix.port, "a@own.test"), (scene.out.port, "a@to.test")):
        scene.port = port
        scene.must_deliver(scene.sink, recipient)
    scene.out.wait_empty()
    for hop in (scene.own_hop, scene.out_hop):
        scene.milter.wait_state(hop, "up")

    scene.out.remove_service(service("svc"))
    scene.out.reload()
    time.sleep(MAX_AGE)
    scene.must_refuse(scene.out_hop, "transport-refused", "4.3.0", "transport",
                      TEXT["transport-refused"], "a@to.test")
    scene.port = scene.postfix.port
    scene.must_deliver(scene.sink, "a@own.test")
    assert scene.milter.hop(scene.own_hop)["state"] == "up"

    scene.out.add_service(service("svc"))
    scene.out.reload()
    time.sleep(MAX_AGE / 10)
    scene.port = scene.out.port
    scene.must_deliver(scene.sink, "a@to.test")


def test_the_filter_of_the_instance_that_a_relayhost_leads_to_refuses_at_the_first(site):
    scene = TwoInstances(site)
    scan = Reinject(site, scene.out.reentry)
    scene.out.params["content_filter"] = f"smtp-amavis:[127.0.0.1]:{scan.bind_to[1]}"
    hop = f"postfix-out/smtp-amavis:[127.0.0.1]:{scan.bind_to[1]}"
    scene.start()
    scene.milter.wait_state(hop, "up")
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    scene.out.wait_empty()

    scan.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(hop, *REFUSED)
    scene.must_have_nothing(scene.sink, counts=[1])
    assert scene.send("a@own.test").accepted
    scan.start()
    time.sleep(MAX_AGE)
    scene.must_deliver(scene.sink)


def test_mail_of_sendmail_is_that_of_the_instance_whose_name_postfix_tells(site):
    """It has no port.  What is told about it is never another instance's."""
    scene = TwoInstances(site, BRISK)
    scan = Reinject(site, scene.out.reentry)
    scene.out.params["content_filter"] = f"smtp-amavis:[127.0.0.1]:{scan.bind_to[1]}"
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.postfix.route("held.test", scene.own_hop)
    for postfix in (scene.postfix, scene.out):
        postfix.params["defer_transports"] = "svc, smtp-amavis"
    hop = f"postfix-out/smtp-amavis:[127.0.0.1]:{scan.bind_to[1]}"
    scene.start()
    scene.milter.wait_state(hop, "up")
    scan.stop()
    scene.milter.wait_state(hop, "down")
    for postfix, recipient in ((scene.out, "a@to.test"), (scene.postfix, "a@held.test")):
        done = postfix.sendmail("s@from.test", [recipient], message("local"))
        assert done.returncode == 0, done
    of_out, of_in = tags(scene.out), tags(scene.postfix)
    assert len(of_out) == 1 and f'hop="{hop}"' in of_out[0], of_out
    assert of_in == []


def tags(postfix):
    """The headers of ours in the one message of its queue."""
    # In maildrop it has not got its queue ID yet.
    queued = wait_until(lambda: [one for one in postfix.queue() if one["queue_name"] != "maildrop"], 5,
                        "the message is queued")
    assert len(queued) == 1, queued
    done = postfix.command("postcat", "-qh", queued[0]["queue_id"])
    assert "Message-ID: <local@" in done.stdout, done
    text = done.stdout.replace("\n\t", " ").replace("\n ", " ")
    return [line for line in text.splitlines() if line.startswith("Failfast-Status:")]
