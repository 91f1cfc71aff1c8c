"""The Debian package, from before its installation until after its purge: mail flows at each step."""
import pytest

from harness.chroot import Chroot, built_package, newer
from harness.wait import wait_until

LOOKED_AT = ("/etc", "/usr/bin", "/usr/sbin", "/usr/lib/systemd", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d",
             "/usr/share/bash-completion", "/usr/share/doc", "/usr/share/man", "/var/lib", "/var/spool")
# What systems keep of packages that are gone: users, and what deb-systemd-helper and dpkg note.
KEPT = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock", "/var/lib/dpkg/",
        "/var/lib/postfix/", "/var/spool/postfix/")


@pytest.fixture(name="system")
def _system(site):
    system = Chroot(site.dir / "system")
    site.at_end(system.end)
    site.show("system", system.log)
    return system


def postfix_files(system):
    """What Postfix is told."""
    etc = system.path("/etc/postfix")
    return {name: system.path(name).read_bytes() for name in system.files("/etc/postfix")
            if system.path(name).is_file()}, etc.stat().st_mode


@pytest.mark.seconds(40)
@pytest.mark.skipif(built_package() is None, reason="scripts/build-deb has built no package")
def test_life_of_the_package(site, system):
    """Installed, set up, upgraded, removed, installed again, taken back and purged."""
    package = built_package()
    system.start_postfix()
    untouched = postfix_files(system)
    files = system.files(*LOOKED_AT)
    system.must_deliver()

    system.install(package)
    assert postfix_files(system) == untouched
    assert "failfast-milter" in system.run("id", "failfast-milter").stdout
    assert system.run("failfast-milter", "-n").stdout == ""
    system.start_daemon()
    system.must_deliver()
    assert not system.is_asked()

    shown = system.run("failfast-setup").stdout
    assert "smtpd_milters=" in shown and postfix_files(system) == untouched
    system.run("failfast-setup", "--apply")
    system.must_deliver()
    wait_until(system.is_asked, 10, "Postfix asks")

    conf = system.path("/etc/failfast-milter.conf")
    conf.write_text(conf.read_text() + "# of the site\n")
    system.stop_daemon()
    system.must_deliver()
    system.install(newer(package, site.dir))
    assert conf.read_text().endswith("# of the site\n")
    system.start_daemon()
    system.must_deliver()
    wait_until(system.is_asked, 10, "Postfix asks")

    system.stop_daemon()
    said = system.run("dpkg", "--remove", "failfast-milter").stdout
    assert "failfast-setup --undo" in said
    assert conf.exists() and not system.path("/var/spool/postfix/failfast-milter").exists()
    system.must_deliver()

    system.install(package)
    system.start_daemon()
    wait_until(system.is_asked, 10, "Postfix asks")
    system.run("failfast-setup", "--undo")
    assert postfix_files(system) == untouched
    system.must_deliver()
    wait_until(lambda: not system.is_asked(), 10, "Postfix asks no more")

    system.stop_daemon()
    system.run("dpkg", "--purge", "failfast-milter")
    assert postfix_files(system) == untouched
    system.must_deliver()
    left = system.files(*LOOKED_AT) - files
    assert not {name for name in left if not name.startswith(KEPT)}
    assert not [name for name in left if "failfast" in name]
    for name in ("/var/lib/failfast-milter", "/var/lib/failfast-setup", "/run/failfast-milter/control.sock"):
        assert not system.path(name).exists(), name
