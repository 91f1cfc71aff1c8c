"""failfast-setup: what it shows, does and takes back, on a real Postfix."""
import os
import pathlib
import subprocess

import pytest

from harness.milter import BUILD, ROOT, is_sanitized
from harness.scene import MAX_AGE, FilterScene
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(is_sanitized(), reason="of the programs it only meets failfastctl")

OURS = "{ unix:failfast-milter/milter.sock, default_action=accept, " \
       "connect_timeout=3s, command_timeout=3s }"


class Setup:
    """The program, for one Postfix."""

    def __init__(self, postfix, conf, records):
        self.postfix = postfix
        self.main_cf = postfix.config / "main.cf"
        self._words = ["-c", str(postfix.config), "-f", str(conf), "-r", str(records)]

    def run(self, *words, code=0):
        """Run it; what it prints."""
        path = f"{BUILD}/milter:{os.environ['PATH']}"
        done = subprocess.run([str(ROOT / "scripts" / "failfast-setup"), *self._words, *words],
                              check=False, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PATH": path})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def value(self, name):
        """Of main.cf, as it is written."""
        return self.postfix.command("postconf", "-h", name).stdout.strip()

    def is_written(self, name):
        """Does main.cf say it?"""
        return self.postfix.command("postconf", "-n", name).stdout != ""


@pytest.fixture(name="scene")
def _scene(site):
    """A milter that no Postfix asks."""
    scene = FilterScene(site)
    del scene.postfix.params["smtpd_milters"]
    scene.postfix.prepare()
    return scene


@pytest.fixture(name="setup")
def _setup(site, scene):
    scene.milter.write()
    return Setup(scene.postfix, scene.milter.conf, site.dir / "records")


def test_apply_and_undo(scene, setup):
    """Mail is asked about after --apply and not before nor after --undo, which leaves no trace."""
    scene.start()
    scene.wait_up()
    scene.filter.stop()
    wait_until(lambda: scene.milter.hop(scene.hop).get("state") == "down" or scene.milter.ctl(
        "probe", scene.hop), MAX_AGE + 5, "the filter is seen to be down")
    scene.must_accept()
    before = setup.main_cf.read_bytes()

    shown = setup.run()
    assert f"'smtpd_milters={OURS}'" in shown and "reload" in shown, shown
    assert setup.main_cf.read_bytes() == before

    done = setup.run("--apply")
    assert "has been reloaded" in done and "failfastctl check:" in done, done
    assert "milter-not-asked" not in done and "milter-default-action" not in done, done
    wait_until(lambda: scene.send().refusal, 10, "a refusal")
    assert setup.value("smtpd_milters") == OURS and setup.value("non_smtpd_milters") == OURS

    asked = setup.main_cf.read_bytes()
    assert "nothing to change" in setup.run() and "nothing to change" in setup.run("--apply")
    assert setup.main_cf.read_bytes() == asked

    setup.run("--undo")
    assert setup.main_cf.read_bytes() == before
    wait_until(lambda: not scene.send().refusal, 10, "no refusal")
    assert "nothing to change" in setup.run("--undo")
    assert setup.main_cf.read_bytes() == before


def test_other_milters_stay(scene, setup):
    """What else is asked is asked after us; --undo takes us alone out of what was changed since."""
    others = "inet:127.0.0.1:8891, { unix:opendkim/sock, default_action=tempfail }"
    scene.postfix.params["smtpd_milters"] = others
    scene.postfix.params["non_smtpd_milters"] = "$smtpd_milters"
    scene.postfix.prepare()
    setup.run("--apply")
    assert setup.value("smtpd_milters") == f"{OURS}, {others}"
    assert setup.value("non_smtpd_milters") == "$smtpd_milters"
    scene.postfix.command("postconf", "-e", f"smtpd_milters=inet:127.0.0.1:11332 {OURS},{others}")
    setup.run("--undo")
    assert setup.value("smtpd_milters") == f"inet:127.0.0.1:11332, {others}"
    assert setup.value("non_smtpd_milters") == "$smtpd_milters"


def test_undo_after_another_change(scene, setup):
    """main.cf was edited elsewhere: what was not there before goes, the edit stays."""
    scene.postfix.params["smtpd_milters"] = ""
    scene.postfix.prepare()
    setup.run("--apply")
    scene.postfix.command("postconf", "-e", "message_size_limit=4711000")
    setup.run("--undo")
    assert setup.is_written("smtpd_milters") and setup.value("smtpd_milters") == ""
    assert not setup.is_written("non_smtpd_milters")
    assert setup.value("message_size_limit") == "4711000"


@pytest.mark.parametrize("entry", [
    "unix:failfast-milter/milter.sock", "local:failfast-milter/milter.sock", "unix:{queue}/failfast-milter/milter.sock",
    "unix:/failfast-milter/milter.sock", "{{ unix:failfast-milter/milter.sock }}",
    "{{unix:failfast-milter/milter.sock,default_action=accept}}", "$mine"])
def test_is_found(scene, setup, entry):
    """However our entry is written, it is not added again."""
    queue = scene.postfix.queue_directory
    scene.postfix.params["mine"] = "unix:failfast-milter/milter.sock"
    scene.postfix.params["smtpd_milters"] = "inet:127.0.0.1:8891 " + entry.format(queue=queue)
    scene.postfix.params["non_smtpd_milters"] = "${smtpd_milters}"
    scene.postfix.prepare()
    assert "nothing to change" in setup.run()


def test_listeners_are_named(scene, setup):
    """A listener with Milters of its own is told of, with what to do, and left alone."""
    port = scene.postfix.add_listener(smtpd_milters="inet:127.0.0.1:8891")
    scene.postfix.listener_options(scene.postfix.reentry)["smtpd_milters"] = ""
    scene.postfix.prepare()
    master_cf = (scene.postfix.config / "master.cf").read_bytes()
    shown = setup.run("--apply")
    assert f"127.0.0.1:{port}/inet in master.cf has smtpd_milters of its own" in shown
    assert f"127.0.0.1:{port}/inet/smtpd_milters={OURS}, inet:127.0.0.1:8891'" in shown
    assert f"127.0.0.1:{scene.postfix.reentry}/inet in master.cf asks no Milter" in shown
    assert (scene.postfix.config / "master.cf").read_bytes() == master_cf


def test_tcp(scene, setup):
    """A port is written as Postfix writes it."""
    scene.milter.listen = "inet:8895@127.0.0.1"
    scene.milter.write()
    setup.run("--apply")
    assert setup.value("smtpd_milters").startswith("{ inet:127.0.0.1:8895, default_action=accept,")


def test_out_of_the_chroot(scene, setup):
    """A socket that a chrooted smtpd cannot reach is refused, with a way out."""
    scene.postfix.chroot = True
    scene.milter.listen = "unix:/run/failfast-milter/milter.sock"
    scene.milter.write()
    scene.postfix.prepare()
    assert "inet:PORT@127.0.0.1" in setup.run("--apply", code=78)
    scene.postfix.chroot = False
    scene.postfix.prepare()
    setup.run("--apply")
    assert setup.value("smtpd_milters").startswith("{ unix:/run/failfast-milter/milter.sock,")


def test_broken_postfix_is_left_alone(scene, setup):
    """Where postfix check fails nothing is changed."""
    scene.postfix.params["mail_owner"] = "nobody-of-that-name"
    scene.postfix.prepare()
    before = setup.main_cf.read_bytes()
    said = setup.run("--apply", code=78)
    assert "fails already" in said and "nobody-of-that-name" in said, said
    assert setup.main_cf.read_bytes() == before


def test_symbolic_link_and_mode_stay(scene, setup):
    """main.cf may be a link to somewhere else."""
    real = scene.postfix.dir / "real-main.cf"
    setup.main_cf.rename(real)
    real.chmod(0o640)
    setup.main_cf.symlink_to(real)
    before = real.read_bytes()
    setup.run("--apply")
    setup.run("--undo")
    assert setup.main_cf.is_symlink() and real.read_bytes() == before
    assert real.stat().st_mode & 0o777 == 0o640


def test_records_of_others_are_not_believed(scene, setup):
    """What anybody could have written is not read as root."""
    records = pathlib.Path(setup.main_cf.parent.parent.parent / "records")
    records.mkdir()
    records.chmod(0o777)
    before = setup.main_cf.read_bytes()
    assert "nobody else" in setup.run("--apply", code=77)
    assert setup.main_cf.read_bytes() == before
