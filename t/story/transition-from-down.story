# Every way out of "down".  Two successes in a row end it elsewhere, one on this host.
hop remote smtp:[relay.example.net]:587 relayhost
hop local  smtp-amavis:[127.0.0.1]:10024 content-filter
at 0s   probe relayhost connection-refused hard -> down
at 0s   probe content-filter connection-refused hard -> down
at 5s   probe content-filter ok -> up
at 5s   probe relayhost ok -> down
# A failure in between begins it anew, whatever its reason; the reason is that of the last one.
at 6s   probe relayhost connection-timeout -> down
at 6s   mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection timed out"
at 11s  probe relayhost ok -> down
at 12s  probe relayhost ok -> up
at 22s  probe relayhost service-rejected hard -> down
at 27s  probe relayhost slow -> down
at 28s  probe relayhost slow -> degraded
at 38s  probe relayhost service-rejected hard -> down
at 39s  log relayhost deferred -> down
at 43s  probe relayhost local-error -> unknown
at 44s  probe relayhost service-rejected hard -> down
at 74s  look relayhost -> down
at 75s  look relayhost -> unknown
at 75s  mail other -> accept
