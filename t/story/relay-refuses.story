# A relay elsewhere refuses: three times before mail is refused, twice good before it is accepted again.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 10s  probe connection-refused -> up
at 11s  probe connection-refused -> up
at 11s  mail other -> accept
at 12s  probe connection-refused -> down
at 12s  mail authenticated -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:00:12Z: connection refused"
at 17s  probe ok -> down
at 17s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
at 18s  probe ok -> up
at 18s  mail other -> accept
