# Single failures do not add up.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 10s  probe connection-timeout -> up
at 11s  probe connection-timeout -> up
at 12s  probe ok -> up
at 22s  probe connection-timeout -> up
at 23s  probe connection-timeout -> up
at 24s  probe ok -> up
at 24s  mail other -> accept
