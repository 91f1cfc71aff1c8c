# Only the hop that is named.
hop local  smtp-amavis:[127.0.0.1]:10024 content-filter
hop remote smtp:[relay.example.net]:587 relayhost
at 0s  probe content-filter ok -> up
at 0s  probe relayhost connection-refused hard -> down
at 1s  force content-filter down -> forced-down
at 1s  mail other -> tempfail "451 4.3.2 content filter is temporarily unavailable: down for maintenance"
at 2s  force content-filter up -> forced-up
at 2s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
at 3s  force relayhost up -> forced-up
at 3s  mail other -> accept
at 3s  look content-filter -> forced-up
