# Every way out of "up".
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 10s  probe ok -> up
# Fails once, twice, and again.
at 20s  probe connection-timeout -> up
at 21s  probe ok -> up
at 31s  probe connection-timeout -> up
at 32s  probe protocol-error -> up
at 33s  probe greeting-timeout -> down
at 34s  probe ok -> down
at 35s  probe ok -> up
# Certain.
at 45s  probe connection-refused hard -> down
at 46s  probe ok -> down
at 47s  probe ok -> up
# With a reason that lets mail pass.
at 57s  probe tls-expiring -> degraded
at 67s  probe ok -> up
# Our own fault.
at 77s  probe local-error -> unknown
at 78s  probe ok -> up
# Postfix's log alone does nothing; it goes before probes that say the same.
at 88s  log deferred -> up
at 89s  probe connection-timeout -> up
at 90s  probe connection-timeout -> down
at 91s  probe ok -> down
at 92s  probe ok -> up
# And nobody looks any more.
at 122s look -> up
at 123s look -> unknown
