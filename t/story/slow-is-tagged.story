# Slow is no reason to refuse, and comes and goes with every result.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe slow -> degraded
at 1s   mail other -> tag
at 1s   mail reentry -> tag
at 10s  probe ok -> up
at 10s  mail other -> accept
at 20s  probe slow -> degraded
at 21s  probe connection-lost -> degraded
at 22s  probe connection-lost -> degraded
at 23s  probe connection-lost -> down
at 28s  probe slow -> down
at 29s  probe slow -> degraded
