# Whatever is known of a hop, the operator's word goes before it, and leaves it as it was found.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s   force up -> forced-up
at 1s   force auto -> unknown
at 1s   force auto -> unknown
at 2s   force down -> forced-down
at 3s   force up -> forced-up
at 4s   force down -> forced-down
at 5s   force down -> forced-down
at 6s   force up -> forced-up
at 6s   force up -> forced-up
at 7s   probe slow -> degraded
at 8s   force auto -> degraded
at 8s   force auto -> degraded
at 9s   force down -> forced-down
at 10s  force auto -> degraded
at 11s  force up -> forced-up
at 12s  force auto -> degraded
at 13s  probe ok -> up
at 14s  force auto -> up
at 15s  force up -> forced-up
at 16s  force auto -> up
# Falls are counted underneath.
at 20s  force up -> forced-up
at 21s  probe connection-timeout -> down
at 22s  probe ok -> up
at 23s  probe connection-timeout -> down
at 24s  probe ok -> up
at 25s  probe connection-timeout -> down
at 26s  probe ok -> degraded
at 27s  force auto -> degraded
at 27s  header -> Failfast-Status: mx.example.com; state=degraded; hop="smtp:[relay.example.net]:587"; role=relayhost; reason=flapping; since=1970-01-01T00:00:27Z; id=ID
at 28s  force auto -> degraded
at 29s  force down -> forced-down
at 30s  force auto -> degraded
at 31s  force up -> forced-up
at 32s  force auto -> degraded
