# Every way out of "degraded".
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe partial -> degraded
at 10s  probe partial -> degraded
at 20s  probe ok -> up
at 30s  probe partial -> degraded
# Another reason of the same kind.
at 40s  probe slow -> degraded
# Fails once, and then three times.
at 50s  probe connection-lost -> degraded
at 51s  probe partial -> degraded
at 61s  probe connection-lost -> degraded
at 62s  probe connection-lost -> degraded
at 63s  probe connection-lost -> down
at 68s  probe partial -> down
at 69s  probe partial -> degraded
at 79s  probe host-unreachable hard -> down
at 84s  probe ok -> down
at 85s  probe slow -> degraded
at 95s  log deferred -> degraded
at 96s  probe local-error -> unknown
at 97s  probe slow -> degraded
at 127s look -> degraded
at 128s look -> unknown
