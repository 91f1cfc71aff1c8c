# The relay's name does not exist any more.
hop remote smtp:[relay.example.net]:587 relayhost
fall 2
rise 1
at 0s   probe ok -> up
at 10s  probe dns-not-found -> up
at 11s  probe dns-not-found -> down
at 11s  mail other -> tempfail "451 4.4.4 relayhost is temporarily unavailable: host not found"
at 16s  probe dns-failure -> down
at 16s  mail other -> tempfail "451 4.4.3 relayhost is temporarily unavailable: name service error"
at 21s  probe ok -> up
