# Three times the interval of ten seconds.
hop remote smtp:[relay.example.net]:587 relayhost
default probe.interval -> 10s
at 0s   probe ok -> up
at 30s  look -> up
at 31s  look -> unknown
# One result is enough to know again.
at 32s  probe ok -> up
