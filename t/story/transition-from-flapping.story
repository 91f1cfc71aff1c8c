# Every way out of "flapping", which is a kind of degraded.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe connection-timeout -> down
at 20s   probe ok -> up
at 30s   probe connection-timeout -> down
at 40s   probe ok -> up
at 50s   probe connection-timeout -> down
at 60s   probe ok -> degraded
at 60s   header -> Failfast-Status: mx.example.com; state=degraded; hop="smtp:[relay.example.net]:587"; role=relayhost; reason=flapping; since=1970-01-01T00:01:00Z; id=ID
# Our own fault, and back: it has not been quiet.
at 65s   probe local-error -> unknown
at 70s   probe ok -> degraded
# Certain.
at 75s   probe connection-refused hard -> down
at 80s   probe ok -> degraded
at 85s   log deferred -> degraded
# Nobody looks.
at 111s  look -> unknown
# A minute of the same: up.
at 139s  probe ok -> degraded
at 140s  probe ok -> up
